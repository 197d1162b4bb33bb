from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator.domain import (
    Agreement,
    BoardOutcome,
    Delivery,
    Evidence,
    Gates,
    Json,
    Judged,
    Measurement,
    RunRecord,
)
from orchestrator.table import (
    COLUMNS,
    outcome_in_one_line,
    shown,
    summarise_run,
    table_row,
    verdict_text,
)
from orchestrator.verdicts import judge

RUN = RunRecord(
    "r", "deploy", "f", "small", "t", None, None, {"pulsar2": "5.2", "target": "AX650/NPU3"}
)
FACTS = {"chip_type": "AX650N_CHIP", "sdk_version": "V1.45.0_P39_20240830020829"}
NO_GATES = Gates(None, None, None)


def outcome(
    board: str = "b1",
    samples_ms: Sequence[int] = (3, 4, 5),
    *,
    simulated: bool = False,
    agreed: float = 0.97,
    miou: float = 0.9,
) -> BoardOutcome:
    samples = tuple(ms * 1_000_000 for ms in samples_ms)
    return BoardOutcome(
        board,
        simulated,
        dict(FACTS),
        Delivery("r1", 1500, agent_uploaded=False, activated=True, facts={}),
        Measurement(board, 12_340_000, 5_670_000, (), samples, {}, {}, {}),
        Judged("VALID"),
        Agreement(agreed, miou, (agreed,), 1),
    )


def cells(one: BoardOutcome) -> dict[str, str]:
    return dict(zip([name for name, _ in COLUMNS], table_row(RUN, one), strict=True))


def test_a_measured_board_fills_every_column() -> None:
    assert cells(outcome()) == {
        "board": "b1",
        "chip": "AX650N",
        "SDK": "V1.45.0",
        "Pulsar2": "5.2",
        "target": "AX650/NPU3",
        "load ms": "12.3",
        "first ms": "5.67",
        "p50 ms": "4.000",
        "± ms": "-",
        "NPU ms": "-",
        "p90 ms": "5.000",
        "p99 ms": "-",
        "max ms": "5.000",
        "n": "3",
        "fps": "250.0",
        "ax_run_model ms": "-",
        "W": "-",
        "mJ": "-",
        "agreement": "97.00%",
        "mIoU": "0.900",
        "verdict": "VALID",
    }


def by_tool(median_ms: float | None) -> BoardOutcome:
    """A board without Python: the vendor's tool gives no samples."""
    summary: dict[str, Json] = {"iterations": 50, "mean_ms": 2.5, "median_ms": median_ms}
    runtime: dict[str, Json] = {"instrument": "ax_run_model", "summary": summary}
    measurement = Measurement("b1", None, None, (), (), runtime, {}, {})
    return replace(outcome(), measurement=measurement, judged=judge(measurement))


def test_what_the_vendors_tool_says_has_a_column_of_its_own() -> None:
    found = cells(by_tool(2.25))

    assert (found["ax_run_model ms"], found["p50 ms"], found["fps"]) == ("2.250", "-", "-")
    assert (found["n"], found["agreement"], found["verdict"]) == ("50", "97.00%", "VALID")
    assert cells(by_tool(None))["ax_run_model ms"] == "2.500 mean"


def test_the_tools_column_is_shown_where_a_board_has_it() -> None:
    ours, tools = table_row(RUN, outcome()), table_row(RUN, by_tool(2.25))

    assert "ax_run_model ms" not in {name for name, _ in shown([ours])[0]}
    assert [len(row) for row in shown([ours])[1]] == [len(COLUMNS) - 4]
    assert [len(row) for row in shown([ours, tools])[1]] == [len(COLUMNS) - 3] * 2


def test_p99_is_shown_from_100_samples_on_and_p50_with_its_interval() -> None:
    found = cells(outcome(samples_ms=range(1, 101)))

    assert (found["p99 ms"], found["p50 ms"], found["± ms"]) == ("99.000", "50.000", "10.000")


def test_the_npus_part_of_a_call_stands_apart_from_the_whole_call() -> None:
    one = outcome()
    assert one.measurement is not None
    parts = {"copy_in": (1, 1, 1), "npu": (2_000_000, 2_100_000, 9_000_000), "copy_out": (1, 1, 1)}
    seen = replace(one, measurement=replace(one.measurement, parts_ns=parts))

    found = cells(seen)

    assert (found["NPU ms"], found["p50 ms"], found["ax_run_model ms"]) == ("2.100", "4.000", "-")
    shown_names = [name for name, _ in shown([table_row(RUN, seen), table_row(RUN, one)])[0]]
    assert shown_names.index("NPU ms") == shown_names.index("± ms") + 1
    assert "NPU ms" not in [name for name, _ in shown([table_row(RUN, one)])[0]]


def test_a_board_that_was_never_reached_has_empty_cells() -> None:
    lost = cells(BoardOutcome("b2", simulated=False, facts={}, error_code="UNREACHABLE", error="x"))

    assert lost["board"] == "b2"
    assert lost["verdict"] == "failed: UNREACHABLE"
    assert {lost[name] for name, number in COLUMNS if number} == {"-"}


def test_a_simulated_board_never_looks_like_a_genuine_one() -> None:
    assert verdict_text(outcome(simulated=True)).startswith("simulated")
    assert "simulated" in summarise_run([outcome(simulated=True)], NO_GATES).sentence
    assert "simulated" not in summarise_run([outcome()], NO_GATES).sentence


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (Delivery("r2", 1_500, False, True, {}), "1,500 bytes uploaded"),
        (Delivery("r2", 0, False, True, {}), "0 bytes uploaded, switched to r2"),
        (Delivery("r2", 0, False, False, {}), "0 bytes uploaded, nothing is new"),
        (
            Delivery("r2", 0, False, True, {}, site_bytes=9_000),
            "0 bytes uploaded, 9,000 bytes from its site",
        ),
    ],
)
def test_how_a_release_came_to_a_board_is_said_in_one_line(delivery: Delivery, said: str) -> None:
    assert outcome_in_one_line(BoardOutcome("b1", False, {}, delivery)) == said


def test_a_board_that_went_back_does_not_look_as_if_it_had_the_release() -> None:
    measured = outcome(simulated=True)
    assert measured.delivery is not None

    gone_back = replace(measured, delivery=replace(measured.delivery, undone=("too slow",)))

    assert verdict_text(gone_back) == "simulated, rolled back"


def test_the_summary_counts_boards_and_bytes() -> None:
    lost = BoardOutcome("b3", simulated=False, facts={}, error_code="UNREACHABLE", error="x")

    summary = summarise_run([outcome(), outcome("b2", (7, 8, 9)), lost], NO_GATES)

    assert summary.sentence == "2 of 3 boards measured, p50 4.00 to 8.00 ms, 3,000 bytes uploaded"
    assert summary.failed_boards == ("b3",)
    assert summary.failed_gates == ()


@pytest.mark.parametrize(
    ("gates", "broken"),
    [
        (Gates(0.97, 0.9, 4.0), ()),
        (
            Gates(0.98, None, None),
            ("b1: agreement 0.9700 (1 image, an interval takes 10) is under 0.98",),
        ),
        (
            Gates(None, 0.95, None),
            ("b1: mIoU 0.9000 (1 image, an interval takes 10) is under 0.95",),
        ),
        (Gates(None, None, 3.9), ("b1: p50 4.000 ms is over 3.9 ms",)),
    ],
)
def test_a_gate_fails_only_beyond_its_bound(gates: Gates, broken: tuple[str, ...]) -> None:
    assert summarise_run([outcome()], gates).failed_gates == broken


def test_no_boards_is_a_sentence_too() -> None:
    assert summarise_run([], NO_GATES).sentence == "0 of 0 boards measured"


@pytest.mark.parametrize("simulated", [True, False])
def test_an_invalid_measurement_fails_its_board(*, simulated: bool) -> None:
    why = Evidence("INVALID", "samples", "a sample is 0 ns")
    one = replace(outcome(simulated=simulated), judged=Judged("INVALID", (why,)))

    assert cells(one)["verdict"] == "INVALID"
    assert summarise_run([one], NO_GATES).failed_boards == ("b1",)
    # Its figures are none either, and no gate is held against them.
    assert {cells(one)[name] for name in ("p50 ms", "n", "fps")} == {"-"}
    assert "p50" not in summarise_run([one], NO_GATES).sentence
    assert summarise_run([one], Gates(None, None, 0.1)).failed_gates == ()


def test_times_of_zero_make_no_table_fail() -> None:
    one = replace(outcome(samples_ms=(0, 0, 0)), judged=Judged("INVALID"))

    assert cells(one)["fps"] == "-"


def test_a_scripted_board_says_so_with_the_verdict_that_it_got() -> None:
    one = outcome(simulated=True)
    assert one.measurement is not None
    traced = replace(one.measurement, runtime={"trace": "thermal seed 7"})

    found = verdict_text(replace(one, measurement=traced, judged=Judged("THROTTLED")))

    assert found == "simulated, scripted: THROTTLED"


def test_scripted_times_are_not_called_a_cpus() -> None:
    one = outcome(simulated=True)
    assert one.measurement is not None
    traced = replace(one, measurement=replace(one.measurement, runtime={"trace": "clean seed 3"}))

    alone, mixed = (summarise_run(some, NO_GATES).sentence for some in ([traced], [traced, one]))

    assert alone.endswith("scripted times are made up by a trace, none is of an NPU")
    assert "CPU" not in alone
    assert "made up by a trace; others are of this machine's CPU" in mixed


def test_a_failed_board_counts_more_than_a_failed_gate() -> None:
    failed = BoardOutcome("b2", simulated=False, facts={}, error_code="UNREACHABLE", error="gone")
    strict = Gates(0.99, None, None)

    assert summarise_run([outcome()], NO_GATES).exit_code == 0
    assert summarise_run([outcome()], strict).exit_code == 3
    assert summarise_run([outcome(), failed], strict).exit_code == 1
