"""How long orch takes to start: its own commands beside a bare Python and a peer, in one run.

    python benchmarks/cli_startup.py

The programs take turns, so that whatever else the machine does falls on all of them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROUNDS = 15
TARGET_S = 0.25
#: The commands that have to meet the target.
OURS = ("orch --help", "orch version")


def commands(programs: Path) -> dict[str, list[str]]:
    """What is timed, by name; a peer only where it is installed beside this Python."""
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "orch --help": [str(programs / "orch"), "--help"],
        "orch version": [str(programs / "orch"), "version"],
    }
    fab = programs / "fab"
    if fab.exists():
        found["fab --version"] = [str(fab), "--version"]
    return found


def time_once(argv: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measure(timed: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, by name. One round before them fills the caches and is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(rounds + 1):
        for name, argv in timed.items():
            took = time_once(argv)
            if number > 0:
                seconds[name].append(took)
    return seconds


def table(seconds: Mapping[str, Sequence[float]]) -> str:
    """The result as Markdown, ready for docs/reference/benchmarks.md."""
    lines = [
        "| command | median s | min s | max s | target s |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, runs in seconds.items():
        target = f"{TARGET_S:.2f}" if name in OURS else "-"
        figures = (statistics.median(runs), min(runs), max(runs))
        lines.append(f"| `{name}` | {' | '.join(f'{one:.3f}' for one in figures)} | {target} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table; 1 when a median of ours is above the target."""
    seconds = measure(commands(Path(sys.executable).parent), ROUNDS)
    print(table(seconds))
    slow = [name for name in OURS if statistics.median(seconds[name]) > TARGET_S]
    verdict = f"above the target: {', '.join(slow)}" if slow else "all of ours meet the target"
    print(f"\n{ROUNDS} runs each, Python {sys.version.split()[0]}: {verdict}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
