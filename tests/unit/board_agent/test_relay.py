"""A board that hands blobs on, and boards that take them: real agents, real HTTP on loopback."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from board_agent import protocol, relay
from board_agent.errors import AgentError

SMALL, LARGE = b"a sidecar", bytes(range(256)) * 8000
Boards = Callable[[str], Any]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def listed(*blobs: bytes) -> list[dict[str, object]]:
    return [{"sha256": sha256(blob), "size_bytes": len(blob)} for blob in blobs]


@pytest.fixture
def boards(board: Any, tmp_path: Path, agent: Path) -> Boards:
    """Gives more boards of the same kind."""
    return lambda name: type(board)(tmp_path / name, agent)


@dataclass(frozen=True)
class Offer:
    process: subprocess.Popen[bytes]
    port: int
    secret: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.secret}"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        line.request(method, path, headers=headers)
        answer = line.getresponse()
        got = answer.status, answer.read()
        line.close()
        return got


@contextmanager
def serving(board: Any, *blobs: bytes, **more: object) -> Iterator[Offer]:
    """Have a board hand out blobs for as long as the context."""
    (board.work / "blobs").mkdir(parents=True, exist_ok=True)
    for blob in blobs:
        (board.work / "blobs" / sha256(blob)).write_bytes(blob)
    request = {
        "version": protocol.VERSION,
        "kind": "serve",
        "work_dir": ".orch",
        "blobs": [sha256(blob) for blob in blobs],
        "address": "127.0.0.1",
        "deadline_s": 60,
    } | more
    process = board.spawn()
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        header = process.stdout.readline()
        reply = protocol.unpack(header + process.stdout.readline())
        assert reply["ok"], reply
        said = reply["result"]
        yield Offer(process, said["port"], said["secret"])
    finally:
        process.communicate(timeout=30)


def fetch(board: Any, url: str, *blobs: bytes) -> dict[str, Any]:
    """Take the lease and fetch; gives the reply."""
    token = board.result("lease", op="acquire", owner="me", ttl_s=60)["lease"]["token"]
    reply = board.ask("fetch", token=token, url=url, blobs=listed(*blobs), deadline_s=30)
    return dict(reply)


def blobs_of(board: Any) -> dict[str, bytes]:
    folder = board.work / "blobs"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_boards_fetch_what_another_hands_out(board: Any, boards: Boards) -> None:
    receivers, both = [boards("b2"), boards("b3")], (SMALL, LARGE)
    with serving(board, SMALL, LARGE) as offer:
        replies: list[dict[str, Any]] = []
        threads = [
            threading.Thread(target=lambda: replies.append(fetch(receivers[0], offer.url, *both))),
            threading.Thread(target=lambda: replies.append(fetch(receivers[1], offer.url, *both))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    for one in receivers:
        assert blobs_of(one) == {sha256(SMALL): SMALL, sha256(LARGE): LARGE}
    assert [reply["result"]["fetched_bytes"] for reply in replies] == [len(SMALL + LARGE)] * 2


def test_what_is_there_is_not_fetched_and_a_part_is_resumed(board: Any, boards: Boards) -> None:
    receiver = boards("b2")
    token = receiver.result("lease", op="acquire", owner="me", ttl_s=60)["lease"]["token"]
    part = receiver.work / "incoming" / protocol.token_name(token) / f"{sha256(LARGE)}.part"
    part.write_bytes(LARGE[:-1000])
    with serving(board, SMALL, LARGE) as offer:
        first = fetch(receiver, offer.url, LARGE)
        second = fetch(receiver, offer.url, LARGE)

    assert first["result"]["fetched_bytes"] == 1000
    assert second["result"]["fetched_bytes"] == 0
    assert blobs_of(receiver) == {sha256(LARGE): LARGE}


def test_only_the_named_blobs_are_given_and_only_to_who_knows_the_secret(board: Any) -> None:
    other = b"another blob"
    (board.work / "blobs").mkdir(parents=True)
    (board.work / "blobs" / sha256(other)).write_bytes(other)
    with serving(board, SMALL) as offer:
        good = f"/{offer.secret}/{sha256(SMALL)}"

        assert offer.get(good) == (200, SMALL)
        assert offer.get(good, Range="bytes=2-") == (206, SMALL[2:])
        assert offer.get(good, Range=f"bytes={len(SMALL)}-") == (206, b"")
        assert offer.get(good, Range="bytes=99-")[0] == 416
        for path in (
            f"/{'x' * len(offer.secret)}/{sha256(SMALL)}",
            f"//{sha256(SMALL)}",
            f"/{offer.secret}/{sha256(other)}",
            f"/{offer.secret}/../blobs/{sha256(SMALL)}",
            f"/{offer.secret}/",
            f"/{offer.secret}",
            "/",
        ):
            assert offer.get(path)[0] == 404, path
        assert offer.get(good, "PUT")[0] == 501
        assert offer.get(good, "POST")[0] == 501


def test_it_ends_with_its_stdin(board: Any) -> None:
    with serving(board, SMALL) as offer:
        assert offer.process.poll() is None
    assert offer.process.returncode == 0
    with pytest.raises(ConnectionRefusedError):
        offer.get("/")


def test_it_ends_at_its_deadline(board: Any) -> None:
    with serving(board, SMALL, deadline_s=0.2) as offer:
        assert offer.process.wait(30) == 0


def test_a_blob_that_goes_meanwhile_is_still_handed_out(board: Any) -> None:
    with serving(board, SMALL) as offer:
        (board.work / "blobs" / sha256(SMALL)).unlink()
        assert offer.get(f"/{offer.secret}/{sha256(SMALL)}") == (200, SMALL)


def test_what_a_board_has_not_it_does_not_offer(board: Any) -> None:
    error = board.error("serve", blobs=[sha256(b"what")], address="", deadline_s=5)
    assert error["code"] == "HASH_MISMATCH"


def test_a_relay_that_is_not_there_is_said(board: Any) -> None:
    with serving(board, SMALL) as offer:
        pass
    error = fetch(board, offer.url, LARGE)["error"]
    assert error["code"] == "RELAY_FAILED"
    assert offer.secret not in json.dumps(error)


def test_a_wrong_secret_is_no_blob(board: Any, boards: Boards) -> None:
    with serving(board, SMALL) as offer:
        error = fetch(boards("b2"), offer.url + "x", SMALL)["error"]
    assert error["code"] == "RELAY_FAILED"
    assert "status 404" in error["message"]


class _Liar(BaseHTTPRequestHandler):
    """Promises `length` bytes, sends `content`."""

    content, length = b"", 0

    def do_GET(self) -> None:
        self.send_response(206)
        self.send_header("Content-Length", str(self.length))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.mark.parametrize(
    ("content", "length", "code", "kept"),
    [
        (b"X" * len(SMALL), len(SMALL), "HASH_MISMATCH", None),
        (SMALL[:4], len(SMALL), "RELAY_FAILED", SMALL[:4]),
        (SMALL * 1000, len(SMALL) * 1000, "RELAY_FAILED", None),
    ],
)
def test_a_relay_that_lies_is_not_believed(
    board: Any, content: bytes, length: int, code: str, kept: bytes | None
) -> None:
    liar = type("Liar", (_Liar,), {"content": content, "length": length})
    with HTTPServer(("127.0.0.1", 0), liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        error = fetch(board, f"http://127.0.0.1:{server.server_port}/s", SMALL)["error"]
        server.shutdown()

    assert error["code"] == code
    assert blobs_of(board) == {}
    parts = [path.read_bytes() for path in (board.work / "incoming").rglob("*.part")]
    assert parts == ([] if kept is None else [kept])


def test_a_stale_token_fetches_nothing(board: Any, boards: Boards) -> None:
    receiver = boards("b2")
    old = receiver.result("lease", op="acquire", owner="me", ttl_s=60)["lease"]["token"]
    receiver.result("lease", op="acquire", owner="me", ttl_s=60)
    with serving(board, SMALL) as offer:
        error = receiver.error("fetch", token=old, url=offer.url, blobs=listed(SMALL), deadline_s=9)
    assert error["code"] == "STALE_TOKEN"
    assert blobs_of(receiver) == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://127.0.0.1:1/x"},
        {"url": "http://127.0.0.1/x"},
        {"url": "http://[::1/x"},
        {"url": 7},
        {"blobs": {}},
        {"blobs": [7]},
        {"blobs": [{"sha256": "../etc", "size_bytes": 1}]},
        {"blobs": [{"sha256": "0" * 64, "size_bytes": -1}]},
        {"deadline_s": 0},
    ],
)
def test_what_is_no_request_is_refused(fields: dict[str, object]) -> None:
    asked = {"url": "http://127.0.0.1:1/x", "blobs": listed(SMALL), "deadline_s": 9} | fields
    with pytest.raises(AgentError) as raised:
        relay.read(asked)
    assert raised.value.code == "BAD_REQUEST"
