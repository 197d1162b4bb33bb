"""A board's own texts, as its shell agent sends them → facts in the Python agent's words. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.domain import Json

_CMM = re.compile(r"total size=(\d+)KB.*?used=(\d+)KB.*?remain=(\d+)KB")
_LOAD = re.compile(r"utilization:\s*(\d+(?:\.\d+)?)%")
#: Where `df` has the free blocks or inodes: fourth in its last line, and the name may be its own.
_DF_FREE = re.compile(r"\s(\d+)\s+(?:-|\d+%)\s+/\S*\s*$")


def read_facts(texts: Mapping[str, str], flags: frozenset[str]) -> dict[str, Json]:
    """Read all facts of a probe; what the board does not have is None.

    Args:
        texts: by the names that the agent gives them.
        flags: the words it says alone: `simulated`, `writable`.
    """
    cmm = _CMM.search(texts.get("cmm", ""))
    disk_kib = _number(_DF_FREE, texts.get("disk"))
    return read_sensors(texts) | {
        "uid": _lower(_match(r"0x[0-9a-fA-F]+", texts.get("uid"))),
        "sdk_version": _match(r"Ax_Version\s+(\S+)", texts.get("version")),
        "chip_type": texts.get("chip_type") or None,
        "board_id": texts.get("board_id") or None,
        "kernel": texts.get("kernel") or None,
        "machine": texts.get("machine") or None,
        "hostname": texts.get("hostname") or None,
        "python": None,
        "vnpu": _match(r"\w+", texts.get("vnpu")),
        "cmm_total_bytes": int(cmm.group(1)) * 1024 if cmm else None,
        "cmm_free_bytes": int(cmm.group(3)) * 1024 if cmm else None,
        "disk_free_bytes": None if disk_kib is None else disk_kib * 1024,
        "inodes_free": _number(_DF_FREE, texts.get("inodes")),
        "clock_unix_s": _number(re.compile(r"(\d+)"), texts.get("clock")),
        "uptime_s": _number(re.compile(r"(\d+)"), texts.get("uptime")),
        "boot_id": texts.get("boot_id") or None,
        "work_dir_writable": "writable" in flags,
        "axengine_path": None,
        "axengine_sha256": None,
        "library_path": texts.get("library") or None,
        "ax_run_model": texts.get("runner") or None,
        "shell_tools": texts.get("tools") or None,
        "simulated": "simulated" in flags,
    }


def read_sensors(texts: Mapping[str, str]) -> dict[str, Json]:
    """Read what changes while a model runs."""
    temperature = _match(r"-?\d+", texts.get("temperature"))
    cmm = _CMM.search(texts.get("cmm", ""))
    top = texts.get("npu_top", "")
    loads = [float(load) for load in _LOAD.findall(top)]
    return {
        "temperature_c": int(temperature) / 1000 if temperature else None,
        "npu_clock_mhz": _number(re.compile(r"^(\d+)\s*M"), texts.get("npu_clock")),
        "npu_load_percent": max(loads) if loads else (0.0 if "info is empty" in top else None),
        "cmm_used_bytes": int(cmm.group(2)) * 1024 if cmm else None,
        "cpu_governor": texts.get("cpu_governor") or None,
    }


def _match(pattern: str, text: str | None) -> str | None:
    found = re.search(pattern, text or "")
    return found.group(found.lastindex or 0) if found else None


def _number(pattern: re.Pattern[str], text: str | None) -> int | None:
    found = pattern.search(text or "")
    return int(found.group(1)) if found else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None
