"""Simulated boards on this machine: start them, find them, stop them.

The boards are a program of their own (`containers/board_sim`); orch only starts it and reads the
addresses that it writes down. Everything about a board stays in its folder, so that boards that
are stopped and started again are the same boards.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from orchestrator.domain import Board
from orchestrator.errors import ConfigError, OrchError
from orchestrator.locks import hold
from orchestrator.seams import Progress

_START_DEADLINE_S = 30.0
_STOP_DEADLINE_S = 10.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class SimulatedFleet:
    """A running simulation: the boards with their true addresses and pinned host keys.

    Attributes:
        leash: the pipe whose end stops it: the simulation of a command dies with the command.
        traces: what scripted boards go through, by name.
    """

    pid: int
    boards: Mapping[str, Board]
    leash: IO[bytes] | None = None
    traces: Mapping[str, str] = field(default_factory=dict)


def find_simulation(folder: Path) -> SimulatedFleet | None:
    """Give the simulation that runs in a folder, if any."""
    try:
        state = json.loads((folder / "fleet.json").read_text())
        pid = int(state["pid"])
        os.kill(pid, 0)
        if b"board_sim" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return None
    except (OSError, ValueError, KeyError):
        return None
    boards = {
        entry["name"]: Board(
            name=entry["name"],
            host=entry["host"],
            port=entry["port"],
            user="root",
            host_keys=(entry["host_key"],),
            identity_file=str(folder / "client_key"),
            simulated=True,
        )
        for entry in state["boards"]
    }
    traces = {one["name"]: one["trace"] for one in state["boards"] if one.get("trace")}
    return SimulatedFleet(pid, boards, traces=traces)


@dataclass(frozen=True, slots=True)
class Scripting:
    """What simulated boards go through, in simulated time.

    Attributes:
        traces: `KIND` for all boards or `BOARD=KIND`, as docs/explanation/simulation.md names them.
        seed: of the first board; every board has another.
        base_latency_ms: of an inference on a good board.
        times: how many runs of a board go through it; 0: all.
    """

    traces: tuple[str, ...] = ()
    seed: int = 0
    base_latency_ms: float = 20.0
    times: int = 0

    def argv(self) -> list[str]:
        """Give the options of the simulating program."""
        asked = [part for trace in self.traces for part in ("--trace", trace)]
        numbers = ("--seed", self.seed, "--base-ms", self.base_latency_ms, "--times", self.times)
        return [*asked, *map(str, numbers)] if asked else []


def start_simulation(
    folder: Path,
    names: Sequence[str],
    *,
    leashed: bool,
    scripting: Scripting | None = None,
) -> SimulatedFleet:
    """Start boards with these names; leashed ones end with us. Raises ConfigError, OrchError."""
    missing = [name for name in ("asyncssh", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"simulated boards need {' and '.join(missing)}", "pip install 'orch[sim]'"
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fleet.json").unlink(missing_ok=True)
    log = folder / "simulation.log"
    argv = [
        *(sys.executable, "-m", "containers.board_sim.serve", "--root", str(folder)),
        *("--make-key", str(folder / "client_key")),
        *("--authorized-key", str(folder / "client_key.pub")),
        *(part for name in names for part in ("--name", name)),
        *(("--stop-with-parent",) if leashed else ()),
        *(scripting.argv() if scripting else ()),
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if leashed else subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < end and process.poll() is None:
        if fleet := find_simulation(folder):
            return replace(fleet, leash=process.stdin)
        time.sleep(_POLL_S)
    process.kill()
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    raise OrchError(f"the simulated boards did not start: {tail[0]}", f"the whole log: {log}")


def stop_simulation(folder: Path) -> bool:
    """Stop the simulation of a folder and wait for its end; False when none runs."""
    fleet = find_simulation(folder)
    if fleet is None:
        return False
    os.kill(fleet.pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_DEADLINE_S
    while find_simulation(folder) is not None:
        if time.monotonic() > end:
            os.kill(fleet.pid, signal.SIGKILL)
        time.sleep(_POLL_S)
    return True


@contextmanager
def simulated(
    folder: Path, boards: Sequence[Board], progress: Progress
) -> Iterator[tuple[Board, ...]]:
    """Give the boards with the addresses of the simulation, started for the while if need be.

    One command at a time has them: they share the cores of this machine. Boards that are not
    simulated come back as they are.
    """
    names = [board.name for board in boards if board.simulated]
    if not names:
        yield tuple(boards)
        return
    waiting = partial(progress.event, "sim", "another orch has the simulated boards; waiting")
    with hold(folder / "turn.lock", waiting), _running(folder, names) as fleet:
        yield tuple(_placed(board, fleet) if board.simulated else board for board in boards)


@contextmanager
def _running(folder: Path, names: Sequence[str]) -> Iterator[SimulatedFleet]:
    """Give the simulation that is up with these boards, or one that ends with the context."""
    running = find_simulation(folder)
    if running is not None and set(names) <= set(running.boards):
        yield running
        return
    stop_simulation(folder)
    started = start_simulation(folder, names, leashed=True)
    try:
        yield started
    finally:
        stop_simulation(folder)
        if started.leash is not None:
            started.leash.close()


def _placed(board: Board, fleet: SimulatedFleet) -> Board:
    found = fleet.boards[board.name]
    return replace(
        board,
        host=found.host,
        port=found.port,
        host_keys=found.host_keys,
        identity_file=found.identity_file,
    )
