"""What to do about a night. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.domain import Night, RecipeJudged

#: More lines than these are not read.
_MOST = 5


def next_steps(night: Night, judged: Sequence[RecipeJudged]) -> tuple[str, ...]:
    """Give what to do now, a line each, the most pressing first."""
    found: list[str] = []
    fleet = night.fleet
    if night.failed_boards:
        names = ",".join(sorted(night.failed_boards))
        found.append(f"see why they failed: orch fleet check --fleet {fleet} --limit '{names}'")
    for one in judged:
        found += _of_recipe(one, fleet)
    return tuple(dict.fromkeys(found))[:_MOST]


def _of_recipe(one: RecipeJudged, fleet: str) -> list[str]:
    found = []
    recipe = f"--recipe {one.recipe}"
    subjects = {finding.subject: finding for finding in one.findings if finding.fails}
    odd = [f for f in one.findings if f.subject == "accuracy" and f.fails]
    for finding in odd[:1]:
        board = finding.boards[0]
        found.append(
            f"find the first tensor in which {board} differs: "
            f"orch diverge --fleet {fleet} {recipe} --limit {board}"
        )
    if "fleet" in subjects:
        found.append(f"see both nights side by side: orch compare baseline {one.run_id}")
        found.append(
            f"if that is how it is to be: orch baseline set {one.run_id}, and later nights are "
            "compared with it"
        )
    for finding in [f for f in one.findings if f.subject == "board"][:2]:
        board = finding.boards[0]
        found.append(
            f"measure {board} again when it is cool: orch run --fleet {fleet} {recipe} "
            f"--limit {board} --until-valid 3"
        )
    waiting = [b.board for b in one.boards if b.effect is not None and not b.noise_known]
    if waiting and one.verdict == "INCONCLUSIVE":
        found.append("wait: how much nights differ by themselves is known from the fourth night on")
    unsure = [
        b.board
        for b in one.boards
        if b.verdict == "INCONCLUSIVE" and b.effect is not None and b.noise_known
    ]
    if unsure and not found:
        names = ",".join(unsure[:3])
        found.append(
            f"more rounds would tell: orch verify --fleet {fleet} {recipe} --rounds 10 "
            f"--limit '{names}'"
        )
    return found
