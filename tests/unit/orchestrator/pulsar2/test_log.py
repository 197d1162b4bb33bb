from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.pulsar2.log import (
    BuildFacts,
    LogReader,
    Phase,
    find_cause,
    plain_lines,
    read_facts,
)

LOGS = Path(__file__).parent / "logs"
SUCCESSES = sorted(LOGS.glob("success-*.log"))

SUCCESS = """\
\x1b[32m2024-08-30 10:00:00.000 | INFO | frontend | macs: 1,234,567,890\x1b[0m
quantize  10%|#         |\rquantize 100%|##########|\r
2024-08-30 10:00:01.000 | INFO | fuse 1 subgraph(s)
2024-08-30 10:00:02.000 | INFO | max_cycle = 1,111
2024-08-30 10:00:03.000 | INFO | max_cycle = 7,654,321
"""


def read(content: bytes) -> LogReader:
    """A reader that has taken a whole log."""
    reader = LogReader()
    reader.feed(content)
    reader.close()
    return reader


class SteppingClock:
    """A clock that goes on by one second each time it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_the_facts_of_a_build_are_the_last_mentions() -> None:
    facts = read_facts(SUCCESS)

    assert (facts.max_cycle, facts.macs, facts.subgraphs) == (7_654_321, 1_234_567_890, 1)


@pytest.mark.parametrize("text", ["", "nothing of note\n", "max_cycle = none\nmacs: many\n"])
def test_what_a_log_does_not_say_is_none(text: str) -> None:
    assert read_facts(text) == BuildFacts()


def test_a_fact_in_colours_is_read() -> None:
    facts = read_facts("max_cycle = \x1b[1m1,024\x1b[0m\nmacs: \x1b[36m2,048\x1b[0m\n")

    assert (facts.max_cycle, facts.macs) == (1024, 2048)


def test_a_whole_log_gives_all_facts() -> None:
    facts = read((LOGS / "success-4.0.log").read_bytes()).facts()

    assert facts == BuildFacts(
        max_cycle=450_182,
        macs=12_345_678,
        subgraphs=1,
        cycles=(450_182,),
        ops=40,
        quantized_ops=40,
        variables=91,
        quantized_variables=91,
        files_loaded=8,
        opset=13,
        model_size_mb=2.5,
        op_types=(("Add", 6), ("Conv", 21), ("MatMul", 9), ("Softmax", 3)),
        phase_seconds=(
            (Phase.LOAD, 2.9),
            (Phase.CALIBRATE, 6.0),
            (Phase.QUANTIZE, 3.0),
            (Phase.TILE, 5.5),
            (Phase.BUILD, 1.0),
            (Phase.SCHEDULE, 1.5),
            (Phase.ASSEMBLE, 0.5),
        ),
        complete=True,
        outputs=(
            "output/frontend/optimized.onnx",
            "/data/output/quant/quant_axmodel.onnx",
            "/data/output/quant/quant_axmodel.data",
            "output/quant/debug/io",
        ),
    )


def test_predictions_of_several_subgraphs_are_added_up() -> None:
    facts = read((LOGS / "success-7.0.log").read_bytes()).facts()

    assert (facts.max_cycle, facts.cycles) == (1_000_500, (1_000_000, 500))
    assert (facts.subgraphs, facts.cpu_subgraphs) == (3, (1,))


def test_of_several_input_shapes_the_last_one_counts() -> None:
    text = "".join(
        f"a | INFO | b - group {group} compiler transformation\n"
        f"a | INFO | b - subgraph [0], group: {group}, type: GraphType.NPU\n"
        f"max_cycle = {cycles}\n"
        for group, cycles in ((0, 700), (1, 50))
    )

    assert read_facts(text).max_cycle == 50


def test_warnings_are_told_once_without_stamp() -> None:
    facts = read((LOGS / "success-7.0.log").read_bytes()).facts()

    assert [warning[:30] for warning in facts.warnings] == [
        "[Info]set op which contains in",
        "[Warning]File output/quant/qua",
        "These op contains very big ran",
        "the model was split into 3 sub",
        "the CPU of the board runs subg",
        "2 of 100 ops are not quantized",
    ]


def test_routine_warnings_are_passed_over_and_others_are_not() -> None:
    text = (
        "2025-01-01 00:00:00.000 | WARNING  | a.b:c:1 - preprocess tensor [x]\n"
        "2025-01-01 00:00:00.000 | WARNING  | a.b:c:2 - the moon is full\n"
        "2025-01-01 00:00:00.000 | ERROR    | a.b:c:3 - so is the sun\n"
        "2025-01-01 00:00:00.000 | INFO     | a.b:c:4 - all is well\n"
    )

    assert read_facts(text).warnings == ("the moon is full", "so is the sun")


def test_smooth_quant_and_the_precision_table_are_noticed() -> None:
    facts = read((LOGS / "success-7.0.log").read_bytes()).facts()

    assert facts.smooth_quant
    assert facts.precision_table == "output/quant/debug/precision_analysis_table.txt"


def test_phase_times_go_on_at_midnight() -> None:
    facts = read((LOGS / "success-3.2.log").read_bytes()).facts()

    assert dict(facts.phase_seconds)[Phase.CALIBRATE] == 10.0


def test_stamps_without_a_date_go_on_at_midnight() -> None:
    text = "[23:59:58] AX One Pass Running ...\n[00:00:03] AX Two Pass Running ...\n"

    assert read_facts(text).phase_seconds == ((Phase.CALIBRATE, 5.0),)


def test_without_stamps_the_callers_clock_tells_the_time() -> None:
    reader = LogReader(SteppingClock())
    for line in ("tiling op... ━━━━━ 1/2", "tiling op... ━━━━━ 2/2", "max_cycle = 1"):
        reader.feed(f"{line}\n")

    assert reader.facts().phase_seconds == ((Phase.LOAD, 1.0), (Phase.TILE, 2.0))


def test_stamps_count_for_more_than_the_callers_clock() -> None:
    reader = LogReader(SteppingClock())
    for line in (
        "[10:00:00] AX One Pass Running ...",
        "tiling op... ━━━━━ 2/2",
        "2025-01-01 10:00:50.000 | INFO | a - max_cycle = 1",
    ):
        reader.feed(f"{line}\n")

    assert reader.facts().phase_seconds == (
        (Phase.LOAD, 1.0),
        (Phase.CALIBRATE, 1.0),
        (Phase.TILE, 49.0),
    )


@pytest.mark.parametrize("log", SUCCESSES, ids=lambda log: log.name)
def test_a_log_is_complete_only_with_its_last_line(log: Path) -> None:
    content = log.read_bytes()
    last = content.rindex(b"fuse")

    assert read(content).facts().complete
    assert not read(content[:last]).facts().complete


def test_a_log_that_goes_on_behind_its_last_line_is_not_complete() -> None:
    content = (LOGS / "success-4.0.log").read_bytes()

    assert not read(content + b"tiling op... ----- 1/60 0:00:01\n").facts().complete
    assert not read(content + b"Traceback (most recent call last):\n").facts().complete
    assert read(content + b"\nbye\n").facts().complete


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\x1b[31mb\x1b[0mc", ["abc"]),
        (" 10%|#\r 50%|##\r100%|###\ndone\n", ["100%|###", "done", ""]),
        (" 10%|#\r100%|###\r\ndone\r\n", ["100%|###", "done", ""]),
        ("", [""]),
    ],
)
def test_lines_are_what_a_terminal_shows_at_the_end(text: str, lines: list[str]) -> None:
    assert plain_lines(text) == lines


@pytest.mark.parametrize("prefix", ["", "yamain.", "axnn.yamain."])
def test_the_code_exception_is_the_cause_under_any_module(prefix: str) -> None:
    text = (
        "Traceback (most recent call last):\n"
        '  File "build.py", line 1, in main\n'
        "ValueError: what set it off\n"
        f"{prefix}common.error.CodeException: (<ErrorCode.NPUBackendError: 8>, "
        "TileFailException('/decode_head/Resize_3'))\n"
        "some farewell\n"
    )

    assert find_cause(text) == "NPUBackendError 8: TileFailException('/decode_head/Resize_3')"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("loading\nTraceback:\nKeyError: 'x'\nbye\n", "KeyError: 'x'"),
        ("one\n  a.b.SomeException: deep\n", "a.b.SomeException: deep"),
        ("one\n\x1b[31mthe end\x1b[0m\n\n", "the end"),
        ("10%|#\r20%|##\rkilled\n", "killed"),
        (
            "CodeException: (<ErrorCode.QuantError: 3>, RuntimeError('cut he",
            "QuantError 3: RuntimeError('cut he",
        ),
        ("", "the log is empty"),
        ("\n \n\x1b[0m\n", "the log is empty"),
    ],
)
def test_the_best_line_is_the_cause(text: str, cause: str) -> None:
    assert find_cause(text) == cause
