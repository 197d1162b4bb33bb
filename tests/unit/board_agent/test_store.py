from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

#: Ends the process where a blob would get its name, as a power cut would.
CRASH = """
import os, pathlib
replace = pathlib.Path.replace
def crash(self, target):
    if target.parent.name == "CRASH_IN":
        os._exit(9)
    return replace(self, target)
pathlib.Path.replace = crash
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def activate(board: Board, release_id: str, **files: bytes) -> dict[str, object]:
    return board.result("activate", release_id=release_id, manifest=board.manifest(None, **files))


def test_activating_makes_blobs_of_parts_and_switches(board: Board) -> None:
    manifest = board.manifest(model__axmodel=b"one", model__json=b"{}") | {"who": "me"}

    result = board.result("activate", release_id="r1", manifest=manifest)

    assert result == {"current": "r1", "previous": None, "switched": True}
    digest = manifest["files"]["model.axmodel"]["sha256"]
    assert (board.work / "blobs" / digest).read_bytes() == b"one"
    assert names(board.incoming) == set()
    assert json.loads((board.work / "current/manifest.json").read_text()) == manifest
    assert (board.work / "current").readlink() == Path("releases/r1")


def test_the_release_before_becomes_the_previous_one(board: Board) -> None:
    activate(board, "r1", a=b"one")

    result = activate(board, "r2", a=b"two")

    assert result == {"current": "r2", "previous": "r1", "switched": True}


def test_activating_the_current_release_again_switches_nothing(board: Board) -> None:
    activate(board, "r1", a=b"one")
    activate(board, "r2", a=b"two")

    result = activate(board, "r2", a=b"two")

    assert result == {"current": "r2", "previous": "r1", "switched": False}


def test_one_release_id_cannot_name_two_sets_of_files(board: Board) -> None:
    activate(board, "r1", a=b"one")

    error = board.error("activate", release_id="r1", manifest=board.manifest(a=b"two"))

    assert error["code"] == "BAD_REQUEST"


def test_a_torn_manifest_is_written_again(board: Board) -> None:
    activate(board, "r1", a=b"one")
    (board.work / "releases/r1/manifest.json").write_text('{"files"')

    activate(board, "r1", a=b"one")

    assert "files" in json.loads((board.work / "current/manifest.json").read_text())


def test_a_part_that_is_not_what_was_sent_is_removed(board: Board) -> None:
    manifest = board.manifest(a=b"good")
    digest = manifest["files"]["a"]["sha256"]
    part = board.incoming / f"{digest}.part"
    part.write_bytes(b"evil")

    error = board.error("activate", release_id="r1", manifest=manifest)

    assert error["code"] == "HASH_MISMATCH"
    assert error["details"]["sha256"] == digest
    assert not part.exists()
    assert not (board.work / "blobs" / digest).exists()
    assert not (board.work / "current").exists()


def test_a_short_part_is_kept_for_the_rest_of_it(board: Board) -> None:
    manifest = board.manifest(a=b"good")
    digest = manifest["files"]["a"]["sha256"]
    part = board.incoming / f"{digest}.part"
    part.write_bytes(b"go")

    error = board.error("activate", release_id="r1", manifest=manifest)

    assert error["code"] == "HASH_MISMATCH"
    assert error["details"]["found_bytes"] == 2
    found = board.result("probe", blobs=[digest])
    assert (found["blobs"], found["parts"]) == ({}, {digest: 2})


def test_a_file_that_never_arrived_is_named(board: Board) -> None:
    manifest = {"files": {"a": {"sha256": "0" * 64, "size_bytes": 1}}}

    error = board.error("activate", release_id="r1", manifest=manifest)

    assert error["code"] == "HASH_MISMATCH"
    assert error["message"].startswith("a: ")


def test_a_blob_that_rotted_on_the_disk_is_found_and_replaced(board: Board) -> None:
    manifest = board.manifest(a=b"good")
    board.result("activate", release_id="r1", manifest=manifest)
    blob = board.work / "blobs" / manifest["files"]["a"]["sha256"]
    blob.write_bytes(b"goot")

    error = board.error("activate", release_id="r1", manifest=manifest)

    assert error["code"] == "HASH_MISMATCH"
    assert not blob.exists()
    assert activate(board, "r1", a=b"good")["switched"] is False
    assert blob.read_bytes() == b"good"


def test_a_wrong_size_in_the_manifest_is_refused(board: Board) -> None:
    manifest = board.manifest(a=b"good")
    manifest["files"]["a"]["size_bytes"] = 3

    assert board.error("activate", release_id="r1", manifest=manifest)["code"] == "BAD_REQUEST"


def test_a_full_disk_has_its_own_code(board: Board) -> None:
    manifest = board.manifest(a=b"one")
    (board.work / "releases/r1").mkdir(parents=True)
    (board.work / "releases/r1/manifest.json.tmp").symlink_to("/dev/full")

    assert board.error("activate", release_id="r1", manifest=manifest)["code"] == "DISK_FULL"
    assert board.result("activate", release_id="r1", manifest=manifest)["switched"] is True


@pytest.mark.parametrize("folder", ["blobs", "r1", ".orch"])
def test_a_crash_before_any_rename_leaves_what_was_and_can_be_repeated(
    board: Board, folder: str
) -> None:
    activate(board, "r0", a=b"zero")
    manifest = board.manifest(a=b"one")
    blobs = names(board.work / "blobs")
    (board.site / "sitecustomize.py").write_text(CRASH.replace("CRASH_IN", folder))

    front = board.start("activate", release_id="r1", manifest=manifest)
    out, _ = front.communicate(timeout=60)

    assert (front.returncode, out) == (9, b"")
    assert (board.work / "current").readlink() == Path("releases/r0")
    if folder == "blobs":
        assert names(board.work / "blobs") == blobs
    (board.site / "sitecustomize.py").unlink()
    result = board.result("activate", release_id="r1", manifest=manifest)
    assert result == {"current": "r1", "previous": "r0", "switched": True}


def test_rolling_back_swaps_current_and_previous(board: Board) -> None:
    activate(board, "r1", a=b"one")
    activate(board, "r2", a=b"two")

    assert board.result("rollback") == {"current": "r1", "previous": "r2", "switched": True}


def test_a_rollback_that_is_asked_twice_does_not_come_back(board: Board) -> None:
    activate(board, "r1", a=b"one")
    activate(board, "r2", a=b"two")
    board.result("rollback", **{"from": "r2"})

    again = board.result("rollback", **{"from": "r2"})

    assert again == {"current": "r1", "previous": "r2", "switched": False}


def test_there_is_nothing_to_roll_back_to_at_first(board: Board) -> None:
    assert board.error("rollback")["code"] == "NO_RELEASE"
    activate(board, "r1", a=b"one")
    assert board.error("rollback")["code"] == "NO_RELEASE"


def test_a_rollback_to_a_release_that_lost_a_blob_is_refused(board: Board) -> None:
    activate(board, "r1", a=b"one")
    lost = set((board.work / "blobs").iterdir())
    activate(board, "r2", a=b"two")
    lost.pop().unlink()

    assert board.error("rollback")["code"] == "HASH_MISMATCH"
    assert board.result("probe", blobs=[])["current"] == "r2"


def test_probe_tells_blobs_parts_and_releases(board: Board) -> None:
    manifest = board.manifest(a=b"one")
    activate(board, "r1", a=b"one")
    activate(board, "r2", a=b"two")
    one, half = manifest["files"]["a"]["sha256"], board.send(b"half")

    found = board.result("probe", blobs=[one, half, "0" * 64])

    assert found["blobs"] == {one: 3}
    assert found["parts"] == {half: 4}
    assert (found["current"], found["previous"]) == ("r2", "r1")


def test_work_dir_may_be_absolute(board: Board) -> None:
    activate(board, "r1", a=b"one")

    found = board.result("probe", blobs=[], work_dir=str(board.work))

    assert found["current"] == "r1"


def test_two_activations_at_once_come_one_after_the_other(board: Board) -> None:
    manifests = [board.manifest(a=b"%d" % number) for number in range(4)]
    fronts: list[subprocess.Popen[bytes]] = [
        board.start("activate", release_id=f"r{number}", manifest=manifest)
        for number, manifest in enumerate(manifests)
    ]

    results = [board.finish(front)["result"] for front in fronts]

    # Each saw another release before its own, and no link was lost.
    assert len({result["previous"] for result in results}) == 4
    assert board.result("probe", blobs=[])["current"] in {"r0", "r1", "r2", "r3"}
