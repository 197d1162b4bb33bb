"""Whole processes as a user starts them: wall time, CPU and memory of all they start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 300.0
#: What a tool prints for a host that has its result; the group is the host.
DONE = re.compile(rb"done ([\d.]+)|changed: \[([\d.]+)\]|ok: \[([\d.]+)\]|\[([\d.]+)\].*Success")


@dataclass(frozen=True, slots=True)
class Took:
    """One run. `cpu_s` and `peak_mb` are of the client, `peak_mb` of its largest process."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int
    said: bytes
    seen_s: tuple[float, ...]

    def until(self, hosts: int) -> float | None:
        """When so many hosts had their last result; None: they never had."""
        return self.seen_s[hosts - 1] if len(self.seen_s) >= hosts else None


# A process of its own, so that getrusage(RUSAGE_CHILDREN) is of one command alone.
_RUN = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
lines = [[time.perf_counter() - start, line.decode(errors="replace")] for line in process.stdout]
code = process.wait()
wall = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code, lines],
          open(sys.argv[1], "w"))
"""


def run(argv: Sequence[str], env: Mapping[str, str], cwd: Path, limit_s: float = LIMIT_S) -> Took:
    """Run a command to its end, or to the limit, and say what it took."""
    import json

    with tempfile.NamedTemporaryFile() as note:
        watcher = [sys.executable, "-c", _RUN, note.name, *argv]
        process = subprocess.Popen(
            watcher, env=dict(env), cwd=cwd, start_new_session=True, stdin=subprocess.DEVNULL
        )
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return Took(limit_s, 0, 0, -9, b"over its limit", ())
        wall, cpu, peak, code, lines = json.loads(Path(note.name).read_text())
    last: dict[str, float] = {}
    for at, text in lines:
        for found in DONE.finditer(text.encode()):
            last[next(filter(None, found.groups())).decode()] = at
    said = "".join(text for _, text in lines).encode()
    return Took(wall, cpu, peak, code, said, tuple(sorted(last.values())))
