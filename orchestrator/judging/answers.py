"""What boards say, against what they said before and what their peers say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from orchestrator.domain import Figures, Outcome, VerifySpec
from orchestrator.judging.paired import against_margin

#: Worst last.
_ORDER: tuple[Outcome, ...] = ("PASS", "INCONCLUSIVE", "FAIL")
#: A hash as it is shown.
_SHOWN = 12


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Give the worst of them; PASS for none."""
    return max(outcomes, key=_ORDER.index, default="PASS")


def judge_answers(
    tonight: Figures, before: Sequence[Figures], spec: VerifySpec
) -> tuple[Outcome, tuple[str, ...]]:
    """Say whether agreement and mIoU are no worse than they were, and why not.

    `before` are nights of the same board. The same answers to the bit are no worse.
    """
    told = [one for one in before if one.simulated == tonight.simulated]
    if tonight.output_sha256 and tonight.output_sha256 in {one.output_sha256 for one in told}:
        return "PASS", ()
    verdicts: list[Outcome] = []
    reasons: list[str] = []
    for label, value, held, earlier, most in (
        (
            "agreement",
            tonight.agreement,
            (tonight.agreement_low, tonight.agreement_high),
            [one.agreement for one in told],
            spec.max_agreement_loss,
        ),
        (
            "mIoU",
            tonight.miou,
            (tonight.miou_low, tonight.miou_high),
            [one.miou for one in told],
            spec.max_miou_loss,
        ),
    ):
        known = [one for one in earlier if one is not None]
        if value is None or not known:
            continue
        was = median(known)
        low, high = (value if one is None else one for one in held)
        verdict = "PASS" if value >= was else against_margin(was - high, was - low, most)
        verdicts.append(verdict)
        if verdict != "PASS":
            reasons.append(
                f"{label} {value:.4f} ({low:.4f} to {high:.4f}), was {was:.4f}: "
                f"may be {most:.4f} lower"
            )
    return worst(verdicts), tuple(reasons)


def odd_ones(tonight: Sequence[Figures]) -> Mapping[str, str]:
    """Name the boards that answer otherwise than most with the same release, chip and SDK."""
    groups: dict[tuple[str, str, str, bool], list[Figures]] = {}
    for one in tonight:
        if one.output_sha256:
            key = (one.release_id, one.chip, one.sdk, one.simulated)
            groups.setdefault(key, []).append(one)
    found: dict[str, str] = {}
    for members in groups.values():
        counts = Counter(one.output_sha256 for one in members)
        (common, many), *_ = counts.most_common(1)
        if 2 * many <= len(members):
            if len(counts) > 1:
                text = f"{len(counts)} different answers among {len(members)} alike boards"
                found |= {one.board: text for one in members}
            continue
        for one in members:
            if one.output_sha256 != common:
                found[one.board] = (
                    f"answers {one.output_sha256[:_SHOWN]}, {many} of {len(members)} boards with "
                    f"the same release, chip and SDK answer {common[:_SHOWN]}"
                )
    return found
