"""What a new version of a file shares with an old one, wherever it has moved to. Pure.

Both files are sampled by content: a position is an *anchor* when a hash of the eight bytes there
has a certain form, so that the same content has the same anchors in both. Anchors in common tell
by how much content has moved; in between, both files are compared byte by byte at that shift.
Unlike a rolling checksum over blocks, this sees both sides at once: a run is found to the byte.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

#: What has to be equal at two anchors.
ANCHOR_BYTES = 32
#: A shorter run costs about as much to describe as to send.
MIN_RUN_BYTES = 16

#: Positions hashed at once: 2 MB of hashes stay in the processor's cache.
_CHUNK = 1 << 18
_FIRST_WINDOW, _LARGEST_WINDOW = 1 << 12, 1 << 20
#: More jumps than this are not content that moved but content that repeats itself.
_MAX_JUMPS = 200_000
# Odd constants with well mixed bits (the fractions of the golden ratio and of square roots).
_SEED = np.uint64(0x6A09E667F3BCC909)
_FACTORS = tuple(
    np.uint64(one)
    for one in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where a file was sampled, in order, and the hash of the ANCHOR_BYTES there."""

    positions: NDArray[np.int64]
    keys: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of equal bytes in order: `target[start : start + length] == base[start + shift : …]`."""

    shift: int
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def find_anchors(data: Bytes, bits: int) -> Anchors:
    """Sample about one in `2 ** bits` positions of a file by its content."""
    positions, keys = [np.zeros(0, np.int64)], [np.zeros(0, np.uint64)]
    bound = np.uint64(1 << (64 - bits))
    end = data.size - ANCHOR_BYTES + 1
    for start in range(0, end, _CHUNK):
        words = _words(data, start, min(start + _CHUNK, end))
        picked = np.flatnonzero((words ^ _SEED) * _FACTORS[0] < bound)
        picked = _thinned(picked) + start
        positions.append(picked)
        keys.append(_keys(data, picked))
    return Anchors(np.concatenate(positions), np.concatenate(keys))


def anchor_bits(size_bytes: int) -> int:
    """Give how sparsely a file of that size is sampled: every 32 to every 256 bytes."""
    return int(np.clip(size_bytes.bit_length() - 19, 5, 8))


def _words(data: Bytes, start: int, end: int) -> NDArray[np.uint64]:
    """Give the eight bytes at every position."""
    return np.ndarray((end - start,), "<u8", data.data, start, (1,)).astype(np.uint64)


def _keys(data: Bytes, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    windows = data[positions[:, None] + np.arange(ANCHOR_BYTES)].view("<u8").astype(np.uint64)
    keys = np.zeros(positions.size, np.uint64)
    for column, factor in enumerate(_FACTORS):
        keys = (keys ^ windows[:, column]) * factor
        keys ^= keys >> np.uint64(29)
    return keys


def _thinned(picked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Leave out what follows too closely: content that repeats itself is all anchors."""
    apart = np.diff(picked, prepend=-ANCHOR_BYTES) >= ANCHOR_BYTES // 2
    return picked[apart]


def find_runs(base: Bytes, target: Bytes) -> Iterator[Runs]:
    """Find what `target` has of `base`, in the order of `target`, without overlaps."""
    search = _Search(base, target)
    position = shift = 0
    for _ in range(_MAX_JUMPS):
        position = yield from search.follow(position, shift)
        jump = search.jump(position, shift)
        if jump is None:
            return
        position, shift = jump
        yield from search.back(position, shift)


class _Search:
    """Walks through the target; `done` is the end of the last run that was found."""

    def __init__(self, base: Bytes, target: Bytes) -> None:
        bits = anchor_bits(min(base.size, target.size))
        known, there = find_anchors(base, bits), find_anchors(target, bits)
        order = np.argsort(known.keys, kind="stable")
        keys, self._found_at = known.keys[order], known.positions[order]
        first = np.searchsorted(keys, there.keys, "left")
        after = np.searchsorted(keys, there.keys, "right")
        shared = after > first
        self._at = there.positions[shared]
        self._first, self._after = first[shared], after[shared]
        self._base, self._target, self._done = base, target, 0

    def follow(self, position: int, shift: int) -> Generator[Runs, None, int]:
        """Compare at one shift until an anchor says that the content is elsewhere; say where."""
        window = _FIRST_WINDOW
        end = min(self._target.size, self._base.size - shift)
        position = max(position, -shift)
        while position < end:
            stop = min(position + window, end)
            differs = self._differences(position, stop, shift)
            away = self._first_away(position, stop, differs)
            if away is not None:
                stop = away
            runs = _equal_runs(position, stop, differs, shift)
            if runs.starts.size:
                self._done = int(runs.starts[-1] + runs.lengths[-1])
                yield runs
            position = stop
            if away is not None:
                break
            window = min(window * 2, _LARGEST_WINDOW)
        return position

    def jump(self, position: int, shift: int) -> tuple[int, int] | None:
        """Give the next anchor from `position` on, and the shift there nearest to `shift`."""
        index = int(np.searchsorted(self._at, position))
        if index == self._at.size:
            return None
        at = int(self._at[index])
        places = self._found_at[self._first[index] : self._after[index]]
        nearest = int(np.searchsorted(places, at + shift))
        near = places[max(nearest - 1, 0) : nearest + 1] - at
        return at, int(near[np.argmin(np.abs(near - shift))])

    def back(self, position: int, shift: int) -> Iterator[Runs]:
        """Find what is equal before an anchor, down to the last run."""
        start, least = position, max(self._done, -shift)
        while start > least:
            low = max(least, start - _FIRST_WINDOW)
            differs = self._differences(low, start, shift)
            start = low if not differs.size else low + int(differs[-1]) + 1
            if differs.size:
                break
        if start < position:
            yield Runs(shift, np.array([start]), np.array([position - start]))

    def _differences(self, start: int, stop: int, shift: int) -> NDArray[np.int64]:
        ours, theirs = self._target[start:stop], self._base[start + shift : stop + shift]
        return np.flatnonzero(ours != theirs)

    def _first_away(self, start: int, stop: int, differs: NDArray[np.int64]) -> int | None:
        """Give the first anchor in a window that is not where the base has it."""
        first = np.searchsorted(self._at, start, "right")
        after = np.searchsorted(self._at, stop - ANCHOR_BYTES, "right")
        at = self._at[first:after] - start
        before = np.searchsorted(differs, at)
        away = np.flatnonzero(np.searchsorted(differs, at + ANCHOR_BYTES) > before)
        return None if not away.size else start + int(at[away[0]])


def _equal_runs(start: int, stop: int, differs: NDArray[np.int64], shift: int) -> Runs:
    """Give the runs between differences that are worth it; `differs` is relative to `start`."""
    differs = differs[: np.searchsorted(differs, stop - start)]
    bounds = np.concatenate(([-1], differs, [stop - start]))
    lengths = np.diff(bounds) - 1
    worth = lengths >= MIN_RUN_BYTES
    return Runs(shift, bounds[:-1][worth] + 1 + start, lengths[worth])
