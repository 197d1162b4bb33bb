"""What every keeper of artifacts must do. A new backend is one line in `BACKENDS`."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.errors import OrchError
from orchestrator.seams import Blobs

BACKENDS: dict[str, Callable[[Path], Blobs]] = {
    "folder": lambda path: FsspecBlobs(str(path / "cas")),
    "folder with spaces": lambda path: FsspecBlobs(str(path / "a b" / "cäs")),
    "memory": lambda _: FsspecBlobs(f"memory://{uuid.uuid4().hex}/cas"),
}
CONTENT = b"content" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=BACKENDS)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def read(blobs: Blobs, sha256: str) -> bytes:
    with blobs.open(sha256) as path:
        return path.read_bytes()


def test_a_blob_is_named_by_its_content(blobs: Blobs, source: Path) -> None:
    artifact = blobs.put(source, "model.onnx")

    assert (artifact.sha256, artifact.size_bytes, artifact.name) == (SHA256, 7000, "model.onnx")
    assert blobs.has(SHA256)
    assert read(blobs, SHA256) == CONTENT


def test_a_blob_outlives_its_source(blobs: Blobs, source: Path) -> None:
    blobs.put(source, "a")

    source.write_bytes(b"changed")
    assert read(blobs, SHA256) == CONTENT
    source.unlink()
    assert read(blobs, SHA256) == CONTENT


def test_the_same_content_twice_is_one_blob(blobs: Blobs, source: Path) -> None:
    first, second = blobs.put(source, "a"), blobs.put(source, "b")

    assert (first.sha256, first.name, second.name) == (second.sha256, "a", "b")
    assert read(blobs, SHA256) == CONTENT


def test_an_empty_file_is_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert read(blobs, blobs.put(tmp_path / "empty", "e").sha256) == b""


def test_what_is_not_there_is_a_key_error(blobs: Blobs) -> None:
    assert not blobs.has(SHA256)
    with pytest.raises(KeyError, match=SHA256), blobs.open(SHA256):
        pass


def test_a_source_that_is_not_there_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        blobs.put(tmp_path / "no", "no")


def test_what_is_stored_is_listed_with_its_size_and_age(blobs: Blobs, source: Path) -> None:
    assert blobs.stored() == []
    before = time.time()
    blobs.put(source, "a")

    (found,) = blobs.stored()

    assert (found.sha256, found.size_bytes) == (SHA256, 7000)
    assert before - 5 <= found.modified <= time.time() + 5


def test_a_removed_blob_is_gone_and_can_be_put_again(blobs: Blobs, source: Path) -> None:
    blobs.put(source, "a")

    blobs.remove(SHA256)
    blobs.remove(SHA256)
    assert not blobs.has(SHA256)
    assert blobs.stored() == []

    blobs.put(source, "a")
    assert read(blobs, SHA256) == CONTENT


def test_only_old_halves_of_blobs_are_removed(source: Path, tmp_path: Path) -> None:
    blobs = FsspecBlobs(str(tmp_path / "cas"))
    blobs.put(source, "a")
    whole = tmp_path / "cas" / SHA256[:2] / SHA256
    old, new = (whole.with_name(f"{SHA256}.{name}.part") for name in ("old", "new"))
    for path, modified in ((old, 100), (new, 300), (whole, 100)):
        path.write_bytes(b"half")
        os.utime(path, (modified, modified))

    assert blobs.remove_halves(200, dry_run=True) == 4
    assert old.exists()
    assert blobs.remove_halves(200) == 4
    assert [path.exists() for path in (old, new, whole)] == [False, True, True]
    assert [blob.sha256 for blob in blobs.stored()] == [SHA256]


def test_many_writers_of_one_content_do_not_disturb_each_other(blobs: Blobs, source: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: blobs.put(source, "a").sha256, range(32)))

    assert set(found) == {SHA256}
    assert read(blobs, SHA256) == CONTENT


def test_a_folder_holds_nothing_but_whole_blobs(source: Path, tmp_path: Path) -> None:
    blobs = BACKENDS["folder"](tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: blobs.put(source, "a"), range(16)))

    files = [path for path in (tmp_path / "cas").rglob("*") if path.is_file()]
    assert files == [tmp_path / "cas" / SHA256[:2] / SHA256]


def test_a_blob_that_rots_is_thrown_away_so_that_it_is_made_again(
    source: Path, tmp_path: Path
) -> None:
    blobs = FsspecBlobs(str(tmp_path / "cas"))
    blobs.put(source, "model.onnx")
    (tmp_path / "cas" / SHA256[:2] / SHA256).write_bytes(CONTENT[:-1])

    with pytest.raises(OrchError, match=SHA256[:12]):
        read(blobs, SHA256)

    assert not blobs.has(SHA256)
    blobs.put(source, "model.onnx")
    assert read(blobs, SHA256) == CONTENT
