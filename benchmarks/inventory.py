"""How long a large inventory takes: read, filtered, listed by the command.

    python benchmarks/inventory.py [BOARDS]

Each board is an entry of its own, which is the slow case; a range of as many stands beside it.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.inventory import load_inventory
from orchestrator.selection import select

BOARDS = 500
ROUNDS = 5
TARGET_S = 1.5
EXPRESSION = "site=s3 and npu3 and not ax650-*7"


def entries(count: int) -> str:
    """An inventory with one entry for each board, in ten sites."""
    lines = [
        f"  ax650-{number:04d}: {{host: 10.{number // 62500}.{number // 250 % 250}.{number % 250}, "
        f"site: s{number % 10}, tags: [npu{number % 4}, rack{number % 40}]}}"
        for number in range(count)
    ]
    names = ", ".join(f"ax650-{number:04d}" for number in range(count))
    return "boards:\n" + "\n".join(lines) + f"\nfleets:\n  all: {{boards: [{names}]}}\n"


def one_range(count: int) -> str:
    """The same number of boards in one range."""
    numbers = f"[{0:05d}-{count - 1:05d}]"
    board = f'  ax650-{numbers}: {{host: "h{numbers}", site: s3, tags: [npu3]}}'
    return f'boards:\n{board}\nfleets:\n  all: {{boards: "*"}}\n'


@dataclass(frozen=True)
class Taken:
    """Medians: by the clock, and of the processor, which others on the machine do not touch."""

    wall_s: float
    cpu_s: float


def cpu_s() -> float:
    """Processor seconds of this process and of those it has waited for."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def taken(work: Callable[[], object]) -> Taken:
    """Medians of ROUNDS runs; one before them fills the caches and is not counted."""
    walls, cpus = [], []
    for _ in range(ROUNDS + 1):
        wall, cpu = time.perf_counter(), cpu_s()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(cpu_s() - cpu)
    return Taken(statistics.median(walls[1:]), statistics.median(cpus[1:]))


def measure(path: Path) -> list[tuple[str, Taken]]:
    """What is timed, and how long it took."""
    boards = tuple(load_inventory(path).boards.values())
    orch = str(Path(sys.executable).parent / "orch")
    listed = [orch, "fleet", "list", "-i", str(path)]
    limited = [*listed, "--limit", "site=s3 and npu3"]

    def run(argv: list[str]) -> None:
        subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)

    return [
        ("read", taken(lambda: load_inventory(path))),
        ("filter", taken(lambda: select(boards, EXPRESSION))),
        ("orch fleet list", taken(lambda: run(listed))),
        ("orch fleet list --limit", taken(lambda: run(limited))),
    ]


def main() -> int:
    """Print the table; 1 when a command takes more of the processor than the target."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else BOARDS
    worst = 0.0
    print(f"| {count} boards | written as | median s | median CPU s |\n| --- | --- | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for kind, text in (("entries", entries(count)), ("one range", one_range(count))):
            path = Path(folder) / "inventory.yaml"
            path.write_text(text)
            for name, one in measure(path):
                print(f"| {name} | {kind} | {one.wall_s:.3f} | {one.cpu_s:.3f} |")
                worst = max(worst, one.cpu_s)
    verdict = "met" if worst <= TARGET_S else "missed"
    print(f"\n{ROUNDS} runs each, Python {sys.version.split()[0]}: {TARGET_S} CPU s are {verdict}")
    return 0 if worst <= TARGET_S else 1


if __name__ == "__main__":
    sys.exit(main())
