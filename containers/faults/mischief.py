"""What can go wrong with a board while it is worked on: each fault can be done and undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from containers.board_sim.board_clock import CLOCK
from containers.faults.boards import Network, Started, wait_for_greeting
from containers.faults.engine import EngineError, docker
from containers.faults.link import Link

#: Where the keeper of the disks has them.
DISKS = "/disks"
_FILLER = "filler"


@dataclass(frozen=True, slots=True)
class Victim:
    """A board whose disk outlives it, for `keeper`, another container, holds it too."""

    board: Started
    network: Network
    keeper: str

    @property
    def name(self) -> str:
        """Give the name of the board and its container."""
        return self.board.name

    @property
    def disk(self) -> str:
        """Give the place of its disk in the keeper."""
        return f"{DISKS}/{self.name}"

    def wipe(self) -> None:
        """Take everything off its disk, as one does who writes the image anew."""
        docker("exec", self.keeper, "find", self.disk, "-mindepth", "1", "-delete")


def _kill(victim: Victim) -> None:
    docker("kill", victim.name)


def _start(victim: Victim) -> None:
    docker("start", victim.name)
    wait_for_greeting(victim.board.host, victim.board.port)


def _disconnect(victim: Victim) -> None:
    docker("network", "disconnect", victim.network.name, victim.name)


def _connect(victim: Victim) -> None:
    argv = ["network", "connect", "--ip", victim.board.host, victim.network.name, victim.name]
    docker(*argv)
    wait_for_greeting(victim.board.host, victim.board.port)


def _fill(victim: Victim) -> None:
    # It ends with an error when the disk is full, which is the point.
    script = 'cat /dev/zero >"$1" 2>/dev/null; :'
    docker("exec", victim.keeper, "sh", "-c", script, "sh", f"{victim.disk}/{_FILLER}")


def _empty(victim: Victim) -> None:
    docker("exec", victim.keeper, "rm", "-f", f"{victim.disk}/{_FILLER}")


def _set_clock(victim: Victim, seconds: int) -> None:
    docker("exec", victim.name, "sh", "-c", f"echo {seconds:+d} >{CLOCK}")


def _mend_line(victim: Victim) -> None:
    Link(victim.name).mend()


def _kill_agent(victim: Victim) -> None:
    """Kill all that runs in its sessions, as the kernel does where memory is short."""
    with suppress(EngineError):  # there is none at the moment
        docker("exec", victim.name, "sh", "-c", "kill -9 $(pidof python3)")


Deed = Callable[[Victim], None]
#: By name: what is done, and what undoes it.
MISCHIEF: Mapping[str, tuple[Deed, Deed]] = {
    "board killed": (_kill, _start),
    "disconnected": (_disconnect, _connect),
    "reset": (lambda victim: Link(victim.name).reset(), _mend_line),
    "black hole": (lambda victim: Link(victim.name).swallow(), _mend_line),
    "loss 5 %": (lambda victim: Link(victim.name).lose(0.05), _mend_line),
    "rate 1 Mbit/s": (lambda victim: Link(victim.name).slow("1mbit"), _mend_line),
    "disk full": (_fill, _empty),
    "clock jumped": (lambda victim: _set_clock(victim, -40_000_000), lambda v: _set_clock(v, 0)),
    "agent killed": (_kill_agent, lambda _: None),
}
