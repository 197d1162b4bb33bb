"""What changes while a model runs: pure readers of the vendor's texts, and what puts them together.

No SDK has every file, so each reading may be None.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

from board_agent import files
from board_agent.places import Board

CMM_INFO = "/proc/ax_proc/mem_cmm_info"
NPU_TOP = "/proc/ax_proc/npu/top"
NPU_ENABLE = "/proc/ax_proc/npu/enable"
_CPU = "/sys/devices/system/cpu/cpu0/cpufreq"
#: The largest holders of NPU memory that are told by name, and how much of each name.
_MAX_HOLDERS = 20
_MAX_NAME = 40


class Cmm(NamedTuple):
    """The contiguous memory that the NPU works in."""

    total_bytes: int
    used_bytes: int
    free_bytes: int


# ---------------------------------------------------------------------------- readers of texts
def temperature_c(text: str) -> float | None:
    """`49263`, in thousandths of a degree."""
    return int(text) / 1000 if re.fullmatch(r"-?\d+", text) else None


def clock_mhz(text: str) -> int | None:
    """`800M`."""
    found = re.fullmatch(r"(\d+)\s*M(?:Hz)?", text)
    return int(found.group(1)) if found else None


def cpu_clock_mhz(text: str) -> int | None:
    """`1700000`, in kHz."""
    return int(text) // 1000 if re.fullmatch(r"\d+", text) else None


def npu_load_percent(text: str) -> float | None:
    """The load of the busiest core; an idle NPU's table is empty, an old or disabled one's void."""
    loads = [float(load) for load in re.findall(r"utilization:\s*(\d+(?:\.\d+)?)%", text)]
    if loads:
        return max(loads)
    return 0.0 if "info is empty" in text else None


def cmm(text: str) -> Cmm | None:
    """The summary line of `mem_cmm_info`."""
    found = re.search(r"total size=(\d+)KB.*?used=(\d+)KB.*?remain=(\d+)KB", text)
    if not found:
        return None
    total, used, free = (int(kib) * 1024 for kib in found.groups())
    return Cmm(total, used, free)


def cmm_holders(text: str) -> dict[str, int]:
    """The bytes that each name holds in `mem_cmm_info`, the largest first."""
    largest = sorted(_held(text).items(), key=lambda item: (-item[1], item[0]))
    return dict(largest[:_MAX_HOLDERS])


def left_bytes(before: str, after: str, first: Mapping[str, int]) -> int | None:
    """What a process left behind, from `mem_cmm_info` before its start and after its end.

    `first` is who held what once its model had run: only names that had grown by then are its own,
    whoever else came or went. Without such a name it is all that is in use beyond `before`.
    """
    was, now = cmm(before), cmm(after)
    if was is None or now is None:
        return None
    earlier, later = _held(before), _held(after)
    ours = [name for name, size in first.items() if size > earlier.get(name, 0)]
    if not ours:
        return max(0, now.used_bytes - was.used_bytes)
    return sum(max(0, later.get(name, 0) - earlier.get(name, 0)) for name in ours)


def _held(text: str) -> dict[str, int]:
    held: dict[str, int] = {}
    for kib, name in re.findall(r'\|-Block:.*?length=(\d+)KB.*?name="([^"\n]*)"', text):
        held[name[:_MAX_NAME]] = held.get(name[:_MAX_NAME], 0) + int(kib) * 1024
    return held


# ------------------------------------------------------------------------------- of this board
def read_sensors(board: Board) -> dict[str, Any]:
    """All of them; takes some milliseconds, so never while something is timed."""
    temperature = board.read("/sys/class/thermal/thermal_zone0/temp")
    clock, cpu_clock = board.read("/proc/ax_proc/npu/clk"), board.read(f"{_CPU}/scaling_cur_freq")
    listed = board.read(CMM_INFO)
    memory = cmm(listed) if listed else None
    return {
        "temperature_c": temperature_c(temperature) if temperature else None,
        "npu_clock_mhz": clock_mhz(clock) if clock else None,
        "npu_load_percent": _read_load(board),
        "cmm_used_bytes": memory.used_bytes if memory else None,
        "cmm_free_bytes": memory.free_bytes if memory else None,
        "cmm_holders": cmm_holders(listed) if listed else None,
        "cpu_governor": board.read(f"{_CPU}/scaling_governor"),
        "cpu_clock_mhz": cpu_clock_mhz(cpu_clock) if cpu_clock else None,
    }


def read_cmm(board: Board) -> Cmm | None:
    """How much NPU memory there is and is left."""
    text = board.read(CMM_INFO)
    return cmm(text) if text else None


def _read_load(board: Board) -> float | None:
    text = board.read(NPU_TOP)
    if text and "not enabled" in text:
        try:
            files.poke(board.path(NPU_ENABLE), b"1")
        except OSError:
            return None
        text = board.read(NPU_TOP)
    return npu_load_percent(text) if text else None
