"""The cache made small again: what was not used for longest goes first."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from orchestrator.cache import TURN, Cache
from orchestrator.domain import KeptAction, KeptRelease, StoredBlob
from orchestrator.locks import at_work_since, hold, try_hold
from orchestrator.seams import Ledger

#: Blobs that nothing refers to are left alone for so long: their writer may be another host.
GRACE_S = 3600.0
#: A scratch folder of `cache.do`: the stage and the beginning of the key.
_SCRATCH = re.compile(r"[a-z]+-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Holding:
    """An action, or the inputs of a release, with the blobs that it keeps.

    Attributes:
        name: the key of the action, or the release's id.
        label: what it is called in a table.
        needed: why it stays whatever the limit is; empty where it may go.
    """

    kind: Literal["action", "release"]
    name: str
    label: str
    blobs: frozenset[str]
    used_at: str
    needed: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to go; `kept_bytes` is what the other holdings refer to.

    Attributes:
        removed: holdings, the least recently used first.
        blobs: those that no other holding refers to.
        orphans: blobs that nothing refers to.
        needed_bytes: the part of `kept_bytes` that stays whatever the limit is.
        before: halves of blobs that were written before this time go too.
    """

    removed: tuple[Holding, ...]
    blobs: tuple[StoredBlob, ...]
    orphans: tuple[StoredBlob, ...]
    kept_bytes: int
    needed_bytes: int
    before: float


@dataclass(frozen=True, slots=True)
class Cleared:
    """What has gone, or would go.

    Attributes:
        scratch_bytes: scratch folders and half-written blobs of killed processes.
        locks: lock files that nobody held.
    """

    plan: Plan
    scratch_bytes: int
    locks: int


def clear(
    cache: Cache,
    max_bytes: int,
    waits: Callable[[], None],
    *,
    orphans: bool = True,
    dry_run: bool = False,
) -> Cleared:
    """Remove the least recently used holdings until the rest fits, then what killed processes left.

    The ledger forgets before the blobs go: a kill in between leaves blobs that nothing refers to,
    which the next time removes, and never a hit without its files.

    `waits` is called when another process uses the cache at this very moment. With `orphans`, blobs
    go that the ledger does not know: for where no other ledger knows them.
    """
    with hold(cache.work / TURN, waits):
        plan = look(cache, max_bytes, orphans=orphans)
        if not dry_run:
            _forget(cache.ledger, plan.removed)
            for blob in (*plan.blobs, *plan.orphans):
                cache.blobs.remove(blob.sha256)
        halves = cache.blobs.remove_halves(plan.before, dry_run=dry_run) if orphans else 0
        scratch, locks = _clear_scratch(cache.work, dry_run=dry_run)
    return Cleared(plan, scratch + halves, locks)


def look(cache: Cache, max_bytes: int, *, orphans: bool) -> Plan:
    """Say what would have to go."""
    since = at_work_since(cache.work)
    before = min(time.time() - GRACE_S, since or time.time())
    stored = cache.blobs.stored()
    sizes = {blob.sha256: blob.size_bytes for blob in stored}
    holdings = find_holdings(cache.ledger.kept_actions(), cache.ledger.kept_releases(), since)
    going = choose(holdings, sizes, max_bytes)
    staying = set(holdings) - set(going)
    kept, known = _blobs(staying), _blobs(holdings)
    needed = _blobs(one for one in staying if one.needed)
    return Plan(
        removed=tuple(going),
        blobs=tuple(blob for blob in stored if blob.sha256 in known - kept),
        orphans=tuple(
            blob
            for blob in stored
            if orphans and blob.sha256 not in known and blob.modified < before
        ),
        kept_bytes=sum(sizes.get(sha256, 0) for sha256 in kept),
        needed_bytes=sum(sizes.get(sha256, 0) for sha256 in needed),
        before=before,
    )


def find_holdings(
    actions: Sequence[KeptAction], releases: Sequence[KeptRelease], since: float | None
) -> list[Holding]:
    """Give all holdings, the least recently used first; of one second, the last made first.

    So an action goes before those that it rests on. Needed are the newest release of each recipe
    with the actions that made it, and all that was used since `since`, when the first process that
    is at work now began.
    """
    newest = {release.recipe: release for release in reversed(releases)}
    current = {key for release in newest.values() for key in release.keys}
    start = None if since is None else datetime.fromtimestamp(int(since), UTC).isoformat()

    def why(used_at: str, *, is_current: bool) -> str:
        if start is not None and used_at >= start:
            return "in use"
        return "newest release" if is_current else ""

    found = [
        Holding(
            kind="release",
            name=release.release_id,
            label=f"inputs of {release.release_id}",
            blobs=frozenset(item.sha256 for item in release.inputs),
            used_at=release.used_at,
            needed=why(release.used_at, is_current=release in newest.values()),
        )
        for release in releases
    ]
    for kept in actions:
        action = kept.action
        blobs = frozenset(item.sha256 for item in action.outputs.values())
        needed = why(kept.used_at, is_current=action.key in current)
        label = f"{action.stage} of {action.recipe}"
        found.append(Holding("action", action.key, label, blobs, kept.used_at, needed))
    return sorted(found, key=lambda one: one.used_at)


def choose(holdings: Sequence[Holding], sizes: Mapping[str, int], max_bytes: int) -> list[Holding]:
    """Give the holdings that have to go so that the blobs of the others are at most `max_bytes`."""
    holders = Counter(sha256 for one in holdings for sha256 in one.blobs)
    total = sum(sizes.get(sha256, 0) for sha256 in holders)
    going = []
    for one in holdings:
        if total <= max_bytes:
            break
        if one.needed:
            continue
        going.append(one)
        holders.subtract(one.blobs)
        total -= sum(sizes.get(sha256, 0) for sha256 in one.blobs if not holders[sha256])
    return going


def _blobs(holdings: Iterable[Holding]) -> frozenset[str]:
    return frozenset[str]().union(*(one.blobs for one in holdings))


def _forget(ledger: Ledger, going: Iterable[Holding]) -> None:
    for one in going:
        if one.kind == "release":
            ledger.forget_release(one.name)
        else:
            ledger.forget_action(one.name)


def _clear_scratch(work: Path, *, dry_run: bool) -> tuple[int, int]:
    """Remove scratch folders and locks that nobody holds; give the bytes and the locks."""
    freed, locks = 0, 0
    held = set[str]()
    for lock in sorted(work.glob("*.lock")):
        with try_hold(lock) as free:
            if not free:
                held.add(lock.name[:16])
                continue
            freed += sum(_drop(one, dry_run=dry_run) for one in work.glob(f"*-{lock.name[:16]}"))
            locks += 1
            if not dry_run:
                lock.unlink()
    for folder in sorted(work.glob("*-*")):
        shape = _SCRATCH.fullmatch(folder.name)
        # Who makes a scratch folder has made and taken its lock before.
        if shape and shape[1] not in held and not [*work.glob(f"{shape[1]}*.lock")]:
            freed += _drop(folder, dry_run=dry_run)
    return freed, locks


def _drop(folder: Path, *, dry_run: bool) -> int:
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    if not dry_run:
        shutil.rmtree(folder, ignore_errors=True)
    return size
