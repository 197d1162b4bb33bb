"""Do verdicts tell what boards went through? Hundreds of scripted ones, by the agent's own code.

    python benchmarks/verdicts.py [seeds per kind, 30]

Each trace is a kind and a seed (containers/board_sim/traces.py), with the truth that has to be
found. Time is simulated, so what is printed is the same on every machine.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.traced_runs import Lived, TracedBoard, scripts
from orchestrator.verdicts import SEVERITY

SEEDS = 30
MAX_CLEAN_DOUBTED = 0.02


def confusion(lived: list[Lived]) -> list[str]:
    """Give the table: what is true down, what was found across."""
    found = Counter((one.script.kind, one.truth, one.judged.verdict) for one in lived)
    kinds = {one.script.kind: one.truth for one in lived}
    lines = [f"{'trace':16}{'truth':12}" + "".join(f"{name:>11}" for name in SEVERITY)]
    lines += [
        f"{kind:16}{truth:12}"
        + "".join(f"{found[kind, truth, name] or '-':>11}" for name in SEVERITY)
        for kind, truth in sorted(kinds.items(), key=lambda item: SEVERITY.index(item[1]))
    ]
    return lines


def missed(lived: list[Lived]) -> list[Lived]:
    """Give the throttled and contended runs that were called VALID."""
    disturbed = {"THROTTLED", "CONTENDED"}
    return [one for one in lived if one.truth in disturbed and one.judged.verdict == "VALID"]


def doubted(lived: list[Lived]) -> list[Lived]:
    """Give the clean runs that were called anything else."""
    return [one for one in lived if one.truth == "VALID" and one.judged.verdict != "VALID"]


def main() -> int:
    each = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    with tempfile.TemporaryDirectory() as folder:
        board = TracedBoard(Path(folder))
        lived = [board.live(script) for script in scripts(each)]
    print("\n".join(confusion(lived)))
    clean = sum(one.truth == "VALID" for one in lived)
    wrong, lost = doubted(lived), missed(lived)
    right = sum(one.right for one in lived)
    print(f"\n{len(lived)} traces, {right} with the verdict that is true of them")
    print(f"throttled or contended, called VALID: {len(lost)} (goal: 0)")
    print(f"clean, called otherwise: {len(wrong)} of {clean} (goal: at most 2 %)")
    for one in lived:
        if not one.right:
            told = "; ".join(map(str, one.judged.evidence)) or "nothing against it"
            print(f"  {one.script}: {one.truth} was called {one.judged.verdict}: {told}")
    return 1 if lost or len(wrong) > MAX_CLEAN_DOUBTED * clean else 0


if __name__ == "__main__":
    raise SystemExit(main())
