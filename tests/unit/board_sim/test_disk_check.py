"""What looks at a board's disk from outside finds everything that must not be there."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from containers.faults.disk import Disk, leftovers, not_converged, unpack_disk, violations

MODEL = b"a model"
NAME = hashlib.sha256(MODEL).hexdigest()
LEASE = f"lease/{7:020d}"


def manifest(sha256: str = NAME, size_bytes: int = len(MODEL)) -> bytes:
    return json.dumps(
        {"files": {"model.axmodel": {"sha256": sha256, "size_bytes": size_bytes}}}
    ).encode()


SOUND = Disk(
    files={f"blobs/{NAME}": MODEL, "releases/r1/manifest.json": manifest()},
    links={"current": "releases/r1"},
    folders=frozenset({"blobs", "releases", "releases/r1", "lease", LEASE}),
)


def with_file(path: str, content: bytes) -> Disk:
    return replace(SOUND, files={**SOUND.files, path: content})


def without(path: str) -> Disk:
    return replace(SOUND, files={key: one for key, one in SOUND.files.items() if key != path})


def test_a_sound_board_and_an_empty_one_have_no_violation() -> None:
    assert violations(SOUND) == []
    assert not_converged(SOUND, "r1") == []
    assert violations(unpack_disk(b"", ".orch")) == []


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (with_file(f"blobs/{NAME}", b"a mod"), "blobs/"),
        (without(f"blobs/{NAME}"), "model.axmodel is not there"),
        (without("releases/r1/manifest.json"), "has no manifest"),
        (with_file("releases/r1/manifest.json", manifest()[:20]), "a torn manifest of 20 bytes"),
        (with_file("releases/r1/manifest.json", manifest(size_bytes=9)), "is torn, 7 of 9 bytes"),
        (replace(SOUND, links={"current": "releases/r2"}), "releases/r2 has no manifest"),
        (replace(SOUND, links={**SOUND.links, "previous": "releases/r0"}), "previous: "),
        (with_file(f"agent/{NAME}.pyz", b"x"), "agent/"),
        (replace(SOUND, links={}, files={**SOUND.files, "current": b""}), "current is no link"),
    ],
)
def test_each_kind_of_damage_is_found(disk: Disk, said: str) -> None:
    assert any(said in one for one in violations(disk))


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        (SOUND, "current is releases/r1, not releases/r2"),
        (with_file(f"{LEASE}/holder", b"me boot 1 60"), "leases are held"),
        (replace(SOUND, folders=SOUND.folders | {f"lease/{8:020d}"}), "2 leases are kept"),
        (with_file(f"incoming/{7:020d}/{NAME}.part", b"a"), "left over: incoming/"),
        (with_file("current.tmp", b""), "left over: current.tmp"),
    ],
)
def test_a_board_that_is_sound_but_not_done_is_found(disk: Disk, said: str) -> None:
    assert violations(disk) == []
    assert any(said in one for one in not_converged(disk, "r2"))


def test_a_part_is_no_violation_for_the_next_deploy_goes_on_with_it() -> None:
    part = with_file(f"incoming/{7:020d}/{NAME}.part", b"a")
    assert violations(part) == []
    assert leftovers(part) == [f"incoming/{7:020d}/{NAME}.part"]


@pytest.fixture
def packed() -> Callable[[Disk], bytes]:
    """Give what packs a disk as `tar -c .orch` does."""

    def pack(disk: Disk) -> bytes:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for path, content in disk.files.items():
                entry = tarfile.TarInfo(f".orch/{path}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            for path, target in disk.links.items():
                entry = tarfile.TarInfo(f".orch/{path}")
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
            for path in disk.folders:
                entry = tarfile.TarInfo(f".orch/{path}")
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
        return data.getvalue()

    return pack


def test_a_disk_is_read_as_it_is_on_the_board(packed: Callable[[Disk], bytes]) -> None:
    assert unpack_disk(packed(SOUND), ".orch") == SOUND
