"""A night as JSON: everything that the other formats are made of, but for the nights before."""

from __future__ import annotations

from orchestrator.domain import Json, Link, NightReport, RecipeReport
from orchestrator.hashing import as_json
from orchestrator.latency import latency_of, parts_of

#: Raised by one with every change that a reader could stumble over; the schema is published as
#: docs/reference/report.schema.json.
NIGHT_VERSION = 1


def night_json(report: NightReport, head: Link | None = None) -> dict[str, Json]:
    """Give a night as plain values: samples in ns, figures in ms, changes as shares.

    `head` is the newest link of the ledger's chain when the report is written.
    """
    return {
        "version": NIGHT_VERSION,
        "kind": "night",
        "redacted": report.redacted,
        "night": as_json(report.night),
        "recipes": [_recipe(one) for one in report.recipes],
        "next_steps": list(report.next_steps),
        "chain": as_json(head),
    }


def _recipe(one: RecipeReport) -> dict[str, Json]:
    return {
        "run": as_json(one.run),
        "judged": as_json(one.judged),
        "figures": as_json(one.figures),
        "boards": [
            {
                "latency": as_json(latency_of(outcome.measurement)),
                "parts_ms": as_json(parts_of(outcome.measurement) if outcome.measurement else None),
                "outcome": as_json(outcome),
            }
            for outcome in one.outcomes
        ],
        "trend": as_json(one.trend),
        "commands": dict(one.commands),
    }
