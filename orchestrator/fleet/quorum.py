"""Whether boards that must give the same answers do, to the bit. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.boards.compatibility import pairing_of
from orchestrator.domain import BoardOutcome
from orchestrator.table import Summary

#: A hash as it is shown.
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Quorum:
    """Boards with one release and one software, and what they answered to the same inputs.

    Attributes:
        group: what they have in common, in words.
        answers: boards by the hash of their answers, the most frequent first.
    """

    group: str
    answers: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def majority(self) -> str | None:
        """The hash that more than half of the boards gave; None: there is none."""
        sha256, boards = self.answers[0]
        return sha256 if 2 * len(boards) > self.size else None

    @property
    def size(self) -> int:
        """How many boards it is about."""
        return sum(len(boards) for _, boards in self.answers)

    @property
    def odd(self) -> tuple[str, ...]:
        """The boards that differ from the majority; without one, none can be named."""
        if self.majority is None:
            return ()
        return tuple(sorted(name for _, boards in self.answers[1:] for name in boards))

    @property
    def brief(self) -> str:
        """Name the odd ones out; without a majority, all that differ."""
        if self.odd:
            return f"answers of its own: {', '.join(self.odd)}"
        names = sorted(name for _, boards in self.answers for name in boards)
        return f"different answers, no majority: {', '.join(names)}"

    @property
    def finding(self) -> str:
        """Who differs from whom, in words; empty: nobody does."""
        if len(self.answers) == 1:
            return ""
        if self.majority is None:
            sides = "; ".join(f"{shown(sha)} by {' '.join(names)}" for sha, names in self.answers)
            return (
                f"the {self.size} boards with {self.group} give different answers to the same "
                f"inputs, and no answer has a majority: {sides}"
            )
        many = len(self.answers[0][1])
        others = "; ".join(
            f"{' '.join(names)} gives {shown(sha)}" for sha, names in self.answers[1:]
        )
        return (
            f"{others}: not what {many} of {self.size} boards with {self.group} answer to the same "
            f"inputs, {shown(self.majority)}"
        )


def with_quorums(summary: Summary, found: Iterable[Quorum]) -> Summary:
    """Make boards that differ where they must not a gate that failed, and say so."""
    parted = [one for one in found if one.finding]
    return replace(
        summary,
        sentence="; ".join([summary.sentence, *(one.brief for one in parted)]),
        failed_gates=(*summary.failed_gates, *(one.finding for one in parted)),
    )


def shown(sha256: str) -> str:
    """Give the beginning of a hash, for people."""
    return sha256[:_SHOWN]


def quorums(outcomes: Iterable[BoardOutcome], pulsar2_version: str) -> tuple[Quorum, ...]:
    """Group the boards that must agree, by release, chip, SDK and engine; those alone are left out.

    Simulated boards and genuine ones are not held against each other.
    """
    groups: dict[str, list[BoardOutcome]] = {}
    for one in outcomes:
        if one.output_sha256:
            groups.setdefault(_group(one, pulsar2_version), []).append(one)
    return tuple(
        Quorum(name, _by_answer(members))
        for name, members in sorted(groups.items())
        if len(members) > 1
    )


def _by_answer(members: Sequence[BoardOutcome]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    counts = Counter(one.output_sha256 for one in members)
    ordered = sorted(counts, key=lambda sha256: (-counts[sha256], sha256))
    return tuple(
        (sha256, tuple(sorted(one.board for one in members if one.output_sha256 == sha256)))
        for sha256 in ordered
    )


def _group(outcome: BoardOutcome, pulsar2_version: str) -> str:
    """Name what decides a board's answers, as far as the board tells it."""
    runtime = {} if outcome.measurement is None else outcome.measurement.runtime
    pairing = pairing_of(pulsar2_version, outcome.facts, runtime)
    release = None if outcome.delivery is None else outcome.delivery.release_id
    told = {
        "release": release,
        "chip": outcome.facts.get("chip_type"),
        "SDK": pairing.sdk_version,
        "engine": pairing.engine_version,
    }
    words = [f"{name} {value}" for name, value in told.items() if value]
    return ", ".join(words or ["nothing known"]) + (" (simulated)" if outcome.simulated else "")
