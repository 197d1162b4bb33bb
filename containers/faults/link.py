"""Breaks the line between this machine and a board's container, and mends it.

It works on the network namespace of the container and its end of the bridge, from outside: a board
has no tools for that. It needs root, and nsenter, tc and iptables on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers.faults.engine import docker

_TOOLS = ("nsenter", "tc", "iptables")
_SYSTEM_PATH = "/usr/sbin:/sbin"
#: A queue that fills in a third of a second, like a bad uplink's, and a burst of a few packets.
_QUEUE = ("burst", "16kb", "latency", "300ms")


def missing() -> str:
    """Say why no line can be broken here; empty when it can."""
    if os.geteuid() != 0:
        return "breaking a container's line needs root"
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    gone = [tool for tool in _TOOLS if not shutil.which(tool, path=path)]
    return f"breaking a container's line needs {', '.join(gone)}" if gone else ""


@dataclass(frozen=True, slots=True)
class Link:
    """The line of one running container."""

    container: str

    def slow(self, rate: str) -> None:
        """Let no more through than `rate`, `1mbit` say, each way."""
        tbf = ("root", "tbf", "rate", rate, *_QUEUE)
        self._inside("tc", "qdisc", "replace", "dev", self._interface(), *tbf)
        _run("tc", "qdisc", "replace", "dev", self._bridge_end(), *tbf)

    def lose(self, share: float) -> None:
        """Drop that share of the packets each way, at random."""
        chance = ("-m", "statistic", "--mode", "random", "--probability", f"{share:.4f}")
        self._rule("INPUT", *chance, "-j", "DROP")
        self._rule("OUTPUT", *chance, "-j", "DROP")

    def swallow(self) -> None:
        """Drop every packet: nobody is told anything."""
        self._rule("INPUT", "-j", "DROP")
        self._rule("OUTPUT", "-j", "DROP")

    def reset(self) -> None:
        """Answer every packet to the SSH server with a TCP reset."""
        refusal = ("-j", "REJECT", "--reject-with", "tcp-reset")
        self._rule("INPUT", "-p", "tcp", "--dport", "22", *refusal)

    def mend(self) -> None:
        """Take every fault away."""
        self._inside("iptables", "-w", "-F")
        self._inside("tc", "qdisc", "del", "dev", self._interface(), "root", codes=(0, 2))
        _run("tc", "qdisc", "del", "dev", self._bridge_end(), "root", codes=(0, 2))

    @contextmanager
    def broken(self, *, rate: str = "", loss: float = 0.0) -> Iterator[None]:
        """Keep the line slow or lossy for as long as the context lasts."""
        if rate:
            self.slow(rate)
        if loss:
            self.lose(loss)
        try:
            yield
        finally:
            self.mend()

    def _rule(self, chain: str, *match: str) -> None:
        self._inside("iptables", "-w", "-A", chain, *match)

    def _inside(self, *argv: str, codes: tuple[int, ...] = (0,)) -> None:
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.container)
        _run("nsenter", "--target", pid, "--net", *argv, codes=codes)

    def _interface(self) -> str:
        """Name the container's interface: eth0 until it is taken off the network, then eth1."""
        names = docker("exec", self.container, "ls", "/sys/class/net").split()
        for name in names:
            if name.startswith("eth"):
                return name
        raise RuntimeError(f"{self.container}: it is on no network, it has {', '.join(names)}")

    def _bridge_end(self) -> str:
        """Name this machine's end of the container's cable."""
        path_inside = f"/sys/class/net/{self._interface()}/iflink"
        index = docker("exec", self.container, "cat", path_inside)
        for path in Path("/sys/class/net").glob("*/ifindex"):
            if path.read_text(encoding="ascii").strip() == index:
                return path.parent.name
        raise RuntimeError(f"{self.container}: no interface {index} here: is the engine elsewhere?")


def _run(*argv: str, codes: tuple[int, ...] = (0,)) -> None:
    path = f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    done = subprocess.run(
        argv, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode not in codes:
        said = done.stderr.strip()
        raise RuntimeError(f"{' '.join(argv)}: exited with {done.returncode}: {said}")
