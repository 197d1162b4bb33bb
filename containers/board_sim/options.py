"""What the command line of a simulated fleet asks for."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from containers.board_sim.profiles import FAULTS, IN_TURN, PROFILES, Fault

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class BoardPlan:
    """One board to be served."""

    name: str
    profile: str
    faults: frozenset[Fault]
    root: Path
    port: int


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
    return [
        BoardPlan(
            name=name,
            profile=profiles[index % len(profiles)],
            faults=frozenset(faults.get(name, ())),
            root=options.root / "boards" / name,
            port=options.port + index if options.port else 0,
        )
        for index, name in enumerate(names)
    ]


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
    parser.add_argument("--stop-with-parent", action="store_true", help="end with stdin")
    return parser
