"""Deltas: whatever was edited comes out, and what shares content costs little."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from board_agent import patch
from orchestrator.transfer import delta
from orchestrator.transfer.delta import write_delta

Make = Callable[..., bytes]


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Gives a delta between two contents."""

    def write(base: bytes, target: bytes, compression: delta.Compression = "zlib") -> bytes:
        files = []
        for name, content in (("base", base), ("target", target)):
            path = tmp_path / name
            path.write_bytes(content)
            files.append((hashlib.sha256(content).hexdigest(), path))
        size = write_delta(files[0], files[1], tmp_path / "delta", compression)
        made = (tmp_path / "delta").read_bytes()
        assert len(made) == size
        return made

    return write


def apply(made: bytes, base: bytes) -> bytes:
    packed, target = io.BytesIO(made), io.BytesIO()
    patch.apply(packed, patch.read_header(packed), io.BytesIO(base), target)
    return target.getvalue()


def edited(content: bytes, rng: np.random.Generator) -> bytes:
    """Edit a content here and there: replace, insert, delete, move, repeat, nudge."""
    data = bytearray(content)
    for _ in range(int(rng.integers(0, 8))):
        at, length = int(rng.integers(0, len(data) + 1)), int(rng.integers(0, 3000))
        match int(rng.integers(0, 6)):
            case 0:
                data[at : at + length] = rng.bytes(length)
            case 1:
                data[at:at] = rng.bytes(length % 50)
            case 2:
                del data[at : at + length]
            case 3:
                moved = data[at : at + length * 5]
                del data[at : at + length * 5]
                data[: len(moved) // 2] = moved
            case 4:
                data[at:at] = data[:length]
            case _:
                for place in rng.integers(0, max(1, len(data)), 20):
                    data[place : place + 1] = bytes([(data[place] + 1) % 256]) if data else b""
    return bytes(data)


def some_content(rng: np.random.Generator) -> bytes:
    """Content of a kind: noise, weights of few values, a text that repeats itself, nothing."""
    size = int(rng.integers(0, 60_000))
    match int(rng.integers(0, 4)):
        case 0:
            return rng.bytes(size)
        case 1:
            return rng.normal(0, 3, size).astype(np.int8).tobytes()
        case 2:
            return (rng.bytes(int(rng.integers(1, 200))) * size)[:size]
        case _:
            return bytes(size)


@pytest.mark.parametrize("seed", range(80))
def test_applying_a_delta_to_the_base_gives_the_target(seed: int, make: Make) -> None:
    rng = np.random.default_rng(seed)
    base = some_content(rng)
    target = edited(base, rng) if seed % 5 else some_content(rng)

    made = make(base, target, "lzma" if seed % 2 else "zlib")

    assert apply(made, base) == target


def test_equal_files_cost_a_header(make: Make) -> None:
    content = noise(1, 300_000)
    assert len(make(content, content)) < 130


def test_an_insertion_costs_what_was_inserted(make: Make) -> None:
    content = noise(1, 300_000)
    assert len(make(content, content[:150_000] + b"new" + content[150_000:])) < 150


def test_moved_halves_cost_two_references(make: Make) -> None:
    content = noise(1, 300_000)
    assert len(make(content, content[120_000:] + content[:120_000])) < 150


def test_scattered_bytes_cost_a_few_bytes_each(make: Make) -> None:
    content = noise(1, 400_000)
    changed = bytearray(content)
    for place in range(500, 400_000, 1000):
        changed[place] ^= 0x55

    made = make(content, bytes(changed))

    assert len(made) < 130 + 400 * 5


def test_clusters_cost_their_own_bytes(make: Make) -> None:
    content = noise(1, 400_000)
    changed = bytearray(content)
    for number, place in enumerate(range(5_000, 400_000, 40_000)):
        changed[place : place + 400] = noise(number + 2, 400)

    assert len(make(content, bytes(changed))) < 130 + 10 * 410


def test_weights_that_moved_by_one_cost_far_less_than_themselves(make: Make) -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(0, 40, 300_000).astype(np.int8)
    nudged = weights + rng.integers(0, 2, weights.size, dtype=np.int8)

    made = make(weights.tobytes(), nudged.tobytes())

    assert len(made) < 0.5 * len(zlib.compress(nudged.tobytes()))


def test_files_with_nothing_in_common_cost_the_target(make: Make) -> None:
    made = make(noise(1, 100_000), noise(2, 100_000))
    assert 100_000 < len(made) < 101_000


@pytest.mark.parametrize("compression", ["zlib", "lzma"])
def test_a_damaged_delta_is_found_or_harmless(make: Make, compression: str) -> None:
    base = noise(1, 40_000)
    target = edited(base, np.random.default_rng(4)) + noise(5, 2000)
    made = make(base, target, compression)
    rng = np.random.default_rng(6)
    for _ in range(300):
        damaged = bytearray(made)
        if rng.integers(0, 3) == 0:
            del damaged[int(rng.integers(0, len(made))) :]
        else:
            damaged[int(rng.integers(0, len(made)))] ^= int(rng.integers(1, 256))
        packed, out = io.BytesIO(bytes(damaged)), io.BytesIO()
        try:
            header = patch.read_header(packed)
            if header.target_bytes != len(target) or header.base_bytes != len(base):
                continue  # the agent compares both with what it was told
            patch.apply(packed, header, io.BytesIO(base), out)
        except patch.DamagedError:
            pass
        assert len(out.getvalue()) <= len(target)


def test_a_delta_that_reads_beyond_its_base_is_refused(make: Make) -> None:
    base = noise(1, 40_000)
    with pytest.raises(patch.DamagedError, match="shorter"):
        apply(make(base, base), base[:-1])


def test_a_bomb_is_not_unpacked() -> None:
    operations = delta.operation(delta.DATA, 10**9) + bytes(10**6)
    head = delta.HEADER.pack(delta.MAGIC, bytes(32), 0, bytes(32), 100, delta.ZLIB)

    with pytest.raises(patch.DamagedError, match="1000000000 bytes, 100 are to come"):
        apply(head + zlib.compress(operations), b"")


def test_host_and_board_mean_the_same_by_a_delta() -> None:
    for name in ("MAGIC", "ZLIB", "LZMA", "DATA", "COPY", "XOR", "SEEK"):
        assert getattr(delta, name) == getattr(patch, name)
    assert delta.HEADER.format == patch.HEADER.format
