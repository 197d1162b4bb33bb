"""A hash chain over what is written down: a changed row is found, and named. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

from orchestrator.domain import BoardOutcome, Figures, Json, Link, Measurement, Night, RunRecord
from orchestrator.hashing import as_json, sha256_json

#: What a chain begins with.
BEGINNING = ""


def next_link(before: Link | None, kind: str, subject: str, content: str, at: str) -> Link:
    """Give the link after another one; None: it is the first."""
    number, last = (1, BEGINNING) if before is None else (before.number + 1, before.sha256)
    link = Link(number, kind, subject, content, last, "", at)
    return replace(link, sha256=_sha256(link))


def faults(links: Iterable[Link]) -> list[str]:
    """Say of each link, in order, what does not fit it: its own hash, its place, the one before."""
    found: list[str] = []
    last: Link | None = None
    for link in links:
        name = f"link {link.number} ({link.kind} {link.subject})"
        expected = 1 if last is None else last.number + 1
        if link.number != expected:
            found.append(f"{name}: link {expected} is missing before it")
        elif link.before != (BEGINNING if last is None else last.sha256):
            found.append(f"{name}: it does not follow the link before it")
        if link.sha256 != _sha256(link):
            found.append(f"{name}: it was changed")
        last = link
    return found


def content_of_outcome(outcome: BoardOutcome, figures: Figures | None) -> str:
    """Name what a board's row says, its samples and its figures among it."""
    return sha256_json(
        {
            "outcome": as_json(outcome),
            "samples": None if outcome.measurement is None else _samples(outcome.measurement),
            "figures": as_json(figures),
        }
    )


def content_of_run(run: RunRecord) -> str:
    """Name what a run's row says."""
    return sha256_json(as_json(run))


def content_of_night(night: Night, judged: Json) -> str:
    """Name what a night's row says, and what was judged in it."""
    return sha256_json({"night": as_json(night), "judged": judged})


def _samples(measurement: Measurement) -> str:
    return sha256_json(list(measurement.samples_ns))


def _sha256(link: Link) -> str:
    said = {key: value for key, value in asdict(link).items() if key != "sha256"}
    return sha256_json(said)
