"""Cuts before and after every step of the agent on the disk, and boots what may be left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Proof
    from tests.crash.agent.conftest import Cuts

pytestmark = pytest.mark.slow


def test_no_cut_leaves_anything_but_a_whole_release(cuts: Cuts, proof: Proof) -> None:
    disk = cuts.record()

    torn = list(cuts.torn(disk.moments))

    points = 2 * disk.steps  # before and after each; the one after is the one before the next
    proof(f"cut points = {points}, disks booted = {cuts.variants}, torn = {len(torn)}")
    assert torn[:3] == []
    assert points > 200
    assert cuts.variants > points


def test_a_killed_agent_and_a_cut_later_leave_what_was_acknowledged(
    cuts: Cuts, proof: Proof
) -> None:
    total = cuts.record().steps

    torn = []
    for step in range(total):
        disk = cuts.record(dies_at=step)
        moment = disk.moment(f"a kill at step {step}")
        torn += list(cuts.torn([moment], extremes=True))

    proof(f"killed at = {total} steps, disks booted = {cuts.variants}, torn = {len(torn)}")
    assert torn[:3] == []
