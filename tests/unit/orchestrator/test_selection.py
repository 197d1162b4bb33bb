from __future__ import annotations

import pytest

from orchestrator.domain import Board
from orchestrator.errors import ConfigError
from orchestrator.selection import choose, select


def board(name: str, site: str, *tags: str, switch: str | None = None) -> Board:
    return Board(name, f"{name}.example", 22, "root", site=site, tags=tags, switch=switch)


BOARDS = (
    board("ax650-01", "fra", "npu3", "dock", switch="sw1"),
    board("ax650-02", "fra", "npu1", switch="sw1"),
    board("ax650-07", "fra", "npu3", switch="sw2"),
    board("ax650-11", "ber", "npu3"),
)


@pytest.mark.parametrize(
    ("expression", "numbers"),
    [
        ("ax650-02", "02"),
        ("npu3", "01 07 11"),
        ("site=fra and npu3 and not ax650-07", "01"),
        ("ax650-0*", "01 02 07"),
        ("ax650-[01-03,11]", "01 02 11"),
        ("dock or ax650-11", "01 11"),
        ("npu1 or site=ber and npu3", "02 11"),
        ("(npu1 or site=fra) and npu3", "01 07"),
        ("not (site=ber or npu1)", "01 07"),
        ("not not npu1", "02"),
        ("ax650-01,ax650-02 and npu3", "01"),
        ("site = fra , ber and npu3", "01 07 11"),
        ("site!=fra", "11"),
        ("site!=fra,ber or dock", "01"),
        ("switch=sw1", "01 02"),
        ("host=*07.example", "07"),
        ("tag=npu? and name=*1", "01 11"),
        ("  npu1  ", "02"),
    ],
)
def test_an_expression_means_these_boards(expression: str, numbers: str) -> None:
    assert [one.name for one in select(BOARDS, expression)] == [
        f"ax650-{number}" for number in numbers.split()
    ]


@pytest.mark.parametrize(
    ("expression", "problem", "hint"),
    [
        ("", "it is empty", "write: site=fra"),
        ("npu4", "of 4 boards none has the name or tag 'npu4'", "did you mean npu3"),
        ("site=far", "none has the site 'far'", "did you mean fra?"),
        ("not npu4", "none has the name or tag 'npu4'", "did you mean"),
        ("fra", "none has the name or tag 'fra'", "site=fra"),
        ("switch=x", "none has the switch 'x'", "known: sw1, sw2"),
        ("site=fra,x", "none has the site 'x'", "known: ber, fra"),
        ("rack=3", "boards are not chosen by 'rack=3'", "name=, tag=, site="),
        ("npu3 npu1", "'npu1' stands where `and` or `or` should", "write:"),
        ("npu3 AND npu1", "'AND' stands where", "write:"),
        ("npu3 and", "it ends where", "write:"),
        ("and npu3", "'and' stands where a board", "write:"),
        ("(npu3", "a parenthesis is not closed", "write:"),
        ("npu3)", "')' stands where", "write:"),
        ("site=", "a value is missing", "write:"),
        ("ax650-[3-1]", "[3-1] goes backwards", "write:"),
        ("npu1 and site=ber", "none of 4 boards is all of this", "each word alone"),
        ("(" * 5000, "nested too deeply", "write:"),
    ],
)
def test_an_expression_that_means_nothing_says_why(
    expression: str, problem: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        select(BOARDS, expression)

    assert caught.value.message.startswith("--limit ")
    assert problem in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.hint) < 200


def test_limit_and_exclude_together() -> None:
    assert [one.name for one in choose(BOARDS, "npu3", "site=ber")] == ["ax650-01", "ax650-07"]
    assert choose(BOARDS) == BOARDS
    # What is excluded need not be among what --limit leaves.
    assert [one.name for one in choose(BOARDS, "npu1", "dock")] == ["ax650-02"]


def test_to_exclude_all_boards_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--exclude 'ax650-\\*': no board is left of 2"):
        choose(BOARDS, "switch=sw1", "ax650-*")


def test_a_misspelt_exclude_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^--exclude 'ax650-7': of 4 boards none"):
        choose(BOARDS, None, "ax650-7")
