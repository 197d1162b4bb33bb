from __future__ import annotations

import pytest

from orchestrator.pulsar2.log import BuildFacts, find_cause, plain_lines, read_facts

SUCCESS = """\
\x1b[32m2024-08-30 10:00:00.000 | INFO | frontend | macs: 1,234,567,890\x1b[0m
quantize  10%|#         |\rquantize 100%|##########|\r
2024-08-30 10:00:01.000 | INFO | fuse 1 subgraph(s)
2024-08-30 10:00:02.000 | INFO | max_cycle = 1,111
2024-08-30 10:00:03.000 | INFO | max_cycle = 7,654,321
"""


def test_the_facts_of_a_build_are_the_last_mentions() -> None:
    assert read_facts(SUCCESS) == BuildFacts(7_654_321, 1_234_567_890, 1)


@pytest.mark.parametrize("text", ["", "nothing of note\n", "max_cycle = none\nmacs: many\n"])
def test_what_a_log_does_not_say_is_none(text: str) -> None:
    assert read_facts(text) == BuildFacts(None, None, None)


def test_a_fact_in_colours_is_read() -> None:
    text = "max_cycle = \x1b[1m1,024\x1b[0m\nmacs: \x1b[36m2,048\x1b[0m\n"

    assert read_facts(text) == BuildFacts(1024, 2048, None)


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
        ("", "the log is empty"),
        ("\n \n\x1b[0m\n", "the log is empty"),
    ],
)
def test_the_best_line_is_the_cause(text: str, cause: str) -> None:
    assert find_cause(text) == cause


def test_a_vast_line_is_read_in_no_time() -> None:
    for line in ("a." * 20_000, "x" * 100_000, "CodeException: (" * 5_000, " " * 100_000 + "x"):
        assert find_cause(line) == line.strip()
