"""One board, one holder: taken, kept, given back, lost and broken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from board_agent import protocol
from tests.unit.board_agent.leasing import ME, OTHER, acquire, pass_time

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board


@pytest.fixture(autouse=True)
def _just_booted(board: Board) -> None:
    board.near, board.held = True, False
    pass_time(board, 10.0)
    board.write_fact("proc/sys/kernel/random/boot_id", "first-boot\n")


def test_a_lease_is_one_folder_with_one_line(board: Board) -> None:
    assert acquire(board, ME) == 1

    folder = board.work / "lease" / "00000000000000000001"
    assert [path.name for path in folder.iterdir()] == ["holder"]
    assert (folder / "holder").read_text() == "me first-boot 10 60\n"


def test_a_held_board_is_refused_and_the_holder_is_named(board: Board) -> None:
    acquire(board, ME)
    pass_time(board, 15.0)

    error = board.error("lease", op="acquire", **OTHER)

    holder = {"token": 1, "owner": "me", "age_s": 5.0, "ttl_s": 60.0, "foreign": False}
    assert (error["code"], error["details"]) == ("LEASED", holder)
    assert board.result("lease", op="look") == {"lease": None, "holder": holder}


def test_who_lost_the_answer_may_ask_again_and_is_fenced_from_what_it_sent(board: Board) -> None:
    assert [acquire(board, ME), acquire(board, ME)] == [1, 2]

    assert board.error("lease", op="renew", token=1, **ME)["code"] == "STALE_TOKEN"


def test_a_lease_that_was_given_back_is_free_and_the_number_goes_on(board: Board) -> None:
    board.result("lease", op="release", token=acquire(board, ME))

    assert board.result("lease", op="look") == {"lease": None, "holder": None}
    assert acquire(board, OTHER) == 2
    assert [path.name for path in (board.work / "lease").iterdir()] == [protocol.token_name(2)]


def test_a_heartbeat_keeps_the_lease_and_silence_loses_it(board: Board) -> None:
    token = acquire(board, ME)
    pass_time(board, 60.0)
    assert board.result("lease", op="renew", token=token, **ME)["lease"] == {"token": token}
    pass_time(board, 110.0)
    assert board.error("lease", op="acquire", **OTHER)["code"] == "LEASED"

    pass_time(board, 130.0)

    assert acquire(board, OTHER) == 2
    assert board.error("lease", op="renew", token=token, **ME)["code"] == "STALE_TOKEN"


def test_silence_that_nobody_used_is_forgiven(board: Board) -> None:
    token = acquire(board, ME)
    pass_time(board, 900.0)
    assert board.result("lease", op="look")["holder"] is None

    board.result("gc", token=token, keep=[])

    assert board.result("lease", op="look")["holder"]["age_s"] == 0.0


def test_a_restart_frees_the_board_and_refuses_who_held_it(board: Board) -> None:
    token = acquire(board, ME)
    board.write_fact("proc/sys/kernel/random/boot_id", "second-boot\n")

    assert board.error("gc", token=token, keep=[])["code"] == "STALE_TOKEN"
    assert acquire(board, OTHER) == 2


def test_a_broken_lease_is_free_and_its_holder_refused(board: Board) -> None:
    token = acquire(board, ME)

    assert board.result("lease", op="break") == {"lease": None, "holder": None}

    assert board.error("gc", token=token, keep=[])["code"] == "STALE_TOKEN"
    assert acquire(board, OTHER) == 2


@pytest.mark.parametrize("line", ["", "me", "me first-boot soon 60", "me first-boot 10 60 more"])
def test_a_torn_holder_holds_nothing(board: Board, line: str) -> None:
    acquire(board, ME)
    (board.work / "lease" / protocol.token_name(1) / "holder").write_text(line)

    assert acquire(board, OTHER) == 2


def test_another_tools_lease_is_respected_for_as_long_as_it_is_touched(board: Board) -> None:
    lock = board.sysroot / "tmp/magnetar-lease/lock"
    lock.mkdir(parents=True)

    holder = board.result("probe", blobs=[], lease=ME)["holder"]
    error = board.error("lease", op="acquire", **ME)

    assert (holder["foreign"], holder["ttl_s"]) == (True, 1800.0)
    assert (error["code"], error["details"]["foreign"]) == ("LEASED", True)
    os.utime(lock, (0, 0))
    assert acquire(board, ME) == 1


def test_one_probe_takes_the_lease_and_tells_what_was_sent_before(board: Board) -> None:
    first = board.result("probe", blobs=[], lease=ME)
    digest = board.send(b"half", token=first["lease"]["token"])
    board.result("lease", op="release", token=1)

    found = board.result("probe", blobs=[digest], lease=OTHER)

    assert (found["lease"], found["holder"]) == ({"token": 2}, None)
    assert found["parts"] == {digest: 4}
    incoming = board.work / "incoming"
    assert [path.name for path in incoming.iterdir()] == [protocol.token_name(2)]


def test_an_upload_that_goes_on_after_a_takeover_reaches_nothing(board: Board) -> None:
    digest = board.send(b"half", token=acquire(board, ME))
    part = f"{digest}.part"
    with (board.work / "incoming" / protocol.token_name(1) / part).open("ab") as zombie:
        pass_time(board, 100.0)
        acquire(board, OTHER)

        zombie.write(b" and more")

    assert (board.work / "incoming" / protocol.token_name(2) / part).read_bytes() == b"half"


def test_a_probe_of_a_held_board_tells_everything_and_takes_nothing(board: Board) -> None:
    acquire(board, ME)

    found = board.result("probe", blobs=[], lease=OTHER)

    assert (found["lease"], found["holder"]["owner"]) == (None, "me")
    assert found["facts"]["uid"] == "0x6007080746221049"


def test_what_somebody_left_beside_the_leases_is_no_obstacle(board: Board) -> None:
    folder = board.work / "lease"
    for name in ("notes", "9" * 23):
        (folder / name).mkdir(parents=True)
    (folder / "00000000000000000099").touch()

    token = acquire(board, ME)

    assert token == 100
    assert board.result("lease", op="renew", token=token, **ME)["lease"] == {"token": 100}
