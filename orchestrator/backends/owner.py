"""Which process a container belongs to, as a label that can be read when the process is gone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: Mark the containers of orch: the toolchain's name, and the process.
LABEL = "orch.toolchain"
OWNER = "orch.owner"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def owner_label() -> str:
    """Name this process: host, boot, process space, process id, start time."""
    return " ".join((*_place(), str(os.getpid()), _started(os.getpid())))


def labels(toolchain: str) -> dict[str, str]:
    """Give the labels of a container of this process."""
    return {LABEL: toolchain, OWNER: owner_label()}


def is_gone(label: str) -> bool:
    """Tell whether the owner has ended; of another host or process space one cannot tell: no."""
    host, boot, space = _place()
    try:
        its_host, its_boot, its_space, pid, started = label.split(" ")
        if its_host != host:
            return False
        if its_boot != boot:
            return True
        return its_space == space and _started(int(pid)) != started
    except ValueError:  # no label of ours
        return False


def _place() -> tuple[str, str, str]:
    """Give host name, boot id and process space; empty marks where the system has no such thing."""
    try:
        boot = _BOOT.read_text().strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = space = "-"
    return socket.gethostname(), boot, space


def _started(pid: int) -> str:
    """Give when a process started, in ticks since boot; `-` where there is none."""
    try:
        # Its second field is the program's name in parentheses, which may hold spaces.
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "-"
