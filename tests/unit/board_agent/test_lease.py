from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import claims, files, protocol, sites
from board_agent.errors import AgentError
from board_agent.lease import Lease
from board_agent.places import Board as Place
from board_agent.request import Claim
from board_agent.store import Store

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

ME, OTHER = {"owner": "me", "ttl_s": 60}, {"owner": "other", "ttl_s": 60}
HASH = "0" * 64
WORK = {"run_id": "x", "model": "model.axmodel", "deadline_s": 60}
RELEASE = {"release_id": "r9", "manifest": {"files": {"a": {"sha256": HASH, "size_bytes": 1}}}}
#: A sound request of every kind that changes something.
MUTATING: dict[str, dict[str, Any]] = {
    "stage": RELEASE,
    "activate": RELEASE,
    "rollback": {},
    "benchmark": WORK | {"warmup": 0, "iterations": 1},
    "infer": WORK | {"inputs": [HASH]},
    "tool": WORK | {"warmup": 0, "iterations": 1},
    "contend": WORK | {"warmup": 0, "iterations": 1, "others": [None]},
    "gc": {"keep": [], "dry_run": False},
    "cancel": {},
    "fetch": {
        "url": "http://127.0.0.1:9/x",
        "blobs": [{"sha256": HASH, "size_bytes": 1}],
        "deadline_s": 60,
    },
    "install": {"name": f"{sites.tag()}-{HASH[:16]}", "manifest": RELEASE["manifest"]},
    "selftest": {"deadline_s": 60},
}
READING = {"probe", "serve", "runtime"}


def acquire(board: Board, who: dict[str, object]) -> int:
    token: int = board.result("lease", op="acquire", **who)["lease"]["token"]
    return token


def pass_time(board: Board, uptime_s: float) -> None:
    board.write_fact("proc/uptime", f"{uptime_s} 1.0\n")


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


def test_every_kind_either_reads_or_is_fenced() -> None:
    assert set(protocol.KINDS) == READING | set(MUTATING) | {"lease"}


@pytest.fixture(scope="module")
def taken_over(new_board: Callable[[], Board]) -> Board:
    """A board with two releases, whose first holder was silent for too long and has a follower."""
    board = new_board()
    board.near, board.held = True, False
    pass_time(board, 10.0)
    assert acquire(board, ME) == 1
    board.deploy(token=1)
    board.deploy("r2", token=1)
    pass_time(board, 100.0)
    assert acquire(board, OTHER) == 2
    return board


@pytest.mark.parametrize("token", [1, None, 3])
@pytest.mark.parametrize("kind", MUTATING)
def test_nothing_is_done_under_a_token_that_is_not_the_leases(
    taken_over: Board, kind: str, token: int | None
) -> None:
    before = tree(taken_over.work)

    error = taken_over.error(kind, token=token, **MUTATING[kind])

    assert error["code"] == "STALE_TOKEN"
    assert tree(taken_over.work) == before
    assert taken_over.noted("loads") == 0


def tree(folder: Path) -> dict[str, bytes | str]:
    found: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            name = str(path.relative_to(folder))
            found[name] = str(path.readlink()) if path.is_symlink() else path.read_bytes()
    return found


class Contender:
    """One of many processes that want the same lease; `log` has what each did, in order."""

    def __init__(self, folder: Path, name: str, seed: int) -> None:
        self.folder, self.name, self.draw = folder, name, random.Random(seed)  # noqa: S311 - to be drawn again
        self.lease = Lease(Store(folder / "work"), Place(str(folder)))

    def note(self, text: str) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(text + "\n")

    def live(self) -> None:
        for turn in range(15):
            try:
                self.turn(Claim(f"{self.name}-{turn}", 5.0))
            except AgentError as error:
                assert error.code in {"LEASED", "STALE_TOKEN"}  # noqa: PT017 - in a child
            if self.draw.random() < 0.3:  # everybody was silent for longer than allowed
                self.sleep(turn)

    def sleep(self, number: int) -> None:
        clock = self.folder / "proc" / f"{self.name}-{number}"
        clock.write_text(f"{time.monotonic_ns() / 1e6} 1\n")
        clock.replace(self.folder / "proc/uptime")

    def turn(self, claim: Claim) -> None:
        token = claims.acquire(claim, self.lease)
        for _ in range(3):
            with self.lease.fenced(token):
                self.note(f"{token}")
            if self.draw.random() < 0.2:
                self.sleep(token)
        if self.draw.random() < 0.5:
            with files.locked(self.lease.place.path("lock")):
                self.lease.release(token)


@pytest.fixture
def contended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sync", "sync_dir"):  # many processes on one disk: this is about their order
        monkeypatch.setattr(files, name, lambda _what: None)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/uptime").write_text("1 1\n")
    return tmp_path


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_many_who_want_the_board_are_never_two_at_it(contended: Path, seed: int) -> None:
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            ended = 1
            try:
                Contender(contended, f"p{number}", seed * 100 + number).live()
                ended = 0
            finally:
                os._exit(ended)
        children.append(child)

    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 6
    done = [int(line) for line in (contended / "log").read_text().splitlines()]
    assert done == sorted(done)  # once a larger token has done something, no smaller one does
    assert len(set(done)) > 3


def test_what_somebody_left_beside_the_leases_is_no_obstacle(board: Board) -> None:
    folder = board.work / "lease"
    for name in ("notes", "9" * 23):
        (folder / name).mkdir(parents=True)
    (folder / "00000000000000000099").touch()

    token = acquire(board, ME)

    assert token == 100
    assert board.result("lease", op="renew", token=token, **ME)["lease"] == {"token": 100}
