"""What the cache throws away, in which order, and what it never does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.domain import ActionRecord, Artifact, KeptRelease
from orchestrator.eviction import GRACE_S, Cleared, Holding, choose, clear
from orchestrator.seams import Progress


@dataclass(frozen=True)
class Home:
    """A state folder with actions of known age and size."""

    path: Path
    cache: Cache
    progress: Progress

    def action(
        self, name: str, files: Mapping[str, int], day: int, *, stage: str = "compile"
    ) -> ActionRecord:
        """Make an action; two files with one name in two actions are one blob."""

        def make(folder: Path) -> Produced:
            for file, size in files.items():
                (folder / file).write_bytes(file.encode()[:1] * size)
            return Produced({file: folder / file for file in files}, {})

        made, _ = self.cache.do(Wanted(stage, name, {"name": name}), "r", self.progress, make)
        old = replace(made, created_at=f"2025-01-{day:02d}T00:00:00+00:00")
        self.cache.ledger.forget_action(made.key)
        self.cache.ledger.record_action(old)
        return old

    def orphan(self, content: bytes, age_s: float) -> Path:
        source = self.path / "source"
        source.write_bytes(content)
        sha256 = self.cache.blobs.put(source, "x").sha256
        path = self.path / "cas" / sha256[:2] / sha256
        os.utime(path, (time.time() - age_s,) * 2)
        return path

    def clear(self, max_bytes: int, *, orphans: bool = True, dry_run: bool = False) -> Cleared:
        return clear(self.cache, max_bytes, pytest.fail, orphans=orphans, dry_run=dry_run)

    def left(self) -> list[str]:
        return sorted(kept.action.recipe for kept in self.cache.ledger.kept_actions())

    def is_whole(self, action: ActionRecord) -> bool:
        return all(self.cache.blobs.has(item.sha256) for item in action.outputs.values())


@pytest.fixture
def home(tmp_path: Path, progress: Progress) -> Iterator[Home]:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    cache = Cache(ledger, FsspecBlobs(str(tmp_path / "cas")), tmp_path / "work")
    yield Home(tmp_path, cache, progress)
    ledger.close()


def test_what_was_not_used_for_longest_goes_first(home: Home) -> None:
    oldest, middle, newest = (
        home.action(name, {name: 100}, day) for name, day in (("a", 1), ("b", 2), ("c", 3))
    )
    home.cache.ledger.record_use(oldest.key, "2025-01-09T00:00:00+00:00")

    cleared = home.clear(250)

    assert [one.name for one in cleared.plan.removed] == [middle.key]
    assert home.left() == ["a", "c"]
    assert [home.is_whole(one) for one in (oldest, middle, newest)] == [True, False, True]
    assert (cleared.plan.kept_bytes, cleared.plan.blobs[0].size_bytes) == (200, 100)
    assert home.cache.find(Wanted("compile", "b", {"name": "b"})) is None


def test_what_fits_stays(home: Home) -> None:
    home.action("a", {"a": 100}, 1)

    assert home.clear(100).plan.removed == ()
    assert home.left() == ["a"]


def test_files_that_a_kept_action_shares_stay(home: Home) -> None:
    old = home.action("old", {"shared": 100, "mine": 50}, 1)
    new = home.action("new", {"shared": 100}, 2)

    home.clear(120)

    assert home.left() == ["new"]
    assert home.is_whole(new)
    assert not home.cache.blobs.has(old.outputs["mine"].sha256)


def test_a_shared_file_frees_nothing_until_its_last_holder_goes() -> None:
    first, second, third = (
        Holding("action", name, name, frozenset(blobs), name)
        for name, blobs in (("1", "s"), ("2", "s"), ("3", "t"))
    )

    assert choose([first, second, third], {"s": 10, "t": 10}, 10) == [first, second]
    assert choose([first, second, third], {"s": 10, "t": 10}, 20) == []


def test_of_one_second_the_action_that_rests_on_another_goes_first(home: Home) -> None:
    home.action("export", {"a": 100}, 1, stage="export")
    home.action("compile", {"b": 100}, 1)

    home.clear(150)

    assert home.left() == ["export"]


def test_the_newest_release_of_a_recipe_keeps_its_actions_and_inputs(home: Home) -> None:
    current = home.action("small", {"a": 100}, 1)
    home.action("tried", {"b": 100}, 9)
    new, old = (home.orphan(content, 2 * GRACE_S) for content in (b"new", b"old"))
    for number, path in ((1, old), (2, new)):
        inputs = (Artifact(path.name, 3, "0.bin"),)
        kept = KeptRelease(f"small-{number}", "small", (current.key,), inputs, f"2025-01-0{number}")
        home.cache.ledger.record_release(kept)

    cleared = home.clear(0)

    assert home.left() == ["small"]
    assert home.is_whole(current)
    assert (new.exists(), old.exists()) == (True, False)
    assert [one.release_id for one in home.cache.ledger.kept_releases()] == ["small-2"]
    assert cleared.plan.kept_bytes == cleared.plan.needed_bytes == 103


def test_only_old_blobs_that_nothing_refers_to_are_swept(home: Home) -> None:
    kept = home.action("a", {"a": 100}, 1)
    old, young = home.orphan(b"old", GRACE_S + 60), home.orphan(b"young", GRACE_S - 60)

    cleared = home.clear(10**9)

    assert [blob.sha256 for blob in cleared.plan.orphans] == [old.name]
    assert (old.exists(), young.exists()) == (False, True)
    assert home.is_whole(kept)


def test_blobs_that_another_ledger_may_know_stay(home: Home) -> None:
    old = home.orphan(b"old", 2 * GRACE_S)

    assert home.clear(0, orphans=False).plan.orphans == ()
    assert old.exists()


def test_a_dry_run_removes_nothing(home: Home) -> None:
    action = home.action("a", {"a": 100}, 1)
    orphan = home.orphan(b"old", 2 * GRACE_S)

    would = home.clear(0, dry_run=True)

    assert ([one.name for one in would.plan.removed], len(would.plan.orphans)) == ([action.key], 1)
    assert home.left() == ["a"]
    assert home.is_whole(action)
    assert orphan.exists()


def test_a_kill_between_ledger_and_blobs_leaves_no_hit_and_is_swept_later(home: Home) -> None:
    class Dies(FsspecBlobs):
        """Blobs whose first removal is the end of the process."""

        def remove(self, sha256: str) -> None:
            raise KeyboardInterrupt(sha256)

    action = home.action("a", {"a": 100, "b": 50}, 1)
    for item in action.outputs.values():
        path = home.path / "cas" / item.sha256[:2] / item.sha256
        os.utime(path, (0, 0))
    dying = Dies(str(home.path / "cas"))
    with pytest.raises(KeyboardInterrupt):
        clear(replace(home.cache, blobs=dying), 0, pytest.fail)
    assert home.cache.find(Wanted("compile", "a", {"name": "a"})) is None

    assert len(home.clear(10**9).plan.orphans) == 2
    assert home.cache.blobs.stored() == []
