"""What a new version of a model costs on the wire: orch's delta beside rsync.

    python benchmarks/delta_vs_rsync.py [--megabytes 100]

rsync's bytes are those that it says it sent and received, without and with -z, the smaller of both.
orch's are the payload and the 1.5 kB that the `stage` request and its reply take. Both are given
the old version on the other side. Times are those of one processor. The memory is the peak of the
processes that make and apply the delta; on the host without the two files, which are mapped: the
kernel takes their pages back when it needs them.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARGET = 1.2
PROTOCOL_BYTES = 1500
Data = NDArray[np.uint8]

_MAKE = """
import sys
from pathlib import Path
from orchestrator.transfer.delta import write_delta
base, base_sha256, target, target_sha256, into = sys.argv[1:]
write_delta((base_sha256, Path(base)), (target_sha256, Path(target)), Path(into), "zlib")
"""
_APPLY = """
import sys
from board_agent import patch
delta, base, into = sys.argv[1:]
with open(delta, "rb") as packed, open(base, "rb") as old, open(into, "wb") as new:
    patch.apply(packed, patch.read_header(packed), old, new)
"""
_COST = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(used.ru_utime + used.ru_stime, peak.split()[1])
"""


@dataclass(frozen=True, slots=True)
class Row:
    case: str
    ours: int
    rsync: int
    make_s: float
    apply_s: float
    make_mb: int
    apply_mb: int


def cases(size: int) -> dict[str, Callable[[Data], Data]]:
    """Changes of about 1 % of the bytes, by name."""
    rng = np.random.default_rng(2)
    percent = size // 100

    def clusters(length: int) -> Callable[[Data], Data]:
        def change(data: Data) -> Data:
            new = data.copy()
            for start in rng.integers(0, size - length, percent // length):
                new[start : start + length] = rng.integers(0, 256, length, np.uint8)
            return new

        return change

    def single(data: Data) -> Data:
        new = data.copy()
        new[rng.integers(0, size, percent)] = rng.integers(0, 256, percent, np.uint8)
        return new

    def inserted(data: Data) -> Data:
        return np.insert(data, size // 2, [1, 2, 3, 4, 5])

    def moved(data: Data) -> Data:
        return np.concatenate([data[size // 3 :], data[: size // 3]])

    return {
        "1 % in 16 blocks": clusters(max(1, percent // 16)),
        "1 % in clusters of 4096": clusters(4096),
        "1 % in clusters of 64": clusters(64),
        "1 % single bytes": single,
        "5 bytes inserted": inserted,
        "inserted, and 1 % in clusters": lambda data: inserted(clusters(4096)(data)),
        "a third moved": moved,
        "weights all off by one": lambda data: data + rng.integers(0, 2, size, np.uint8),
    }


def run(code: str, *argv: str) -> tuple[float, int]:
    """Give the processor's seconds and the peak of memory, in MB, of a process."""
    done = subprocess.run(
        [sys.executable, "-c", code + _COST, *argv], capture_output=True, text=True, check=True
    )
    seconds, peak_kb = done.stdout.split()
    return float(seconds), int(peak_kb) * 1024 // 1_000_000


def rsync_bytes(folder: Path, *options: str) -> int:
    """Give what rsync sends and receives to make the old version the new one."""
    there = folder / "there"
    shutil.copy(folder / "old", there)
    argv = ["rsync", "--no-whole-file", "--ignore-times", "--stats", *options]
    done = subprocess.run(
        [*argv, str(folder / "new"), str(there)], capture_output=True, text=True, check=True
    )
    found = re.findall(r"Total bytes (?:sent|received): ([\d,]+)", done.stdout)
    return sum(int(one.replace(",", "")) for one in found)


def measure(case: str, folder: Path) -> Row:
    old, new, delta, out = (folder / name for name in ("old", "new", "delta", "out"))
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (old, new)]
    make_s, make_mb = run(_MAKE, str(old), sums[0], str(new), sums[1], str(delta))
    apply_s, apply_mb = run(_APPLY, str(delta), str(old), str(out))
    assert hashlib.sha256(out.read_bytes()).hexdigest() == sums[1]
    rsync = min(rsync_bytes(folder), rsync_bytes(folder, "-z"))
    ours = delta.stat().st_size + PROTOCOL_BYTES
    mapped_mb = sum(path.stat().st_size for path in (old, new)) // 1_000_000
    return Row(case, ours, rsync, make_s, apply_s, make_mb - mapped_mb, apply_mb)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megabytes", type=int, default=100)
    size = parser.parse_args().megabytes * 1_000_000
    if shutil.which("rsync") is None:
        print("rsync is not installed: apt-get install rsync")
        return 2
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = np.random.default_rng(1).integers(0, 256, size, np.uint8)
        data.tofile(folder / "old")
        for case, change in cases(size).items():
            change(data).tofile(folder / "new")
            rows.append(measure(case, folder))
    print(
        "| change | orch, bytes | rsync, bytes | ratio | make, s | apply, s | host MB | board MB |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row.case} | {row.ours:,} | {row.rsync:,} | {row.ours / row.rsync:.3f} "
            f"| {row.make_s:.1f} | {row.apply_s:.1f} | {row.make_mb} | {row.apply_mb} |"
        )
    worst = max(row.ours / row.rsync for row in rows)
    print(f"\nworst ratio {worst:.3f}, to reach: {TARGET} or less")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
