"""What a board tells of itself: pure readers of the vendor's texts, and what puts them together.

No SDK has every file, so each fact may be None.
"""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from board_agent import builds, sensors, sites
from board_agent.places import Board


# ---------------------------------------------------------------------------- readers of texts
def uid(text: str) -> str | None:
    """`ax_uid: 0x6007080746221049`."""
    found = re.search(r"0x[0-9a-fA-F]+", text)
    return found.group().lower() if found else None


def sdk_version(text: str) -> str | None:
    """`Ax_Version V1.45.0_P39_20240830020829`: two or three parts after the prefix."""
    found = re.search(r"Ax_Version\s+(\S+)", text)
    return found.group(1) if found else None


def vnpu(text: str) -> str | None:
    """`disable`, `enable`."""
    return text if re.fullmatch(r"\w+", text) else None


# ------------------------------------------------------------------------------- of this board
def read_facts(board: Board, work_dir: Path) -> dict[str, Any]:
    """Everything `probe` tells; imports nothing of the vendor's."""
    text = {name: board.read(f"/proc/ax_proc/{name}") for name in ("uid", "version")}
    memory, split = sensors.read_cmm(board), board.read("/proc/ax_proc/npu/vnpu")
    package, engine = find_axengine(board, work_dir), board.library("ax_engine")
    build, system = builds.on_board(package, board) if package else None, os.uname()
    facts = {
        "uid": uid(text["uid"]) if text["uid"] else None,
        "sdk_version": read_sdk_version(board),
        "chip_type": board.read("/proc/ax_proc/chip_type"),
        "board_id": board.read("/proc/ax_proc/board_id"),
        "kernel": board.read("/proc/sys/kernel/osrelease") or system.release,
        "hostname": board.read("/proc/sys/kernel/hostname") or system.nodename,
        "machine": board.read("/proc/sys/kernel/arch") or system.machine,
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "vnpu": vnpu(split) if split else None,
        "cmm_total_bytes": memory.total_bytes if memory else None,
        "cmm_free_bytes": memory.free_bytes if memory else None,
        "uptime_s": int(board.uptime_s()),
        "boot_id": board.boot_id(),
        "clock_unix_s": int(time.time()),
        "axengine_path": str(package) if package else None,
        "axengine_sha256": build.sha256 if build else None,
        "axengine_build": build.name if build else None,
        "library_path": str(engine.parent) if engine else None,
        "simulated": board.simulated(),
    }
    facts.update(read_disk(work_dir))
    # Facts are flat.
    facts.update((k, v) for k, v in sensors.read_sensors(board).items() if not isinstance(v, dict))
    return facts


def read_sdk_version(board: Board) -> str | None:
    """The version of the vendor's SDK that the board runs."""
    text = board.read("/proc/ax_proc/version")
    return sdk_version(text) if text else None


def find_axengine(board: Board, work_dir: Path) -> Path | None:
    """The folder of the package as `import` would find it; importing it would start the NPU."""
    path = sites.site(work_dir) + sys.path + board.site_packages()
    found = importlib.machinery.PathFinder.find_spec("axengine", path)
    folders = list(found.submodule_search_locations or []) if found else []
    return Path(folders[0]) if folders else None


def read_axengine(board: Board, work_dir: Path) -> str | None:
    """The sha256 of the file that tells one axengine from another."""
    package = find_axengine(board, work_dir)
    return builds.digest(package) if package else None


def disk_free(path: Path) -> int:
    """The bytes that are left for us where `path` lies, or will lie."""
    found = os.statvfs(_there(path))
    return found.f_bavail * found.f_frsize


def read_disk(path: Path) -> dict[str, Any]:
    """What is left where `path` lies or will lie, and whether it may be written."""
    folder = _there(path)
    found = os.statvfs(folder)
    return {
        "disk_free_bytes": found.f_bavail * found.f_frsize,
        # A file system that has no fixed number of them says 0 of 0.
        "inodes_free": found.f_favail if found.f_files else None,
        "work_dir_writable": os.access(folder, os.W_OK | os.X_OK),
    }


def _there(path: Path) -> Path:
    while not path.is_dir():
        path = path.parent
    return path
