"""Draw faults over a fleet of boards in containers, and look at their disks after each.

    python benchmarks/chaos.py --seed 1 --faults 1000

Rounds: a deploy begins, something goes wrong with every board and with orch itself, each at a
moment of its own; what went wrong is mended, the disks are looked at, the same command runs until
it is through, and the disks are looked at again. Needs root (tc, iptables) and the images of
scripts/build-images. Exits 1 when a board was ever found torn, or did not converge.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from containers.board_sim.board_clock import CLOCK
from containers.faults import link
from containers.faults.boards import Order, board, board_network
from containers.faults.disk import held_leases, leftovers, not_converged, read_disk, violations
from containers.faults.engine import docker
from containers.faults.mischief import DISKS, MISCHIEF, Victim
from containers.faults.yard import Yard, end

DISK = "16m"
LONGEST_S = 6.0  # a fault is mended after this at most, so that a round ends
TRIES = 4  # of the same command, after the faults
#: Read again so often, for a disk that is read while it changes looks torn.
READINGS = 3
ORCH_FAULTS = ("orch killed", "orch stopped", "orch interrupted", "second orch")


@dataclass(slots=True)
class Tally:
    """What was done and what was seen."""

    faults: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    leftovers: int = 0
    deploys: int = 0
    torn: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Boards with disks of their own, and the folder that orch runs in."""

    yard: Yard
    victims: tuple[Victim, ...]
    chance: random.Random
    tally: Tally


@contextmanager
def make_fleet(folder: Path, count: int, seed: int) -> Iterator[Fleet]:
    """Start the boards and what keeps their disks; everything goes with the context."""
    mark = os.urandom(3).hex()
    names = [f"orch-chaos-{mark}-{number}" for number in range(1, count + 1)]
    keeper = f"orch-chaos-{mark}-keeper"
    with ExitStack() as stack:
        network = stack.enter_context(board_network())
        mounts: list[str] = []
        for name in names:
            size = ("--opt", f"o=size={DISK}")
            docker("volume", "create", "--opt", "type=tmpfs", "--opt", "device=tmpfs", *size, name)
            stack.callback(docker, "volume", "rm", name)
            mounts += ["--volume", f"{name}:{DISKS}/{name}"]
        argv = ("run", "--detach", "--init", "--name", keeper, *mounts, "orch/board-sim:debian12")
        docker(*argv, "sleep", "infinity")
        stack.callback(docker, "rm", "--force", keeper)
        victims = []
        for number, name in enumerate(names):
            mount = ("--volume", f"{name}:/root/.orch")
            order = Order(
                name, "debian12", ("clock-1970",), network, network.address(number + 2), None, mount
            )
            started = stack.enter_context(board(order, folder / "keys"))
            docker("exec", name, "sh", "-c", f"echo +0 >{CLOCK}")
            victims.append(Victim(started, network, keeper))
        yard = Yard(folder)
        yard.list_boards([victim.board for victim in victims])
        yield Fleet(yard, tuple(victims), random.Random(seed), Tally())  # noqa: S311 - to be repeated


def play_round(fleet: Fleet, number: int, most: int, usual_s: float) -> None:
    """One deploy with at most so many faults; then everything is mended and has to converge."""
    recipe = ("one", "two")[number % 2]
    victims = [victim for victim in fleet.victims if fleet.chance.random() < 0.9][: max(1, most)]  # noqa: PLR2004
    for victim in victims:
        if fleet.chance.random() < 0.5:  # noqa: PLR2004 - a coin
            victim.wipe()
    host_fault = fleet.chance.choice(ORCH_FAULTS) if most > len(victims) else ""
    deeds = [
        (victim, fleet.chance.choice(list(MISCHIEF)), *_moment(fleet.chance, usual_s))
        for victim in victims
    ]
    at_s = fleet.chance.uniform(0.3, usual_s)
    process = fleet.yard.start_deploy(recipe)
    with ThreadPoolExecutor(len(deeds) or 1) as pool:
        doing = [pool.submit(_do, fleet.tally, *deed) for deed in deeds]
        stopped = _disturb(fleet, process, host_fault, at_s, recipe) if host_fault else False
    for one in doing:
        one.result()  # what a fault itself could not do ends it all
    if not stopped:
        end(process)
    look(fleet, f"round {number}")
    converge(fleet, recipe, number)
    if stopped:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
        end(process)
        look(fleet, f"round {number}, after the stopped orch went on")
        converge(fleet, recipe, number)


def _moment(chance: random.Random, usual_s: float) -> tuple[float, float]:
    """When a fault begins, and how long it lasts, in s."""
    return chance.uniform(0.2, usual_s), chance.uniform(0.2, LONGEST_S)


def _do(tally: Tally, victim: Victim, name: str, begins_s: float, lasts_s: float) -> None:
    do, undo = MISCHIEF[name]
    time.sleep(begins_s)
    do(victim)
    tally.faults[name] += 1
    time.sleep(lasts_s)
    undo(victim)


def _disturb(
    fleet: Fleet, process: subprocess.Popen[str], fault: str, at_s: float, recipe: str
) -> bool:
    """Do something to orch itself; True when it stands still and is to go on later."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(at_s)
        return False  # it was through before
    fleet.tally.faults[fault] += 1
    if fault == "second orch":
        other = "two" if recipe == "one" else "one"
        end(fleet.yard.start_deploy(other))
        return False
    number = {
        "orch killed": signal.SIGKILL,
        "orch stopped": signal.SIGSTOP,
        "orch interrupted": signal.SIGINT,
    }[fault]
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    return fault == "orch stopped"


def look(fleet: Fleet, when: str) -> None:
    """Read every disk and note what is torn."""
    for victim in fleet.victims:
        found: list[str] = []
        for _ in range(READINGS):
            disk = read_disk(victim.keeper, victim.disk)
            fleet.tally.readings += 1
            found = violations(disk)
            if not found:
                break
            time.sleep(0.5)
        fleet.tally.torn += [f"{when}: {victim.name}: {one}" for one in found]
        fleet.tally.leftovers += len(leftovers(disk)) + len(held_leases(disk))


def converge(fleet: Fleet, recipe: str, number: int) -> None:
    """Run the same command until it is through, and hold the disks against what it says."""
    done = fleet.yard.converge(recipe, TRIES)
    fleet.tally.deploys += done.deploys
    report = done.report
    if report is None or not done.through:
        why = report.errors() if report else "no report"
        fleet.tally.lost.append(f"round {number}: not through after {TRIES} tries: {why}")
        return
    for victim in fleet.victims:
        disk = read_disk(victim.keeper, victim.disk)
        found = not_converged(disk, report.release_id)
        fleet.tally.lost += [f"round {number}: {victim.name}: {one}" for one in found]


def warm_up(fleet: Fleet) -> float:
    """Deploy both releases once, so that they are built; give what the second took, in s."""
    took = 0.0
    for recipe in ("one", "two"):
        begin = time.monotonic()
        report = fleet.yard.deploy(recipe)
        took = time.monotonic() - begin
        if report.code != 0:
            raise SystemExit(f"chaos: nothing is wrong yet, and: {report.errors()}\n{report.said}")
    return took


def table(tally: Tally, seed: int) -> str:
    """The result as Markdown."""
    rows = [f"| {name} | {count} |" for name, count in sorted(tally.faults.items())]
    sums = (
        f"seed {seed}: {tally.faults.total()} faults, {tally.readings} disks read, torn = "
        f"{len(tally.torn)}, not converged = {len(tally.lost)}; {tally.deploys} deploys to "
        f"converge, {tally.leftovers} leftovers seen"
    )
    return "\n".join(["| fault | times |", "| --- | ---: |", *rows, "", sums])


def main(argv: Sequence[str] | None = None) -> int:
    """Print what was done and seen; 1 when anything was torn or lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--boards", type=int, default=4)
    parser.add_argument("--built", type=Path, help="folder whose .orch has the releases already")
    options = parser.parse_args(argv)
    if reason := link.missing():
        parser.error(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the containers go
    with (
        tempfile.TemporaryDirectory(prefix="orch-chaos-") as folder,
        make_fleet(Path(folder), options.boards, options.seed) as fleet,
    ):
        if options.built:
            shutil.copytree(options.built / ".orch", Path(folder) / ".orch")
        usual_s = warm_up(fleet)
        number = 0
        while (left := options.faults - fleet.tally.faults.total()) > 0:
            play_round(fleet, number, left, usual_s)
            number += 1
            print(f"round {number}: {fleet.tally.faults.total()} faults", file=sys.stderr)
    print(table(fleet.tally, options.seed))
    for line in (*fleet.tally.torn, *fleet.tally.lost):
        print(line)
    return 1 if fleet.tally.torn or fleet.tally.lost else 0


if __name__ == "__main__":
    sys.exit(main())
