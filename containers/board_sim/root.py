"""A board's root folder: fact files, the look-alike of axengine, a home."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from containers.board_sim.ax_run_model_install import install_tool
from containers.board_sim.profiles import Identity, Profile

AXENGINE = Path(__file__).parent / "axengine"

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
"""

_CMM_TEXT = """\
--------------------SDK VERSION-------------------
[Axera version]: ax_cmm {sdk_version} {sdk_date} JK
+---PARTITION: Phys(0x{first:X}, 0x{last:X}), Size={total}KB({total_mb}MB),    NAME="anonymous"
 nBlock(Max={count}, Cur={count}, New={count}, Free=0)  \
nbytes(Max={used_b}B({used}KB,{used_mb}MB), \
Cur={used_b}B({used}KB,{used_mb}MB), New={used_b}B({used}KB,{used_mb}MB), Free=0B(0KB,0MB))  \
Block(Max={used_b}B({used}KB,{used_mb}MB), Min={used_b}B({used}KB,{used_mb}MB), \
Avg={used_b}B({used}KB,{used_mb}MB))\x20
{blocks}
---CMM_USE_INFO:
 total size={total}KB({total_mb}MB),used={used}KB({used_mb}MB + {used_rest}KB),\
remain={free}KB({free_mb}MB + {free_rest}KB),partition_number=1,block_number={count}
"""
_BLOCK_TEXT = """\
   |-Block: phys(0x{first:X}, 0x{last:X}), cache =non-cacheable, \
length={size}KB({size_mb}MB),    name="{name}"
"""
_LOAD_TEXT = "core:vnpu-Non\ntime:568387\nperiod:1000000\nutilization:{load}%\n"
_IDLE_TEXT = "nputop info is empty!\n"
#: The lease of AXERA's own board agent: live for as long as the folder's time is recent.
TENANT_LEASE = "tmp/magnetar-lease/lock"


def _cmm_info(profile: Profile) -> str:
    sizes = [("vdec_ko", profile.cmm_used_kb), ("PyEngine", profile.tenant_kb)]
    blocks, first = [], profile.cmm_base
    for name, size in [(name, size) for name, size in sizes if size]:
        last = first + size * 1024 - 1
        blocks.append(
            _BLOCK_TEXT.format(first=first, last=last, size=size, size_mb=size // 1024, name=name)
        )
        first = last + 1
    total, used = profile.cmm_total_kb, profile.cmm_used_kb + profile.tenant_kb
    free = total - used
    return _CMM_TEXT.format(
        sdk_version=profile.sdk_version,
        sdk_date=profile.sdk_date,
        first=profile.cmm_base,
        last=profile.cmm_base + total * 1024 - 1,
        blocks="".join(blocks),
        count=len(blocks),
        total=total,
        total_mb=total // 1024,
        used=used,
        used_b=used * 1024,
        used_mb=used // 1024,
        used_rest=used % 1024,
        free=free,
        free_mb=free // 1024,
        free_rest=free % 1024,
    )


def board_files(profile: Profile, identity: Identity) -> Mapping[str, str]:
    """Every fact file of a board with its text, by path below the root."""
    return {
        "proc/ax_proc/version": f"Ax_Version {profile.sdk_version}\n",
        "proc/ax_proc/uid": f"ax_uid: 0x{identity.uid:016x}\n",
        "proc/ax_proc/chip_type": f"{profile.chip_type}\n",
        "proc/ax_proc/board_id": f"{profile.board_id}\n",
        "proc/ax_proc/mem_cmm_info": _cmm_info(profile),
        "proc/ax_proc/npu/enable": "0\n",
        "proc/ax_proc/npu/top": (
            _LOAD_TEXT.format(load=profile.tenant_load) if profile.tenant_load else _IDLE_TEXT
        ),
        "proc/ax_proc/npu/clk": f"{profile.npu_clock}\n",
        "proc/ax_proc/npu/vnpu": f"{profile.vnpu}\n",
        "sys/class/thermal/thermal_zone0/temp": f"{profile.temperature_mc + identity.warmth_mc}\n",
        MARKER: _MARKER_TEXT.format(
            name=identity.name,
            engine_version=profile.engine_version,
            newest_pulsar2=profile.newest_pulsar2,
        ),
    }


def make_root(path: Path, profile: Profile, identity: Identity) -> None:
    """Write a board's root folder, or write it anew; what lies in its home stays."""
    for name, text in board_files(profile, identity).items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="ascii")
    for folder in ("soc/lib", "opt/bin", "root"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    if profile.tenant_load:
        (path / TENANT_LEASE).mkdir(parents=True, exist_ok=True)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = path / "opt/site-packages/local/lib" / python / "dist-packages"
    shutil.rmtree(packages / "axengine", ignore_errors=True)
    shutil.copytree(
        AXENGINE, packages / "axengine", ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
    )
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        install_tool(path)
