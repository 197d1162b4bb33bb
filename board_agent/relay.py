"""Blobs from board to board: `serve` hands out some for as long as it is held, `fetch` takes them.

What serves is a process of one SSH session, not a daemon: it ends with its stdin. It gives out the
blobs it was told, read-only, below a path that nobody can guess. Whoever fetches believes nothing:
a blob gets its name only when its sha256 is right.
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import os
import re
import secrets
import select
import socket
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Callable, NamedTuple

from board_agent import files, request
from board_agent.answer import NO_ROOM
from board_agent.errors import AgentError
from board_agent.release import adopt
from board_agent.request import File
from board_agent.store import Store

#: What one read or write on the line may take.
LINE_TIMEOUT_S = 20.0
_PIECE_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{1,18})-")
#: Receivers that the kernel lets wait for a connection.
_MAX_WAITING = 64


class Wanted(NamedTuple):
    """What is to be fetched: blobs, from `host:port`, below `path`, until `ends`."""

    host: str
    port: int
    path: str
    blobs: list[File]
    ends: float


class Server(ThreadingHTTPServer):
    """Hands out open files by sha256 below a secret path."""

    daemon_threads = True
    request_queue_size = _MAX_WAITING

    def __init__(self, address: str, blobs: dict[str, BinaryIO]) -> None:
        self.blobs, self.secret = blobs, secrets.token_urlsafe(32)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A receiver that goes away is no event here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = LINE_TIMEOUT_S

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)  # noqa: S101 - only this makes handlers
        secret, _, sha256 = self.path[1:].partition("/")
        blob = server.blobs.get(sha256)
        known = hmac.compare_digest(secret.encode("utf-8", "replace"), server.secret.encode())
        if not known or blob is None:
            self.send_error(404)
            return
        size, found = os.fstat(blob.fileno()).st_size, _RANGE.fullmatch(self.headers["Range"] or "")
        start = int(found.group(1)) if found else 0
        if start > size:
            self.send_error(416)
            return
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(size - start))
        if found:
            self.send_header("Content-Range", f"bytes {start}-{max(size - 1, 0)}/{size}")
        self.end_headers()
        while start < size:
            piece = os.pread(blob.fileno(), _PIECE_BYTES, start)
            if not piece:
                self.close_connection = True  # shorter than it was: the receiver sees that too
                return
            self.wfile.write(piece)
            start += len(piece)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nobody reads it, and the path is a secret."""


def serve(
    store: Store, asked: dict[str, Any], say: Callable[[dict[str, Any]], int], stdin: int
) -> None:
    """Answer with port and secret, then hand out blobs until stdin ends or the deadline comes."""
    sums, ends = request.digests(asked, "blobs"), _ends(asked)
    with contextlib.ExitStack() as stack:
        # Open from now on: a collection of garbage meanwhile takes nothing from a receiver.
        blobs = {sha256: stack.enter_context(_opened(store, sha256)) for sha256 in sums}
        server = stack.enter_context(_listen(str(asked.get("address") or ""), blobs))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say({"port": server.server_address[1], "secret": server.secret})
        while time.monotonic() < ends:
            ready, _, _ = select.select([stdin], [], [], max(0.0, ends - time.monotonic()))
            if ready and not os.read(stdin, 4096):
                break
        server.shutdown()


def _opened(store: Store, sha256: str) -> BinaryIO:
    try:
        return store.blob(sha256).open("rb")
    except FileNotFoundError as error:
        raise AgentError(
            "HASH_MISMATCH", f"blob {sha256} is not on the relay", {"sha256": sha256}
        ) from error


def _listen(address: str, blobs: dict[str, BinaryIO]) -> Server:
    """Listen on the address the others know the board by, else on all it has."""
    try:
        return Server(address, blobs)
    except OSError:  # a name of the network's, not of this board
        return Server("", blobs)


def read(asked: dict[str, Any]) -> Wanted:
    """What a request of kind `fetch` wants."""
    url, blobs = asked.get("url"), asked.get("blobs")
    if not isinstance(url, str) or not isinstance(blobs, list):
        raise request.refuse("url is no text, or blobs is no list")
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise request.refuse(f"url is none: {error}") from error
    if parts.scheme != "http" or not host or not port:
        raise request.refuse("url is not http://host:port/…")
    listed = request.files({"files": {entry.get("sha256"): entry for entry in _objects(blobs)}})
    return Wanted(host, port, parts.path.rstrip("/"), listed, _ends(asked))


def _ends(asked: dict[str, Any]) -> float:
    return time.monotonic() + request.seconds(asked, "deadline_s")


def _objects(entries: list[Any]) -> list[dict[str, Any]]:
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise request.refuse(f"blobs: {entry!r:.200} is no object with a sha256")
    return entries


def fetch(store: Store, wanted: Wanted) -> int:
    """Bring the parts that are missing here; give the bytes that came. Raises RELAY_FAILED."""
    line = http.client.HTTPConnection(wanted.host, wanted.port, timeout=LINE_TIMEOUT_S)
    came = 0
    try:
        with contextlib.closing(line):
            for blob in wanted.blobs:
                if files.size(store.blob(blob.sha256)) is None:
                    came += _fetch(store, wanted, blob, line)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, OSError) and (error.filename or error.errno in NO_ROOM):
            raise  # the disk's, not the line's
        message = f"{wanted.host}:{wanted.port}: {error or type(error).__name__}"
        raise AgentError("RELAY_FAILED", message, {"fetched_bytes": came}) from error
    return came


def _fetch(store: Store, wanted: Wanted, blob: File, line: http.client.HTTPConnection) -> int:
    part = store.part(blob.sha256)
    offset = files.size(part) or 0
    if offset > blob.size_bytes:
        files.remove(part)
        offset = 0
    if offset == blob.size_bytes and offset:
        return 0
    line.request("GET", f"{wanted.path}/{blob.sha256}", headers={"Range": f"bytes={offset}-"})
    answer = line.getresponse()
    rest = blob.size_bytes - offset
    if answer.status != 206 or answer.length != rest:  # noqa: PLR2004 - Partial Content
        what = f"status {answer.status}, {answer.length} bytes instead of {rest}"
        raise http.client.HTTPException(f"{blob.sha256[:12]}: {what}")
    with files.append(part) as file:
        while rest:
            if time.monotonic() > wanted.ends:
                raise http.client.HTTPException("it took longer than it may")
            piece = answer.read(min(_PIECE_BYTES, rest))
            if not piece:
                raise http.client.HTTPException(f"it ended {rest} bytes too early")
            files.put(file, piece)
            rest -= len(piece)
    return blob.size_bytes - offset


def take(store: Store, wanted: Wanted) -> None:
    """Give what was fetched its name, once the disk is seen to hold it. Raises HASH_MISMATCH."""
    for blob in wanted.blobs:
        if files.size(store.blob(blob.sha256)) is None:
            adopt(store, blob.sha256, blob.sha256)
