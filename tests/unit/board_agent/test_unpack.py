"""Unpacking on the board: the right blob, or an error that says what was damaged."""

from __future__ import annotations

import hashlib
import lzma
import zlib
from pathlib import Path

import pytest

from board_agent import files, patch
from board_agent.errors import AgentError
from board_agent.request import Unpack
from board_agent.store import Store
from board_agent.unpack import unpack

OLD, NEW = b"old weights " * 1000, b"old weights " * 500 + b"and new ones"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    place = Store(tmp_path, 7)
    for folder in (place.incoming(7), place.path("blobs")):
        folder.mkdir(parents=True)
    place.blob(sha256(OLD)).write_bytes(OLD)
    return place


def leb(kind: int, count: int) -> bytes:
    number, code = count * 4 + kind, b""
    while number > 127:
        code, number = code + bytes([number & 127 | 128]), number >> 7
    return code + bytes([number])


def delta(
    operations: bytes, base: bytes = OLD, target: bytes = NEW, size: int | None = None
) -> bytes:
    ids = (hashlib.sha256(base).digest(), len(base), hashlib.sha256(target).digest())
    size = len(target) if size is None else size
    return patch.HEADER.pack(patch.MAGIC, *ids, size, patch.ZLIB) + zlib.compress(operations)


GOOD = delta(leb(patch.COPY, 6000) + leb(patch.DATA, 12) + NEW[6000:])


def sent(store: Store, encoding: str, payload: bytes, target: bytes = NEW) -> Unpack:
    """Leave a payload where the host does."""
    store.part(sha256(payload)).write_bytes(payload)
    base = sha256(OLD) if encoding == "delta" else None
    return Unpack(sha256(target), len(target), encoding, sha256(payload), base)


@pytest.mark.parametrize(
    ("encoding", "payload"),
    [("zlib", zlib.compress(NEW)), ("lzma", lzma.compress(NEW)), ("delta", GOOD)],
)
def test_what_was_sent_becomes_a_blob_and_goes(store: Store, encoding: str, payload: bytes) -> None:
    unpack(store, sent(store, encoding, payload), "model.axmodel")

    assert store.blob(sha256(NEW)).read_bytes() == NEW
    assert list(store.incoming(7).iterdir()) == []


def test_an_empty_blob_can_be_packed(store: Store) -> None:
    unpack(store, sent(store, "zlib", zlib.compress(b""), b""), "empty")
    assert store.blob(sha256(b"")).read_bytes() == b""


@pytest.mark.parametrize(
    ("encoding", "payload", "says"),
    [
        ("zlib", zlib.compress(NEW)[:-9], "it is cut off"),
        ("zlib", b"no zlib at all", "it cannot be unpacked"),
        ("lzma", lzma.compress(NEW)[:-9], "it is cut off"),
        ("lzma", b"no xz at all", "it cannot be unpacked"),
        ("zlib", zlib.compress(NEW + b"more"), "it makes 4 bytes too many"),
        ("zlib", zlib.compress(NEW[:-5]), "it makes 5 bytes too few"),
        ("zlib", zlib.compress(bytes(10**7)), "bytes too many"),
        ("zlib", zlib.compress(bytes(len(NEW))), "the sha256 of what comes of it is another"),
        ("delta", b"ORCHDLT9" + GOOD[8:], "it does not begin as a delta of version 1"),
        ("delta", GOOD[:40], "it does not begin as a delta of version 1"),
        ("delta", delta(leb(patch.COPY, 6012)), "the sha256 of what comes of it is another"),
        ("delta", delta(leb(patch.COPY, 12)), "it ends too early"),
        ("delta", delta(leb(patch.SEEK, 3) + leb(patch.COPY, 9)), "it reads 9 bytes at -2"),
        ("delta", delta(leb(patch.SEEK, 23990) + leb(patch.COPY, 6)), "it reads 6 bytes at 11995"),
        ("delta", delta(leb(patch.DATA, 0)), "an operation has 0 bytes"),
        ("delta", delta(b"\xff" * 20), "a number in it does not end"),
        ("delta", delta(leb(patch.COPY, 6013)), "an operation has 6013 bytes, 6012 are to come"),
        ("delta", delta(b"", target=b"other"), "it is a delta between other blobs"),
        ("delta", delta(b"", base=b"other"), "it is a delta between other blobs"),
        ("delta", delta(b"", size=10**12), "it is a delta between other blobs"),
        ("delta", GOOD[:88] + b"\x07" + GOOD[89:], "its compression is 7"),
    ],
)
def test_what_does_not_make_the_blob_is_refused_and_leaves_nothing(
    store: Store, encoding: str, payload: bytes, says: str
) -> None:
    how = sent(store, encoding, payload)

    with pytest.raises(AgentError, match=says) as raised:
        unpack(store, how, "model.axmodel")

    assert raised.value.code == "HASH_MISMATCH"
    assert raised.value.details["damaged"] == "encoding"
    assert [path.name for path in store.incoming(7).iterdir()] == [how.payload + ".part"]
    assert [path.name for path in store.path("blobs").iterdir()] == [sha256(OLD)]


def test_a_payload_that_was_damaged_on_its_way_goes(store: Store) -> None:
    how = sent(store, "zlib", zlib.compress(NEW))
    store.part(how.payload).write_bytes(zlib.compress(NEW)[:-1])

    with pytest.raises(AgentError, match="what arrived is not what was sent") as raised:
        unpack(store, how, "model.axmodel")

    assert raised.value.details["damaged"] == "payload"
    assert list(store.incoming(7).iterdir()) == []


def test_a_base_that_the_disk_let_rot_goes(store: Store) -> None:
    store.blob(sha256(OLD)).write_bytes(b"X" + OLD[1:])

    with pytest.raises(AgentError, match="the blob it starts from was damaged") as raised:
        unpack(store, sent(store, "delta", GOOD), "model.axmodel")

    assert raised.value.details["damaged"] == "base"
    assert list(store.path("blobs").iterdir()) == []


def test_a_base_that_is_not_there_is_said(store: Store) -> None:
    store.blob(sha256(OLD)).unlink()
    with pytest.raises(AgentError, match="its base is not on the board"):
        unpack(store, sent(store, "delta", GOOD), "model.axmodel")


def test_nothing_sent_is_said(store: Store) -> None:
    how = Unpack(sha256(NEW), len(NEW), "zlib", sha256(b"never"), None)
    with pytest.raises(AgentError, match="nothing was sent of it"):
        unpack(store, how, "model.axmodel")


def test_a_full_disk_leaves_nothing_half_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = files.put

    def full(file: object, data: bytes) -> None:
        put(file, data[:100])  # type: ignore[arg-type]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "put", full)
    how = sent(store, "zlib", zlib.compress(NEW))

    with pytest.raises(OSError, match="No space left"):
        unpack(store, how, "model.axmodel")

    assert [path.name for path in store.incoming(7).iterdir()] == [how.payload + ".part"]


def test_large_content_is_unpacked_in_small_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = bytes(5_000_000)
    put, pieces = files.put, list[int]()

    def counting(file: object, data: bytes) -> None:
        pieces.append(len(data))
        put(file, data)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "put", counting)
    unpack(store, sent(store, "zlib", zlib.compress(large), large), "model.axmodel")

    assert sum(pieces) == len(large)
    assert max(pieces) < 1_000_000
