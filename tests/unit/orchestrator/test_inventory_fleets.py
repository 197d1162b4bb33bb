"""Which boards a fleet has, and in which steps a release goes through it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Rollout
from orchestrator.errors import ConfigError
from orchestrator.inventory import Inventory, load_inventory

BOARDS = """\
boards:
  ax650-[01-04]: {host: "10.0.0.[1-4]", site: fra, tags: [npu3]}
  ax650-05: {host: 10.0.0.5, site: ber}
  spare: {host: 10.0.0.6}
fleets:
  f:
"""


def load(folder: Path, fleet: str) -> Inventory:
    path = folder / "inventory.yaml"
    path.write_text(BOARDS + "".join(f"    {line}\n" for line in fleet.splitlines()))
    return load_inventory(path)


@pytest.mark.parametrize(
    ("fleet", "names"),
    [
        ("boards: spare", "spare"),
        ("boards: [spare, ax650-01]", "spare ax650-01"),
        ('boards: "ax650-[03-05]"', "ax650-03 ax650-04 ax650-05"),
        ("boards: ax650-*", "ax650-01 ax650-02 ax650-03 ax650-04 ax650-05"),
        ('boards: [ax650-04, "ax650-*"]', "ax650-04 ax650-01 ax650-02 ax650-03 ax650-05"),
        ("select: site=fra and not ax650-01", "ax650-02 ax650-03 ax650-04"),
        ("boards: spare\nselect: site=ber", "spare ax650-05"),
    ],
)
def test_a_fleet_is_named_by_names_ranges_globs_and_an_expression(
    tmp_path: Path, fleet: str, names: str
) -> None:
    boards = load(tmp_path, fleet).fleet("f").boards

    assert [board.name for board in boards] == names.split()


def test_a_rollout_is_read(tmp_path: Path) -> None:
    text = """\
boards: ax650-*
max_parallel: 3
board_deadline_s: 600
rollout:
  canary: [ax650-05, "ax650-0[1-2]"]
  waves: [1, 10%, 50%, 100%]
  max_failed: 10%
  max_slowdown: 5%
  max_agreement_loss: 0.01
"""
    fleet = load(tmp_path, text).fleet("f")

    assert fleet.rollout == Rollout(
        canary=("ax650-05", "ax650-01", "ax650-02"),
        waves=("1", "10%", "50%", "100%"),
        max_failed="10%",
        max_slowdown=0.05,
        max_agreement_loss=0.01,
    )
    assert (fleet.caps.in_all, fleet.board_deadline_s) == (3, 600.0)


def test_a_canary_that_is_left_out_is_none(tmp_path: Path) -> None:
    inventory = load(tmp_path, "boards: ax650-*\nrollout: {canary: [ax650-01, ax650-05]}")

    fleet = inventory.chosen(inventory.fleet("f"), exclude="ax650-01")

    assert fleet.rollout.canary == ("ax650-05",)


@pytest.mark.parametrize(
    ("fleet", "message", "hint"),
    [
        ("recipe: x", "6: fleets.f: a fleet needs boards, or select", ""),
        ("boards: []", "7: fleets.f.boards: at least one stands here", ""),
        ("boards: [ax650-01, ax650-06]", "7: fleets.f.boards[1]: no board named 'ax650-06'", "'ax"),
        ('boards: ["ax650-[04-06]"]', "7: fleets.f.boards[0]: no board named 'ax650-06'", ""),
        ('boards: ["ax650-[4-1]"]', "7: fleets.f.boards[0]: [4-1] goes backwards", ""),
        ("boards: [bx*]", "7: fleets.f.boards[0]: no board of 6 fits 'bx*'", ""),
        ("select: site=far", "7: fleets.f.select: select 'site=far': of 6", "did you mean fra?"),
        (
            "boards: ax650-*\nrollout: {canary: [spare]}",
            "8: fleets.f.rollout.canary[0]: no board named 'spare'",
            "known boards: ax650-01",
        ),
        ("boards: spare\nrollout: {waves: [1]}", "8: fleets.f.rollout.waves: the last", ""),
        ("boards: spare\nrollout: {waves: [9%, 5%, 100%]}", "8: fleets.f.rollout.waves: each", ""),
        ("boards: spare\nrollout: {waves: [x, 100%]}", "8: fleets.f.rollout.waves[0]: a num", ""),
        ("boards: spare\nrollout: {max_failed: 101%}", "8: fleets.f.rollout.max_failed: a sha", ""),
        ("boards: spare\nrollout: {max_slowdown: 5}", "8: fleets.f.rollout.max_slowdown: a sh", ""),
        ("boards: spare\nboard_deadline_s: 0", "8: fleets.f.board_deadline_s: input should", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_key(
    tmp_path: Path, fleet: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, fleet)

    assert caught.value.message.startswith(f"{tmp_path / 'inventory.yaml'}:{message}")
    assert hint in caught.value.hint
