from __future__ import annotations

import pytest

from orchestrator.backends.line_feed import LineFeed

SAID = b"one\r\n\rbar 1/2\rbar 2/2\ntwo\n\r\rend"
LINES = ["one", "bar 1/2\r", "bar 2/2", "two", "end"]


@pytest.mark.parametrize("size", range(1, len(SAID) + 1))
def test_lines_and_the_states_of_bars_come_whole_however_the_bytes_are_cut(size: int) -> None:
    lines: list[str] = []
    feed = LineFeed(lines.append)

    for start in range(0, len(SAID), size):
        feed.feed(SAID[start : start + size])

    assert feed.finish() == SAID
    assert lines == LINES


def test_a_bar_is_seen_before_its_line_ends() -> None:
    lines: list[str] = []

    LineFeed(lines.append).feed(b"\r 10%\r 20%\r 3")

    assert lines == [" 10%\r", " 20%\r"]
