"""Make a blob of what was sent: unpacked, or a blob on the board with a delta applied to it.

What comes of it is written beside what was sent and gets its name only when the disk is seen to
hold the right bytes. It never becomes larger than it was said to be, and memory does not grow.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from board_agent import files, patch
from board_agent.errors import AgentError
from board_agent.patch import DamagedError
from board_agent.request import Unpack
from board_agent.store import Store

_BUFFER_BYTES = 256 * 1024


def unpack(store: Store, how: Unpack, name: str) -> None:
    """Give a blob its name under blobs/; what was sent for it goes.

    Raises HASH_MISMATCH: what was damaged, payload or base, has been removed; send again.
    """
    payload = store.part(how.payload)
    if files.size(payload) is None:
        raise _mismatch(how, f"{name}: nothing was sent of it", "payload")
    target = payload.with_name(how.sha256 + ".new")
    try:
        try:
            _write(store, how, payload, target)
        except DamagedError as error:
            raise _blame(store, how, payload, f"{name}: {how.encoding}: {error}") from error
        files.make_dir(store.path("blobs"))
        files.rename(target, store.blob(how.sha256))
    except (OSError, AgentError):
        files.remove(target)  # on a full disk every byte counts
        raise
    files.remove(payload)


class Outflow:
    """Writes in large pieces, and never more than `limit` bytes."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._left, self._held = file, limit, bytearray()

    def write(self, data: bytes) -> None:
        """Take more of the content. Raises DamagedError where it is more than it may be."""
        self._left -= len(data)
        if self._left < 0:
            raise DamagedError(f"it makes {-self._left} bytes too many")
        self._held += data
        if len(self._held) >= _BUFFER_BYTES:
            self._flush()

    def end(self) -> None:
        """Bring all of it down to the disk. Raises DamagedError where something is missing."""
        if self._left:
            raise DamagedError(f"it makes {self._left} bytes too few")
        self._flush()
        files.sync(self._file)

    def _flush(self) -> None:
        files.put(self._file, bytes(self._held))
        self._held.clear()


def _write(store: Store, how: Unpack, payload: Path, target: Path) -> None:
    with payload.open("rb") as packed, files.create(target) as file:
        into = Outflow(file, how.size_bytes)
        if how.encoding == "delta":
            _apply(store, how, packed, into)
        else:
            kind = patch.LZMA if how.encoding == "lzma" else patch.ZLIB
            inflow = patch.Inflow(packed, patch.inflater(kind))
            for piece in iter(inflow.some, b""):
                into.write(piece)
        into.end()
    if files.sha256(target) != how.sha256:
        raise DamagedError("the sha256 of what comes of it is another")


def _apply(store: Store, how: Unpack, packed: BinaryIO, into: Outflow) -> None:
    header = patch.read_header(packed)
    promised = (header.base_sha256, header.target_sha256, header.target_bytes)
    if promised != (how.base, how.sha256, how.size_bytes):
        raise DamagedError("it is a delta between other blobs")
    try:
        base = store.blob(header.base_sha256).open("rb")
    except FileNotFoundError as error:
        raise DamagedError("its base is not on the board") from error
    with base:
        patch.apply(packed, header, base, into)


def _blame(store: Store, how: Unpack, payload: Path, message: str) -> AgentError:
    """Remove what is damaged, so that it is not used again, and say which it was."""
    base = store.blob(how.base) if how.base else None
    if files.sha256(payload) != how.payload:
        files.remove(payload)
        return _mismatch(how, f"{message}; what arrived is not what was sent", "payload")
    if base is None or files.size(base) is None:
        return _mismatch(how, message, "encoding")
    if files.sha256(base) != how.base:
        files.remove(base)  # it was sound when it got its name: the disk let it rot
        return _mismatch(how, f"{message}; the blob it starts from was damaged", "base")
    return _mismatch(how, message, "encoding")


def _mismatch(how: Unpack, message: str, damaged: str) -> AgentError:
    details = {"sha256": how.sha256, "payload": how.payload, "base": how.base, "damaged": damaged}
    return AgentError("HASH_MISMATCH", message, details)
