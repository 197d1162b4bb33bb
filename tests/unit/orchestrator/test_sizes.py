from __future__ import annotations

import pytest

from orchestrator.cli.sizes import parse_size, size_text
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500MB", 500_000_000),
        ("10GB", 10**10),
        ("1.5GiB", 3 << 29),
        (" 2 kib ", 2048),
        ("7", 7),
        ("1T", 10**12),
        ("3B", 3),
    ],
)
def test_a_size_is_a_number_and_a_unit(text: str, size: int) -> None:
    assert parse_size(text, "--max-size") == size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ten", "--max-size 'ten': this is no size"),
        ("-1GB", "this is no size"),
        ("", "this is no size"),
        ("1e9", "this is no size"),
        ("10GX", "'gx' is no unit of bytes"),
        ("10 Gbit", "'gbit' is no unit of bytes"),
    ],
)
def test_another_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_size(text, "--max-size")


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (3 * 10**9, "3.0 GB")]
)
def test_a_size_is_shown_with_a_decimal_unit(size: int, text: str) -> None:
    assert size_text(size) == text
