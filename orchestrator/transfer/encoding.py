"""The ways in which a blob can be sent: as it is, packed, or as what is new against another."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import Artifact
from orchestrator.errors import OrchError
from orchestrator.seams import Blobs
from orchestrator.transfer.delta import FORMAT, LZMA_FILTERS, Compression, map_bytes, write_delta
from orchestrator.transfer.matching import Bytes, find_anchors
from orchestrator.transfer.payloads import Once, Payloads
from orchestrator.transfer.ways import WORTH_SHARE, Encoded

#: Below this size the question costs more than the answer saves.
LEAST_BYTES = 4096
#: What a board unpacks, and this host packs, in bytes per second: zlib, lower bounds.
_BOARD_BYTES_PER_S, _HOST_BYTES_PER_S = 60e6, 25e6
#: On a slower link lzma pays, slow as it is.
_LZMA_BYTES_PER_S = 1e6
#: So many blobs, the nearest in size, are compared with what is to be sent.
_MAX_BASES = 8
#: A base that shares less is none.
_LEAST_SIMILARITY = 0.02
_SAMPLES, _SAMPLE_BYTES = 16, 16 * 1024
_SKETCH_ANCHORS_LOG2 = 13
_PIECE_BYTES = 1 << 20


class Encoder:
    """Works out the ways to send blobs, each once for all boards and threads of this process."""

    def __init__(self, blobs: Blobs, payloads: Payloads) -> None:
        self.blobs, self._payloads = blobs, payloads
        self._here = Once[str, bool]()
        self._share = Once[str, float]()
        self._sketches = Once[str, NDArray[np.uint64]]()
        self._similarity = Once[tuple[str, str], float]()

    def __reduce__(self) -> tuple[type[Encoder], tuple[Blobs, Payloads]]:
        """Go to another process without what was worked out in this one."""
        return Encoder, (self.blobs, self._payloads)

    def ways(
        self,
        item: Artifact,
        have: Mapping[str, int],
        encodings: Collection[str],
        link_bytes_per_s: float | None,
    ) -> Iterator[Encoded]:
        """Give the ways that make sense for a board that has the blobs `have`, raw first."""
        yield Encoded("raw", item.sha256, item.size_bytes)
        if item.size_bytes < LEAST_BYTES:
            return
        # What cannot be made here, for want of disk or of an intact base, is no way.
        if "zlib" in encodings:
            with suppress(OSError, KeyError, OrchError):
                if self._packing_pays(item, link_bytes_per_s):
                    slow = link_bytes_per_s is not None and link_bytes_per_s <= _LZMA_BYTES_PER_S
                    yield self._packed(item, "lzma" if slow and "lzma" in encodings else "zlib")
        if "delta" in encodings:
            with suppress(OSError, KeyError, OrchError):
                base = self._best_base(item, have)
                if base is not None:
                    yield self._delta(base, item, "lzma" if "lzma" in encodings else "zlib")

    def forget(self, encoded: Encoded) -> None:
        """Make a payload again that a board found to be damaged."""
        if encoded.name:
            self._payloads.forget(encoded.name)

    def _packed(self, item: Artifact, encoding: Compression) -> Encoded:
        name = f"{item.sha256}-{encoding}-{FORMAT}"

        def write(into: Path) -> None:
            with self.blobs.open(item.sha256) as source:
                _pack(source, into, encoding)

        made = self._payloads.get(name, write)
        return Encoded(encoding, made.sha256, made.size_bytes, path=made.path, name=name)

    def _delta(self, base: str, item: Artifact, compression: Compression) -> Encoded:
        name = f"{item.sha256}-{base}-{compression}-{FORMAT}"

        def write(into: Path) -> None:
            with self.blobs.open(base) as old, self.blobs.open(item.sha256) as new:
                write_delta((base, old), (item.sha256, new), into, compression)

        made = self._payloads.get(name, write)
        return Encoded("delta", made.sha256, made.size_bytes, base, made.path, name)

    def _packing_pays(self, item: Artifact, link_bytes_per_s: float | None) -> bool:
        share = self._share.get(item.sha256, lambda: self._packed_share(item.sha256))
        if share > WORTH_SHARE or link_bytes_per_s is None:
            return share <= WORTH_SHARE
        saved_s = item.size_bytes * (1 - share) / link_bytes_per_s
        return saved_s > item.size_bytes * (1 / _BOARD_BYTES_PER_S + 1 / _HOST_BYTES_PER_S)

    def _packed_share(self, sha256: str) -> float:
        with self.blobs.open(sha256) as path:
            samples = _samples(map_bytes(path))
            return _packed_bytes(samples) / max(1, sum(map(len, samples)))

    def _best_base(self, item: Artifact, have: Mapping[str, int]) -> str | None:
        """Give the blob on the board that is most like the new one, of those that are here, too."""
        sizes = {
            sha256: size
            for sha256, size in have.items()
            if LEAST_BYTES <= size <= item.size_bytes * 2 and size * 2 >= item.size_bytes
        }
        nearest = sorted(sizes, key=lambda sha256: abs(sizes[sha256] - item.size_bytes))
        here = (one for one in nearest if one != item.sha256 and self._is_here(one))
        scores = {
            base: self._likeness(base, item.sha256)
            for base, _ in zip(here, range(_MAX_BASES), strict=False)
        }
        best = max(scores, key=lambda base: scores[base], default=None)
        return best if best is not None and scores[best] >= _LEAST_SIMILARITY else None

    def _likeness(self, base: str, target: str) -> float:
        return self._similarity.get((base, target), lambda: self._compare(base, target))

    def _is_here(self, sha256: str) -> bool:
        return self._here.get(sha256, lambda: self.blobs.has(sha256))

    def _compare(self, base: str, target: str) -> float:
        """Give how much of the target the base is likely to save, 0..1."""
        known, wanted = self._sketch(base), self._sketch(target)
        shared = float(np.isin(wanted, known).mean()) if wanted.size else 0.0
        with self.blobs.open(base) as old, self.blobs.open(target) as new:
            before, after = map_bytes(old), map_bytes(new)
            size = min(before.size, after.size)
            pairs = zip(_samples(before[:size]), _samples(after[:size]), strict=True)
            changed = [_xor(one, other) for one, other in pairs]
            plain = _packed_bytes(_samples(after[:size]))
        return max(shared, 1 - _packed_bytes(changed) / max(1, plain))

    def _sketch(self, sha256: str) -> NDArray[np.uint64]:
        def draw() -> NDArray[np.uint64]:
            with self.blobs.open(sha256) as path:
                data = map_bytes(path)
                bits = max(5, data.size.bit_length() - _SKETCH_ANCHORS_LOG2)
                return np.unique(find_anchors(data, bits).keys)

        return self._sketches.get(sha256, draw)


def _samples(data: Bytes) -> list[bytes]:
    """Give pieces from all over a file."""
    starts = np.linspace(0, max(0, data.size - _SAMPLE_BYTES), _SAMPLES).astype(int)
    return [data[start : start + _SAMPLE_BYTES].tobytes() for start in starts]


def _packed_bytes(samples: list[bytes]) -> int:
    return sum(len(zlib.compress(one, 1)) for one in samples)


def _xor(one: bytes, other: bytes) -> bytes:
    return (np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)).tobytes()


def _pack(source: Path, into: Path, encoding: Compression) -> None:
    packer = (
        lzma.LZMACompressor(filters=LZMA_FILTERS) if encoding == "lzma" else zlib.compressobj(6)
    )
    with source.open("rb") as stream, into.open("wb") as packed:
        for piece in iter(lambda: stream.read(_PIECE_BYTES), b""):
            packed.write(packer.compress(piece))
        packed.write(packer.flush())
