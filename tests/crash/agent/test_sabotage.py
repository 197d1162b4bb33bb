"""A checker that cannot fail proves nothing: each of these agents is wrong in one way."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import files, garbage, release
from board_agent.store import Store, release_at

if TYPE_CHECKING:
    from tests.crash.agent.conftest import Cuts

pytestmark = pytest.mark.slow

Sabotage = Callable[[pytest.MonkeyPatch], None]


def _no_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "sync", lambda _file: None)


def _no_folder_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(files, "sync_dir", lambda _path: None)


def _name_before_sync(patch: pytest.MonkeyPatch) -> None:
    def write(path: Path, data: bytes, *, durable: bool = True) -> None:
        with files.create(files.beside(path)) as file:
            files.put(file, data)
            files.replace(files.beside(path), path)
            if durable:
                files.sync(file)
        files.sync_dir(path.parent)

    patch.setattr(files, "write", write)


def _blob_before_sync(patch: pytest.MonkeyPatch) -> None:
    def adopt(place: Store, sha256: str, _name: str) -> None:
        files.make_dir(place.path("blobs"))
        files.rename(place.part(sha256), place.blob(sha256))
        files.sha256(place.blob(sha256))

    patch.setattr(release, "adopt", adopt)


def _link_in_two_steps(patch: pytest.MonkeyPatch) -> None:
    def point(link: Path, target: str) -> None:
        files.remove(link)
        files.symlink(link, target)
        files.sync_dir(link.parent)

    patch.setattr(files, "point", point)


def _blobs_go_first(patch: pytest.MonkeyPatch) -> None:
    remove = garbage._remove

    def reversed_remove(place: Store, found: garbage.Garbage) -> None:
        for name in found.blobs:
            files.remove(place.blob(name))
        remove(place, found)

    patch.setattr(garbage, "_remove", reversed_remove)


def _switch_before_stage(patch: pytest.MonkeyPatch) -> None:
    stage = release.stage

    def late(place: Store, plan: release.Plan) -> dict[str, Any]:
        before = release_at(place, "current")
        if before not in (None, plan.release_id):
            files.point(place.path("previous"), f"releases/{before}")
        files.point(place.path("current"), f"releases/{plan.release_id}")
        return stage(place, plan)

    patch.setattr(release, "stage", late)


def _numbers_not_kept(patch: pytest.MonkeyPatch) -> None:
    sync_dir = files.sync_dir

    def forgetful(path: Path) -> None:
        if path.name != "lease":
            sync_dir(path)

    patch.setattr(files, "sync_dir", forgetful)


@pytest.mark.parametrize(
    "sabotage",
    [
        _no_sync,
        _no_folder_sync,
        _name_before_sync,
        _blob_before_sync,
        _link_in_two_steps,
        _blobs_go_first,
        _switch_before_stage,
        _numbers_not_kept,
    ],
)
def test_a_sabotaged_layer_is_found_out(cuts: Cuts, sabotage: Sabotage) -> None:
    cuts.sabotage = sabotage

    disk = cuts.record()

    # Shuffled: what is wrong late in the night is found as soon as what is wrong early.
    moments = random.Random(1).sample(disk.moments, len(disk.moments))  # noqa: S311 - to be repeated
    assert next(cuts.torn(moments), None) is not None
