from __future__ import annotations

import pytest

from orchestrator.name_ranges import MOST_NAMES, expand, matcher


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ax650-07", ["ax650-07"]),
        ("ax650-[01-03]", ["ax650-01", "ax650-02", "ax650-03"]),
        ("10.0.0.[9-11]", ["10.0.0.9", "10.0.0.10", "10.0.0.11"]),
        ("n[0-2]", ["n0", "n1", "n2"]),
        ("rack[a-c]", ["racka", "rackb", "rackc"]),
        ("sw[1,4,7-9]", ["sw1", "sw4", "sw7", "sw8", "sw9"]),
        ("r[1-2]b[x,y]-e", ["r1bx-e", "r1by-e", "r2bx-e", "r2by-e"]),
        ("[5-5]", ["5"]),
    ],
)
def test_a_range_is_written_out_in_order(text: str, names: list[str]) -> None:
    assert list(expand(text)) == names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a[3-1]", "goes backwards"),
        ("a[c-a]", "goes backwards"),
        ("a[01-100]", "as many digits"),
        ("a[1-010]", "as many digits"),
        ("a[1:5]", "is no range"),
        ("a[]", "is no range"),
        ("a[a-Z]", "is no range"),
        ("a[1-2", "not closed"),
        ("a1-2]", "not closed"),
        ("a[[1-2]]", "not closed"),
        ("a[1-999999999]", f"more than {MOST_NAMES:,}"),
        ("a[1-999][1-999]", "998,001 names"),
    ],
)
def test_a_range_that_cannot_be_read_says_why(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("[", r"\[")):
        expand(text)


def test_a_bracket_is_a_range_and_never_a_set_of_characters() -> None:
    fits = matcher("ax650-[01-16]")

    assert [name for name in ("ax650-01", "ax650-16", "ax650-0", "ax650-1") if fits(name)] == [
        "ax650-01",
        "ax650-16",
    ]


def test_a_glob_and_a_range_go_together() -> None:
    fits = matcher("r[1-2]-*")

    assert [name for name in ("r1-a", "r2-", "r3-a", "r1") if fits(name)] == ["r1-a", "r2-"]
