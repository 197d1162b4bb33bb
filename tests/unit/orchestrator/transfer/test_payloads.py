"""Payloads: made once, kept, bounded."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
import time
from pathlib import Path

import pytest

from orchestrator.transfer.payloads import Once, Payloads


def kept(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.iterdir()}


def test_a_payload_is_made_once_and_found_again(tmp_path: Path) -> None:
    first = Payloads(tmp_path).get("a", lambda path: path.write_bytes(b"content"))
    again = Payloads(tmp_path).get("a", lambda _: pytest.fail("made twice"))

    assert first == again
    assert (first.sha256, first.size_bytes) == (hashlib.sha256(b"content").hexdigest(), 7)
    assert first.path.read_bytes() == b"content"


def test_threads_and_processes_make_it_once_between_them(tmp_path: Path) -> None:
    made = []

    def write(path: Path) -> None:
        made.append(path)
        path.write_bytes(b"content")

    crews = [Payloads(tmp_path), Payloads(tmp_path)]  # of two processes
    threads = [
        threading.Thread(target=crews[number % 2].get, args=("a", write)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(made) == 1


def test_what_the_disk_let_rot_is_made_again(tmp_path: Path) -> None:
    found = Payloads(tmp_path).get("a", lambda path: path.write_bytes(b"content"))
    found.path.write_bytes(b"CONTENT")

    again = Payloads(tmp_path).get("a", lambda path: path.write_bytes(b"content"))

    assert again.path.read_bytes() == b"content"


def test_a_forgotten_payload_is_made_again(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path)
    payloads.get("a", lambda path: path.write_bytes(b"old"))
    payloads.forget("a")
    assert payloads.get("a", lambda path: path.write_bytes(b"new")).path.read_bytes() == b"new"


def test_a_failed_one_leaves_nothing(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        Payloads(tmp_path).get("a", write)
    assert kept(tmp_path) <= {"a"}
    assert not list(tmp_path.glob("*.half"))


def test_the_least_recently_used_go_first_and_the_recent_stay(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path, limit_bytes=250)
    long_ago = time.time() - 86400
    for number, name in enumerate("abc"):
        path = payloads.get(name, lambda path: path.write_bytes(bytes(100))).path
        os.utime(path, (long_ago + number, long_ago + number))

    payloads.get("d", lambda path: path.write_bytes(bytes(100)))
    assert kept(tmp_path) == {"c", "d"}

    payloads.get("e", lambda path: path.write_bytes(bytes(400)))
    assert kept(tmp_path) == {"d", "e"}  # both may be on their way to a board


def test_payloads_go_to_another_process(tmp_path: Path) -> None:
    copy = pickle.loads(pickle.dumps(Payloads(tmp_path)))  # noqa: S301 - our own
    assert copy.get("a", lambda path: path.write_bytes(b"content")).size_bytes == 7


def test_a_value_that_could_not_be_worked_out_is_tried_again() -> None:
    once = Once[str, int]()
    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1 // 0)
    assert once.get("a", lambda: 1) == 1
