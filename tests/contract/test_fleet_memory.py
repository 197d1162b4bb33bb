"""What every ledger must remember of a fleet. In every kind of database."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.domain import (
    BoardOutcome,
    CompatibilityFact,
    Health,
    Judged,
    LastRun,
    Measurement,
    Pairing,
    RunRecord,
    Sighting,
    Verdict,
)
from orchestrator.seams import Ledger

#: The tables that the third schema brought.
NEW_TABLES = ("plans", "healths", "sightings", "compatibility")
FACT = CompatibilityFact(
    Pairing("5.2", "V3.6.2", None, "a" * 64, simulated=False), "rel-1", "b1", "REJECTED", "t1"
)


def start(ledger: Ledger, number: int, recipe: str = "small") -> str:
    started = f"2025-01-{number:02d}T00:00:00+00:00"
    ledger.start_run(RunRecord(f"r{number}", "deploy", "lab", recipe, started, None, None, {}))
    return f"r{number}"


def outcome(
    board: str, p50_ns: int = 5, *, verdict: Verdict = "VALID", error_code: str = ""
) -> BoardOutcome:
    measured = Measurement(board, 1, 1, (), (p50_ns,), {}, {}, {})
    judged = Judged(verdict)
    return BoardOutcome(board, True, {}, None, measured, judged, error_code=error_code)


def test_a_plan_comes_back_and_a_second_one_replaces_it(ledger: Ledger) -> None:
    assert ledger.plan("r1") is None
    ledger.record_plan("r1", {"boards": ["b1"], "deep": {"a": None}})
    assert ledger.plan("r1") == {"boards": ["b1"], "deep": {"a": None}}

    ledger.record_plan("r1", {})

    assert ledger.plan("r1") == {}
    assert ledger.plan("r2") is None


def test_the_last_health_of_each_board_is_kept(ledger: Ledger) -> None:
    out = Health("b1", 3, "t0", "UNREACHABLE", "b1: ä", "t2", "t3", "t2")
    ledger.record_health(Health("b1", 2, "t0", "TIMEOUT", "x", None, None, "t1"))
    ledger.record_health(Health("b2", checked_at="t1"))
    ledger.record_health(out)

    assert ledger.healths() == {"b1": out, "b2": Health("b2", checked_at="t1")}


def test_the_last_sighting_of_each_board_is_kept_with_its_uid(ledger: Ledger) -> None:
    assert ledger.board_uids() == {}
    ledger.record_sighting(Sighting("b1", "0x1", "rel-1", None, "t1"))
    ledger.record_sighting(Sighting("b2", None, None, None, "t1"))
    ledger.record_sighting(Sighting("b1", "0x2", "rel-2", "rel-1", "t2"))

    assert ledger.sightings()["b1"] == Sighting("b1", "0x2", "rel-2", "rel-1", "t2")
    assert ledger.board_uids() == {"b1": "0x2"}


def test_the_same_fact_seen_again_adds_up(ledger: Ledger) -> None:
    ledger.record_compatibility(FACT)
    ledger.record_compatibility(replace(FACT, at="t2", count=4))

    assert ledger.compatibility("5.2") == [replace(FACT, at="t2", count=5)]


@pytest.mark.parametrize(
    "other",
    [
        replace(FACT, outcome="LOADED", at="t0"),
        replace(FACT, board="b2", at="t0"),
        replace(FACT, release_id="rel-2", at="t0"),
        replace(FACT, pairing=replace(FACT.pairing, sdk_version=None), at="t0"),
        replace(FACT, pairing=replace(FACT.pairing, engine_version="2.12.0s"), at="t0"),
        replace(FACT, pairing=replace(FACT.pairing, simulated=True), at="t0"),
    ],
)
def test_facts_that_differ_stay_apart_the_newest_first(
    ledger: Ledger, other: CompatibilityFact
) -> None:
    for fact in (FACT, other, other):
        ledger.record_compatibility(fact)

    assert ledger.compatibility("5.2") == [FACT, replace(other, count=2)]
    assert ledger.compatibility("5.1") == []


def test_many_threads_add_to_one_fact(ledger: Ledger) -> None:
    together = threading.Barrier(8)

    def write() -> None:
        together.wait()
        for _ in range(5):
            ledger.record_compatibility(FACT)

    ledger.record_compatibility(FACT)
    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [fact.count for fact in ledger.compatibility("5.2")] == [41]


def test_the_baseline_is_the_newest_good_outcome_of_the_recipe_before_the_run(
    ledger: Ledger,
) -> None:
    for number in (1, 2, 4, 5):
        start(ledger, number)
    start(ledger, 3, recipe="other")
    ledger.record_outcome("r1", outcome("b1", 11))
    ledger.record_outcome("r1", outcome("b2", 12))
    ledger.record_outcome("r2", outcome("b1", 21, verdict="NOISY"))
    ledger.record_outcome("r2", outcome("b2", 22, error_code="TIMEOUT"))
    ledger.record_outcome("r2", replace(outcome("b3"), measurement=None, judged=None))
    ledger.record_outcome("r3", outcome("b1", 31))
    ledger.record_outcome("r4", outcome("b1", 41, verdict="THROTTLED"))
    ledger.record_outcome("r5", outcome("b1", 51))

    found = ledger.last_outcomes(["b1", "b2", "b3"], "small", "r4")

    assert {name: one.measurement for name, one in found.items()} == {
        "b1": outcome("b1", 21).measurement,
        "b2": outcome("b2", 12).measurement,
    }
    assert set(ledger.last_outcomes(["b2"], "small", "r4")) == {"b2"}


def test_a_run_that_the_ledger_does_not_know_is_compared_with_all(ledger: Ledger) -> None:
    start(ledger, 1)
    ledger.record_outcome("r1", outcome("b1"))

    assert ledger.last_outcomes(["b1"], "small", "new") == {"b1": outcome("b1")}
    assert ledger.last_outcomes(["b1"], "small", "r1") == {}


def test_the_last_run_of_each_board_says_how_it_ended(ledger: Ledger) -> None:
    for number in (1, 2):
        start(ledger, number)
    ledger.record_outcome("r2", outcome("b1", error_code="UNREACHABLE"))
    ledger.record_outcome("r1", outcome("b1"))
    ledger.record_outcome("r1", outcome("b2"))

    assert ledger.last_runs(["b1", "b2", "b3"]) == {
        "b1": LastRun("b1", "r2", "2025-01-02T00:00:00+00:00", "UNREACHABLE"),
        "b2": LastRun("b2", "r1", "2025-01-01T00:00:00+00:00", ""),
    }
    assert ledger.last_runs([]) == {}


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_ledger_gets_the_tables_and_keeps_what_it_holds(
    tmp_path: Path, version: int
) -> None:
    url = f"sqlite:///{tmp_path / 'orch.db'}"
    old = SqlLedger(url)
    old.record_outcome(start(old, 1), outcome("b1"))
    old.close()
    with sqlite3.connect(tmp_path / "orch.db") as database:
        for table in NEW_TABLES:
            database.execute(f"DROP TABLE {table}")
        database.execute("UPDATE schema_version SET version = ?", (version,))
    database.close()

    for plan in ("FIRST", "SECOND"):
        opened = SqlLedger(url)
        opened.record_plan(plan, {"a": plan})
        opened.record_compatibility(FACT)
        assert opened.outcomes("r1") == [outcome("b1")]
        opened.close()

    opened = SqlLedger(url)
    assert opened.plan("FIRST") == {"a": "FIRST"}
    assert opened.compatibility("5.2") == [replace(FACT, count=2)]
    opened.close()
