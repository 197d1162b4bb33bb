"""A report's figures, computed anew from the raw samples in the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain import Json, Night, RunRecord
from orchestrator.errors import ConfigError
from orchestrator.figures import figures_of
from orchestrator.hashing import as_json
from orchestrator.latency import latency_of, parts_of
from orchestrator.nights.asking import spec_of
from orchestrator.nights.ending import judge_from_ledger
from orchestrator.seams import Ledger

#: Figures are compared as far as JSON keeps them.
_EXACT = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a report that is not what the samples give; `path` is where it stands."""

    path: str
    reported: Json
    computed: Json


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What came of it.

    Attributes:
        figures: how many values were compared.
        pruned: rows whose samples were dropped: their figures cannot be computed anew.
    """

    figures: int
    differences: tuple[Difference, ...]
    pruned: tuple[str, ...]


def recompute(report: Mapping[str, Json], ledger: Ledger) -> Recomputed:
    """Compute every figure of a night's report anew. Raises ConfigError where it is none."""
    night, recipes = _night(report, ledger), _objects(report.get("recipes"))
    differences: list[Difference] = []
    pruned: list[str] = []
    count = 0
    for recipe in recipes:
        run_id = str(_object(recipe.get("run")).get("run_id"))
        run = ledger.run(run_id)
        if run is None:
            raise ConfigError(f"the ledger has no run {run_id!r}", "orch ledger check")
        computed, dropped = _computed(ledger, night, run)
        pruned += dropped
        for path, reported, found in _pairs(recipe, computed, f"recipes.{run.recipe}"):
            count += 1
            if not _same(reported, found):
                differences.append(Difference(path, reported, found))
    return Recomputed(count, tuple(differences), tuple(pruned))


def _night(report: Mapping[str, Json], ledger: Ledger) -> Night:
    night_id = _object(report.get("night")).get("night_id")
    if report.get("kind") != "night" or not isinstance(night_id, str):
        raise ConfigError("this is no report of a night", "report.json of reports/<night>/")
    if report.get("redacted") is True:
        raise ConfigError("a redacted report names no boards", "take the one that it was made of")
    night = ledger.night(night_id)
    if night is None:
        raise ConfigError(f"the ledger has no night {night_id!r}", "is it another ledger's?")
    return night


def _computed(ledger: Ledger, night: Night, run: RunRecord) -> tuple[dict[str, Json], list[str]]:
    """Give what a recipe's part of the report is by the samples, and whose samples are gone."""
    outcomes = ledger.outcomes(run.run_id)
    gone = {one.board for one in outcomes if one.measurement and not one.measurement.samples_ns}
    there = [one for one in outcomes if one.board not in gone]
    kept = {one.board: one for one in ledger.figures(run.run_id)}
    figures = {
        one.board: as_json(figures_of(run, one) if one.board not in gone else kept.get(one.board))
        for one in outcomes
    }
    gates = tuple(_broken(run))
    judged = judge_from_ledger(ledger, run, spec_of(night), gates)
    boards: dict[str, Json] = {
        one.board: {
            "latency": as_json(latency_of(one.measurement)),
            "parts_ms": as_json(parts_of(one.measurement)),
            "outcome": as_json(one),
        }
        for one in there
    }
    found: dict[str, Json] = {"judged": as_json(judged), "figures": figures, "boards": boards}
    return found, [f"{run.run_id}/{name}" for name in sorted(gone)]


def _broken(run: RunRecord) -> list[str]:
    """Give the recipe's gates that were broken: the recipe itself is not in the ledger."""
    judged = run.summary.get("broken_gates")
    return [str(one) for one in judged] if isinstance(judged, list) else []


def _pairs(
    recipe: Mapping[str, Json], computed: Mapping[str, Json], path: str
) -> Iterator[tuple[str, Json, Json]]:
    """Give every value of a recipe's part beside what it is computed to be."""
    yield from _leaves(recipe.get("judged"), computed["judged"], f"{path}.judged")
    figures, boards = _object(computed["figures"]), _object(computed["boards"])
    for one in _objects(recipe.get("figures")):
        name = str(one.get("board"))
        yield from _leaves(one, figures.get(name), f"{path}.figures.{name}")
    for one in _objects(recipe.get("boards")):
        name = str(_object(one.get("outcome")).get("board"))
        if name in boards:
            yield from _leaves(one, boards[name], f"{path}.boards.{name}")


def _leaves(reported: Json, computed: Json, path: str) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(reported, dict) and isinstance(computed, dict):
        for key in sorted({*reported, *computed}):
            yield from _leaves(reported.get(key), computed.get(key), f"{path}.{key}")
    elif (
        isinstance(reported, list) and isinstance(computed, list) and len(reported) == len(computed)
    ):
        for at, (one, other) in enumerate(zip(reported, computed, strict=True)):
            yield from _leaves(one, other, f"{path}.{at}")
    else:
        yield path, reported, computed


def _same(reported: Json, computed: Json) -> bool:
    if isinstance(reported, float | int) and isinstance(computed, float | int):
        return math.isclose(reported, computed, rel_tol=_EXACT, abs_tol=_EXACT)
    return reported == computed


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> Sequence[dict[str, Json]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
