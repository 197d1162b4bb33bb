"""What every ledger must keep of nights, and that nobody changes it unseen."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from orchestrator.backends.ledger_schema import META
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.domain import (
    Baseline,
    BoardOutcome,
    Judged,
    Measurement,
    Night,
    Origin,
    RecipeJudged,
    RunRecord,
    VerifySpec,
)
from orchestrator.fleet_history import Asked
from orchestrator.judging.recipe import Context, judge_recipe

BOARDS = ("b1", "b2", "b3")
ORIGIN = Origin("fra", "5.2", "sha256:11", 1_000_000)


def outcome(board: str, ms: int) -> BoardOutcome:
    samples = tuple(ms * 1_000_000 + at for at in range(60))
    reading = {"temperature_c": 50.0, "npu_clock_mhz": 800.0}
    measured = Measurement(
        board, 5, 6, (), samples, {}, reading, reading, block_sizes=(30, 30), round_sizes=(30, 30)
    )
    facts = {"sdk_version": "V3.6.2", "kernel": "5.15"}
    return BoardOutcome(
        board, False, facts, measurement=measured, judged=Judged("VALID"), origin=ORIGIN
    )


def hold_night(ledger: SqlLedger, number: int, ms: int) -> RecipeJudged:
    """Hold a night on three boards, and give what was judged."""
    night_id, at = f"n{number:02d}", f"2026-01-{number:02d}T02:00:00+00:00"
    run_id = f"{night_id}-1"
    night = Night(night_id, "lab", at, runs={"small": run_id}, asked={"fleet": "lab"})
    run = RunRecord(run_id, "verify", "lab", "small", at, None, None, {"night": night_id})
    ledger.start_night(night)
    ledger.start_run(run)
    for board in BOARDS:
        ledger.record_outcome(run_id, outcome(board, ms))
    before = ledger.nights_before("lab", "small", at, 14)
    context = Context(run_id, "small", "nights")
    judged = judge_recipe(ledger.figures(run_id), before, VerifySpec(), context)
    ledger.finish_run(replace(run, finished_at=at, exit_code=0))
    ended = replace(night, finished_at=at, exit_code=0, verdict=judged.verdict)
    ledger.finish_night(ended, [judged])
    return judged


def test_a_night_comes_back_whole_with_what_was_judged(ledger: SqlLedger) -> None:
    judged = [hold_night(ledger, number, 20 + number) for number in (1, 2, 3)]

    assert ledger.judged("n03") == (judged[2],)
    assert [one.night_id for one in ledger.nights("lab", 2)] == ["n03", "n02"]
    night = ledger.night("n02")
    assert night is not None
    assert night.runs == {"small": "n02-1"}
    assert ledger.night("n09") is None
    assert ledger.nights("other", 5) == []


def test_figures_come_with_every_outcome(ledger: SqlLedger) -> None:
    hold_night(ledger, 1, 21)

    (one, *rest) = ledger.figures("n01-1")

    assert (one.board, one.recipe, one.night, one.verdict) == ("b1", "small", "n01", "VALID")
    assert one.rounds_ms == pytest.approx((21.000014, 21.000044))
    assert (one.site, one.sdk, one.kernel, one.max_cycle) == ("fra", "V3.6.2", "5.15", 1_000_000)
    assert (one.temperature_c, one.npu_clock_mhz) == (50.0, 800.0)
    assert len(rest) == 2


def test_history_is_of_one_board_and_newest_first(ledger: SqlLedger) -> None:
    for number in (1, 2, 3):
        hold_night(ledger, number, 20)

    found = ledger.history(Asked("lab", "b2", "small", limit=2))

    assert [(one.board, one.night) for one in found] == [("b2", "n03"), ("b2", "n02")]
    since = ledger.history(Asked(board="b2", since="2026-01-03"))
    assert [one.night for one in since] == ["n03"]


def test_nights_before_are_those_that_ended_before(ledger: SqlLedger) -> None:
    for number in (1, 2, 3):
        hold_night(ledger, number, 20)
    at = "2026-01-04T02:00:00+00:00"
    ledger.start_night(Night("n04", "lab", at, runs={"small": "n04-1"}))

    found = ledger.nights_before("lab", "small", at, 2)

    assert [one.night for one in found] == ["n03"] * 3 + ["n02"] * 3
    assert ledger.nights_before("lab", "small", "2026-01-01T00:00:00+00:00", 5) == []


def test_the_trend_goes_on_night_by_night(ledger: SqlLedger) -> None:
    for number in (1, 2):
        hold_night(ledger, number, 20 + number)

    trend = ledger.trend("lab", "small", None)

    assert [(one.night, one.boards) for one in trend] == [("n01", 3), ("n02", 3)]
    assert [one.p50_ms for one in trend] == pytest.approx([21, 22], rel=1e-4)
    assert trend[0].change is None
    assert trend[1].change == pytest.approx(1 / 21, rel=1e-3)


def test_a_baseline_is_pinned_replaced_and_cleared(ledger: SqlLedger) -> None:
    first = Baseline("lab", "small", "n01-1", "2026-01-01", "why")
    ledger.set_baseline(first)
    ledger.set_baseline(replace(first, run_id="n02-1"))

    assert ledger.baseline("lab", "small") == replace(first, run_id="n02-1")
    assert ledger.baselines() == [replace(first, run_id="n02-1")]
    assert ledger.clear_baseline("lab", "small")
    assert not ledger.clear_baseline("lab", "small")
    assert ledger.baseline("lab", "small") is None


def test_a_ledger_that_was_left_alone_is_whole(ledger: SqlLedger) -> None:
    hold_night(ledger, 1, 20)
    ledger.record_outcome("n01-1", outcome("b1", 25))
    ledger.record_reports([("n01/report.json", "f" * 64)])

    assert ledger.check() == []
    assert ledger.report_sha256("n01/report.json") == ["f" * 64]
    head = ledger.head()
    assert head is not None
    assert head.number == 7


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE figures SET p50_ms = 1 WHERE board = 'b2'", "row n01-1/b2"),
        ("UPDATE outcomes SET error = 'x' WHERE board = 'b3'", "row n01-1/b3"),
        ("DELETE FROM outcomes WHERE board = 'b1'", "row n01-1/b1"),
        ("UPDATE runs SET exit_code = 3", "row n01-1 "),
        ("UPDATE nights SET verdict = 'FAIL'", "row n01 "),
        ("UPDATE chain SET content = 'x' WHERE number = 2", "link 2"),
        ("DELETE FROM chain WHERE number = 2", "link 2 is missing"),
    ],
)
def test_what_was_changed_by_hand_is_named(
    ledger: SqlLedger, ledger_url: str, statement: str, named: str
) -> None:
    hold_night(ledger, 1, 20)
    engine = create_engine(ledger_url)
    with engine.begin() as line:
        line.execute(text(statement))
    engine.dispose()

    assert any(named in fault for fault in ledger.check())


def test_many_who_write_at_once_make_one_chain(ledger: SqlLedger) -> None:
    def write(index: int) -> None:
        ledger.start_run(RunRecord(f"r{index}", "run", "lab", "small", "2026", None, None, {}))
        for board in BOARDS:
            ledger.record_outcome(f"r{index}", outcome(board, 20))

    threads = [threading.Thread(target=write, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert ledger.check() == []
    head = ledger.head()
    assert head is not None
    assert head.number == 18


def test_pruning_drops_samples_and_keeps_figures_and_the_chain(ledger: SqlLedger) -> None:
    for number in (1, 2):
        hold_night(ledger, number, 20)
    before = ledger.figures("n01-1")

    tried = ledger.prune("2026-01-02", set(), dry_run=True)
    done = ledger.prune("2026-01-02", set(), dry_run=False)

    assert tried == done
    assert done.rows == 3
    assert ledger.figures("n01-1") == before
    (one, *_) = ledger.outcomes("n01-1")
    assert one.measurement is not None
    assert one.measurement.samples_ns == ()
    (kept, *_) = ledger.outcomes("n02-1")
    assert kept.measurement is not None
    assert len(kept.measurement.samples_ns) == 60
    assert ledger.check() == []
    assert ledger.prune("2026-02-01", {"n02-1"}, dry_run=True).rows == 0


def test_a_ledger_of_schema_4_gets_figures_and_a_chain(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    url = f"sqlite:///{path}"
    old = SqlLedger(url)
    hold_night(old, 1, 20)
    figures = [replace(one, night="n01") for one in old.figures("n01-1")]
    old.close()
    engine = create_engine(url)
    with engine.begin() as line:
        for table in ("figures", "nights", "trends", "baselines", "chain"):
            line.execute(text(f"DROP TABLE {table}"))
        line.execute(text("UPDATE schema_version SET version = 4"))
    engine.dispose()

    opened = SqlLedger(url)

    assert opened.figures("n01-1") == figures
    assert opened.check() == []
    assert {one.kind for one in opened.links()} == {"adopted"}
    opened.close()
    assert path.with_name("orch.db.schema-4").is_file()


@pytest.mark.parametrize("schema", [1, 2, 3, 4])
def test_a_migrated_ledger_has_the_tables_of_a_new_one(tmp_path: Path, schema: int) -> None:
    dropped = {
        4: ("figures", "nights", "trends", "baselines", "chain"),
        3: ("details",),
        2: ("plans", "healths", "sightings", "compatibility"),
        1: ("uses", "releases"),
    }
    url = f"sqlite:///{tmp_path / 'orch.db'}"
    SqlLedger(url).close()
    engine = create_engine(url)
    with engine.begin() as line:
        for version, tables in dropped.items():
            for table in tables if version >= schema else ():
                line.execute(text(f"DROP TABLE {table}"))
        line.execute(text("UPDATE schema_version SET version = :to"), {"to": schema})

    SqlLedger(url).close()

    with engine.connect() as line:
        differs = compare_metadata(MigrationContext.configure(line), META)
        assert [one for one in differs if "alembic_version" not in repr(one)] == []
        assert json.dumps(line.execute(text("SELECT version FROM schema_version")).scalar()) == "5"
    assert set(META.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()
