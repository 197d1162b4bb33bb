"""What every ledger must keep, in every kind of database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.domain import Artifact, BoardOutcome, KeptAction, KeptRelease, Measurement
from tests.contract.ledger_values import ACTION, FACTS, OUTCOME, RUN


def test_a_run_begins_and_ends(ledger: SqlLedger) -> None:
    assert ledger.run("r1") is None
    ledger.start_run(RUN)
    assert ledger.run("r1") == RUN

    ended = replace(RUN, finished_at="2025-01-01T00:01:00", exit_code=3, summary=FACTS)
    ledger.finish_run(ended)

    assert ledger.run("r1") == ended


def test_runs_come_newest_first(ledger: SqlLedger) -> None:
    for day in (2, 1, 3):
        ledger.start_run(replace(RUN, run_id=f"r{day}", started_at=f"2025-01-0{day}T00:00:00"))

    assert [run.run_id for run in ledger.runs(10)] == ["r3", "r2", "r1"]
    assert [run.run_id for run in ledger.runs(2)] == ["r3", "r2"]


def test_an_action_comes_back_whole(ledger: SqlLedger) -> None:
    assert ledger.find_action(ACTION.key) is None
    ledger.record_action(ACTION)

    assert ledger.find_action(ACTION.key) == ACTION


def test_the_newest_action_of_a_key_and_of_a_stage_wins(ledger: SqlLedger) -> None:
    ledger.record_action(ACTION)
    newer = replace(ACTION, run_id="r2", seconds=9)
    ledger.record_action(newer)
    ledger.record_action(replace(ACTION, key="o" * 64, recipe="other"))
    ledger.record_action(replace(ACTION, key="p" * 64, stage="compile"))

    assert ledger.find_action(ACTION.key) == newer
    assert ledger.last_action("export", "small") == newer
    assert ledger.last_action("optimize", "small") is None


def test_each_key_is_kept_once_with_its_newest_use(ledger: SqlLedger) -> None:
    other = replace(ACTION, key="o" * 64)
    newer = replace(ACTION, run_id="r2", created_at="2025-01-02T00:00:00")
    for action in (ACTION, other, newer):
        ledger.record_action(action)
    for moment in ("2025-01-04T00:00:00", "2025-01-05T00:00:00"):
        ledger.record_use(other.key, moment)
    ledger.record_use(ACTION.key, "2025-01-01T00:00:01")

    assert ledger.kept_actions() == [
        KeptAction(newer, "2025-01-02T00:00:00"),
        KeptAction(other, "2025-01-05T00:00:00"),
    ]


def test_a_forgotten_action_is_gone_with_all_before_it(ledger: SqlLedger) -> None:
    other = replace(ACTION, key="o" * 64)
    for action in (ACTION, ACTION, other):
        ledger.record_action(action)
    ledger.record_use(ACTION.key, "2025-01-04T00:00:00")

    ledger.forget_action(ACTION.key)

    assert ledger.find_action(ACTION.key) is None
    assert [kept.action for kept in ledger.kept_actions()] == [other]
    ledger.record_action(ACTION)
    assert ledger.kept_actions()[0] == KeptAction(ACTION, ACTION.created_at)


def test_a_release_comes_back_whole_and_the_last_used_first(ledger: SqlLedger) -> None:
    inputs = (Artifact("a" * 64, 5, "0.bin"), Artifact("b" * 64, 6, "1.bin"))
    first = KeptRelease("small-1", "small", ("k" * 64, "l" * 64), inputs, "2025-01-01T00:00:00")
    second = KeptRelease("small-2", "small", ("m" * 64,), (), "2025-01-02T00:00:00")
    for release in (first, second):
        ledger.record_release(release)
    assert ledger.kept_releases() == [second, first]

    again = replace(first, used_at="2025-01-03T00:00:00")
    ledger.record_release(again)
    assert ledger.kept_releases() == [again, second]

    ledger.forget_release(second.release_id)
    assert ledger.kept_releases() == [again]


def test_an_outcome_comes_back_whole_with_raw_samples(ledger: SqlLedger) -> None:
    ledger.record_outcome("r1", OUTCOME)

    assert ledger.outcomes("r1") == [OUTCOME]
    assert ledger.outcomes("r2") == []


def test_outcomes_come_by_board_and_empty_parts_stay_empty(ledger: SqlLedger) -> None:
    lost = BoardOutcome("a9", False, {}, error_code="UNREACHABLE", error="x")
    for outcome in (OUTCOME, lost):
        ledger.record_outcome("r1", outcome)

    assert ledger.outcomes("r1") == [lost, OUTCOME]


def test_an_outcome_written_again_replaces_the_first(ledger: SqlLedger) -> None:
    ledger.record_outcome("r1", OUTCOME)
    ledger.record_outcome("r2", OUTCOME)
    corrected = replace(OUTCOME, measurement=None, error="")
    ledger.record_outcome("r1", corrected)

    assert ledger.outcomes("r1") == [corrected]
    assert ledger.outcomes("r2") == [OUTCOME]


def test_many_threads_write_at_once(ledger: SqlLedger) -> None:
    def write(index: int) -> None:
        name = f"b{index:02d}"
        measured = Measurement(name, 1, 1, (), (index,), {}, {}, {})
        ledger.record_outcome("r1", replace(OUTCOME, board=name, measurement=measured))

    in_parallel(write, 16)

    assert [outcome.board for outcome in ledger.outcomes("r1")] == [f"b{n:02d}" for n in range(16)]


def test_many_can_open_a_new_ledger_at_once(ledger_url: str) -> None:
    def open_and_write(index: int) -> None:
        ledger = SqlLedger(ledger_url)
        ledger.start_run(replace(RUN, run_id=f"r{index}"))
        ledger.close()

    in_parallel(open_and_write, 8)

    ledger = SqlLedger(ledger_url)
    assert len(ledger.runs(100)) == 8
    ledger.close()


def test_what_was_written_is_there_after_opening_again(ledger_url: str) -> None:
    first = SqlLedger(ledger_url)
    first.record_outcome("r1", OUTCOME)
    first.close()

    second = SqlLedger(ledger_url)
    assert second.outcomes("r1") == [OUTCOME]
    second.close()


def in_parallel(work: Callable[[int], None], count: int) -> None:
    """Do it `count` times at once; what a thread raises is raised here."""
    together = threading.Barrier(count)
    errors: list[Exception] = []

    def one(index: int) -> None:
        together.wait()
        try:
            work(index)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
