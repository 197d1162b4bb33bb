"""What the command line of a simulated fleet asks for."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from containers.board_sim.profiles import AXENGINE_BUILDS, FAULTS, IN_TURN, PROFILES, Fault
from containers.board_sim.replaying import Script
from containers.board_sim.traces import KINDS, Kind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """One board to be served."""

    name: str
    profile: str
    faults: frozenset[Fault]
    root: Path
    port: int
    axengine: str | None
    script: Script | None


def plan_boards(options: argparse.Namespace) -> list[BoardPlan]:
    """Lay out the fleet, with the profiles in turn. Raises ValueError."""
    names = options.name or [f"sim-{number:02d}" for number in range(1, options.boards + 1)]
    if not names:
        raise ValueError(f"--boards {options.boards}: there must be at least one")
    if len(set(names)) < len(names):
        raise ValueError(f"two boards of one name: {', '.join(names)}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a board: letters, digits, '.', '_' and '-'")
    faults: dict[str, set[Fault]] = {}
    for name, fault in [*options.fault, *((name, "no-sftp") for name in options.no_sftp)]:
        faults.setdefault(name, set()).add(fault)
    if unknown := sorted(faults.keys() - set(names)):
        raise ValueError(f"fault for {', '.join(unknown)}: the boards are {', '.join(names)}")
    profiles = options.profile or IN_TURN
    scripts = _plan_scripts(options, names)
    return [
        BoardPlan(
            name=name,
            profile=profiles[index % len(profiles)],
            faults=frozenset(faults.get(name, ())),
            root=options.root / "boards" / name,
            port=options.port + index if options.port else 0,
            axengine=options.axengine,
            script=scripts.get(name),
        )
        for index, name in enumerate(names)
    ]


def _plan_scripts(options: argparse.Namespace, names: list[str]) -> dict[str, Script]:
    """Lay out the traces; each board has a seed of its own. Raises ValueError."""
    kinds: dict[str, Kind] = {}
    for name, kind in options.trace:
        kinds |= {name: kind} if name else dict.fromkeys(names, kind)
    if unknown := sorted(kinds.keys() - set(names)):
        raise ValueError(f"trace for {', '.join(unknown)}: the boards are {', '.join(names)}")
    if options.base_ms <= 0 or options.span_s < 0 or options.times < 0:
        raise ValueError("--base-ms is above 0, --span-s and --times are 0 or more")
    return {
        name: Script(kind, options.seed + at, options.base_ms, options.span_s, options.times)
        for at, name in enumerate(names)
        if (kind := kinds.get(name))
    }


def _trace(text: str) -> tuple[str, Kind]:
    name, _, asked = text.rpartition("=")
    for kind in KINDS:
        if asked == kind:
            return name, kind
    raise argparse.ArgumentTypeError(f"{text!r}: write [BOARD=]KIND, with one of {list(KINDS)}")


def _fault(text: str) -> tuple[str, Fault]:
    name, _, fault = text.partition("=")
    for known in get_args(Fault):
        if fault == known:
            return name, known
    raise argparse.ArgumentTypeError(f"{text!r}: write BOARD=FAULT, with one of {list(FAULTS)}")


def make_parser() -> argparse.ArgumentParser:
    """The command line of the program."""
    parser = argparse.ArgumentParser(prog="board_sim", description="Serve simulated AX650N boards.")
    parser.add_argument("--root", type=Path, required=True, help="folder of the fleet")
    parser.add_argument("--boards", type=int, default=4, help="sim-01 to sim-N (default 4)")
    parser.add_argument("--name", action="append", help="boards with these names instead")
    parser.add_argument("--authorized-key", type=Path, help="public keys that may log in")
    parser.add_argument("--make-key", type=Path, help="client key pair, made if it is missing")
    parser.add_argument("--user", action="append", help="user who may log in (default root)")
    parser.add_argument("--port", type=int, default=0, help="of the first board; 0: free ports")
    parser.add_argument("--profile", action="append", choices=list(PROFILES), help="in turn")
    parser.add_argument("--no-sftp", action="append", default=[], metavar="BOARD")
    parser.add_argument("--fault", action="append", default=[], type=_fault, metavar="BOARD=FAULT")
    parser.add_argument("--axengine", choices=AXENGINE_BUILDS, help="whose quirks")
    traces = parser.add_argument_group("scripted boards: simulated time instead of the CPU's")
    traces.add_argument("--trace", action="append", default=[], type=_trace, metavar="[BOARD=]KIND")
    traces.add_argument("--seed", type=int, default=0, help="of the first board; then one more")
    traces.add_argument("--base-ms", type=float, default=20.0, help="a call on a good board")
    traces.add_argument("--span-s", type=float, default=0.0, help="0: by the latency")
    traces.add_argument("--times", type=int, default=0, help="runs that go through it; 0: all")
    parser.add_argument("--stop-with-parent", action="store_true", help="end with stdin")
    return parser
