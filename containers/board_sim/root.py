"""A board's root folder: fact files, the look-alike of axengine, a home."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from containers.board_sim.ax_run_model_install import install_tool
from containers.board_sim.fact_texts import Cmm, cmm_text, load_text
from containers.board_sim.profiles import Identity, Profile
from containers.board_sim.replaying import Script, write_script

AXENGINE = Path(__file__).parent / "axengine"

#: Modules that the look-alike imports by the names they have here.
_BESIDE = ("fact_texts.py", "replay.py", "replaying.py", "traces.py")
#: What the stand-ins need; on an older one there is neither package nor tool that works.
_OLDEST_PYTHON = (3, 10)
#: A board says with this file that it is a simulation, and what its runtime is like.
MARKER = "etc/orch-simulated-board"

_MARKER_TEXT = """\
This is a simulation of an AX650N board, made by orch; it is not a board.
The files below this folder imitate a board's. Models run on the CPU of the machine that
simulates, so no latency measured here is that of an NPU.

name: {name}
engine_version: {engine_version}
newest_pulsar2: {newest_pulsar2}
axengine: {axengine}
"""

#: The lease of AXERA's own board agent: live for as long as the folder's time is recent.
TENANT_LEASE = "tmp/magnetar-lease/lock"


def _cmm(profile: Profile) -> Cmm:
    held = {"vdec_ko": profile.cmm_used_kb, "PyEngine": profile.tenant_kb}
    return Cmm(
        version=f"{profile.sdk_version} {profile.sdk_date} JK",
        base=profile.cmm_base,
        total_kb=profile.cmm_total_kb,
        holders_kb={name: size for name, size in held.items() if size},
    )


def board_files(profile: Profile, identity: Identity) -> Mapping[str, str]:
    """Every fact file of a board with its text, by path below the root."""
    return {
        "proc/ax_proc/version": f"Ax_Version {profile.sdk_version}\n",
        "proc/ax_proc/uid": f"ax_uid: 0x{identity.uid:016x}\n",
        "proc/ax_proc/chip_type": f"{profile.chip_type}\n",
        "proc/ax_proc/board_id": f"{profile.board_id}\n",
        "proc/ax_proc/mem_cmm_info": cmm_text(_cmm(profile)),
        "proc/ax_proc/npu/enable": "0\n",
        "proc/ax_proc/npu/top": load_text(profile.tenant_load),
        "proc/ax_proc/npu/clk": f"{profile.npu_clock}\n",
        "proc/ax_proc/npu/vnpu": f"{profile.vnpu}\n",
        "sys/class/thermal/thermal_zone0/temp": f"{profile.temperature_mc + identity.warmth_mc}\n",
        MARKER: _MARKER_TEXT.format(
            name=identity.name,
            engine_version=profile.engine_version,
            newest_pulsar2=profile.newest_pulsar2,
            axengine=profile.axengine,
        ),
    }


def make_root(
    path: Path, profile: Profile, identity: Identity, script: Script | None = None
) -> None:
    """Write a board's root folder, or write it anew; what lies in its home stays."""
    for name, text in board_files(profile, identity).items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
    for folder in ("soc/lib", "opt/bin", "root"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    write_script(path, script)
    if profile.tenant_load:
        (path / TENANT_LEASE).mkdir(parents=True, exist_ok=True)
    _install_runtime(path)
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        install_tool(path)


def _install_runtime(path: Path) -> None:
    """Lay the look-alike of axengine where the vendor's package lies, with what it needs."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = path / "opt/site-packages/local/lib" / python / "dist-packages"
    shutil.rmtree(packages / "axengine", ignore_errors=True)
    shutil.copytree(
        AXENGINE, packages / "axengine", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    beside = packages / "containers/board_sim"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in _BESIDE:
        shutil.copyfile(AXENGINE.with_name(name), beside / name)
