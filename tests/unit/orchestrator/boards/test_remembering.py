from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.boards.remembering import FleetNotes, open_notes
from orchestrator.boards.status import statuses
from orchestrator.domain import (
    Board,
    BoardOutcome,
    Delivery,
    Health,
    Json,
    LastRun,
    Measurement,
    Release,
    Sighting,
)

FACTS: dict[str, Json] = {
    "uid": "0x1",
    "sdk_version": "V3.6.2",
    "axengine_sha256": "a" * 64,
    "simulated": True,
}
BROUGHT = Delivery("rel-2", 5, True, True, FACTS, before="rel-1")
GOOD = BoardOutcome("b1", True, FACTS, BROUGHT, Measurement("b1", 1, 1, (), (5,), {}, {}, {}))
LOST = BoardOutcome("b1", True, {}, error_code="UNREACHABLE", error="b1: no route")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    found = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    yield found
    found.close()


@pytest.fixture
def notes(ledger: SqlLedger) -> FleetNotes:
    return open_notes(ledger)


@pytest.fixture
def two(release: Callable[..., Release]) -> Release:
    return replace(release({"m": b"m"}), release_id="rel-2")


def test_a_good_visit_is_remembered_with_releases_and_what_it_loaded(
    notes: FleetNotes, ledger: SqlLedger, two: Release
) -> None:
    runtime: dict[str, Json] = {"engine_version": "2.12.0s"}
    measured = replace(GOOD, measurement=Measurement("b1", 1, 1, (), (5,), runtime, {}, {}))

    notes.note_outcome(measured, two, "t1")

    assert ledger.healths() == {"b1": Health("b1", checked_at="t1")}
    assert ledger.sightings() == {"b1": Sighting("b1", "0x1", "rel-2", "rel-1", "t1")}
    (fact,) = ledger.compatibility("5.2")
    assert (fact.outcome, fact.release_id, fact.board) == ("LOADED", "rel-2", "b1")
    assert (fact.pairing.sdk_version, fact.pairing.engine_version) == ("V3.6.2", "2.12.0s")
    assert open_notes(ledger).sightings == ledger.sightings()


def test_a_rejected_model_is_remembered_and_does_not_count_against_the_board(
    notes: FleetNotes, ledger: SqlLedger, two: Release
) -> None:
    rejected = replace(GOOD, measurement=None, error_code="MODEL_REJECTED", error="x")

    for moment in ("t1", "t2"):
        notes.note_outcome(rejected, two, moment)

    (fact,) = ledger.compatibility("5.2")
    assert (fact.outcome, fact.count, fact.at) == ("REJECTED", 2, "t2")
    assert ledger.healths()["b1"].failures == 0


@pytest.mark.parametrize("code", ["", "UNREACHABLE", "CMM_FULL", "REFUSED"])
def test_a_visit_that_did_not_come_to_loading_says_nothing_of_what_loads(
    notes: FleetNotes, ledger: SqlLedger, two: Release, code: str
) -> None:
    ended = replace(GOOD, measurement=None, error_code=code)

    notes.note_outcome(ended, two, "2025-01-01T00:00:00+00:00")

    assert ledger.compatibility("5.2") == []


@pytest.mark.parametrize(
    ("delivery", "current", "previous"),
    [
        (BROUGHT, "rel-2", "rel-1"),
        (replace(BROUGHT, undone=("slower",)), "rel-1", "rel-2"),
        (replace(BROUGHT, activated=False, before="rel-2"), "rel-2", None),
        (None, "rel-1", "rel-0"),
    ],
)
def test_the_releases_of_a_board_follow_from_how_far_a_visit_came(
    notes: FleetNotes, two: Release, delivery: Delivery | None, current: str, previous: str | None
) -> None:
    notes.sightings["b1"] = Sighting("b1", "0x1", "rel-1", "rel-0", "t0")

    notes.note_outcome(replace(GOOD, delivery=delivery), two, "t1")

    assert notes.sightings["b1"] == Sighting("b1", "0x1", current, previous, "t1")


def test_a_lost_board_keeps_what_was_seen_of_it_and_leaves_in_the_end(
    notes: FleetNotes, ledger: SqlLedger, two: Release
) -> None:
    notes.note_outcome(GOOD, two, "2025-01-01T00:00:00+00:00")
    for hour in range(1, 4):
        notes.note_outcome(LOST, two, f"2025-01-01T{hour:02d}:00:00+00:00")
    board = Board("b1", "192.0.2.1", 22, "root")
    last = LastRun("b1", "r9", "t", "UNREACHABLE")

    again = open_notes(ledger)
    (found,) = statuses([board], again.healths, again.sightings, {"b1": last})

    assert (found.state, found.failures) == ("quarantined", 3)
    assert found.since == "2025-01-01T03:00:00+00:00"
    assert found.next_probe_at == "2025-01-01T04:00:00+00:00"
    assert found.why == "UNREACHABLE: b1: no route"
    assert (found.current, found.seen_at) == ("rel-2", "2025-01-01T00:00:00+00:00")
    assert found.last_run == last

    again.readmit("b1", "2025-01-01T05:00:00+00:00")
    assert ledger.healths()["b1"] == Health("b1", checked_at="2025-01-01T05:00:00+00:00")


def test_boards_come_by_name_each_in_its_state() -> None:
    boards = [Board(name, f"192.0.2.{n}", 22, "root") for n, name in enumerate("dcba")]
    healths = {"a": Health("a", 1, "t0", "TIMEOUT", "hung"), "b": Health("b", checked_at="t")}
    sightings = {
        "c": Sighting("c", "0x7", None, None, "t"),
        "b": Sighting("b", "0x7", "r", None, "t"),
    }

    found = statuses(boards, healths, sightings, {})

    assert [(one.board, one.state) for one in found] == [
        ("a", "failing"),
        ("b", "ok"),
        ("c", "ok"),
        ("d", "new"),
    ]
    assert "0x7 is that of c (192.0.2.1:22) too" in found[1].why
