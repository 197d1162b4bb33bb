"""Many processes want one board at the same time."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from board_agent import claims, files
from board_agent.errors import AgentError
from board_agent.lease import Lease
from board_agent.places import Board as Place
from board_agent.request import Claim
from board_agent.store import Store


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
