"""What detached work leaves under results/: its answer, its log, and who is at it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from board_agent import files

#: Older ones are removed when new work starts.
KEPT_FILES = 50
_TAIL_BYTES = 4096


class Process(NamedTuple):
    """One process, told from a later one with the same pid."""

    pid: int
    start_ticks: int
    boot_id: str

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return process(self.pid) == self


class Registered(NamedTuple):
    """A worker as its .pid file tells; times are of the monotonic clock.

    `blobs` are those it reads.
    """

    run_id: str
    request_sha256: str
    process: Process
    ends_ns: int
    blobs: tuple[str, ...] = ()


def process(pid: int) -> Process | None:
    """The process that has this pid now."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        # After the name, which is in brackets and may hold anything: state is field 3.
        fields = stat.rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return Process(pid, int(fields[19]), boot_id)


class Results(NamedTuple):
    """The folder results/."""

    folder: Path

    def path(self, run_id: str, suffix: str) -> Path:
        """`<run_id>.json`, `.log` or `.pid`."""
        return self.folder / f"{run_id}.{suffix}"

    def lock(self) -> Path:
        """Held by whoever looks who is at work, or starts some."""
        return self.folder / "lock"

    def stored(self, run_id: str, request_sha256: str) -> dict[str, Any] | None:
        """The reply to this very request, when it is there."""
        found = _read_object(self.path(run_id, "json"))
        if found is None or found.get("request_sha256") != request_sha256:
            return None
        reply = found.get("reply")
        return reply if isinstance(reply, dict) else None

    def store(self, run_id: str, request_sha256: str, reply: dict[str, Any]) -> None:
        """Keep a reply for whoever asks."""
        kept = {"request_sha256": request_sha256, "reply": reply}
        files.write(self.path(run_id, "json"), json.dumps(kept).encode("utf-8"))

    def register(self, worker: Registered) -> None:
        """Say who is at it."""
        entry = {
            "request_sha256": worker.request_sha256,
            "pid": worker.process.pid,
            "start_ticks": worker.process.start_ticks,
            "boot_id": worker.process.boot_id,
            "ends_ns": worker.ends_ns,
            "blobs": worker.blobs,
        }
        files.write(self.path(worker.run_id, "pid"), json.dumps(entry).encode("utf-8"))

    def registered(self, run_id: str) -> Registered | None:
        """Who is, or was, at this run."""
        entry = _read_object(self.path(run_id, "pid"))
        if entry is None:
            return None
        try:
            owner = Process(entry["pid"], entry["start_ticks"], entry["boot_id"])
            blobs = tuple(entry.get("blobs", ()))
            return Registered(run_id, entry["request_sha256"], owner, entry["ends_ns"], blobs)
        except (KeyError, TypeError):
            return None

    def live(self) -> Registered | None:
        """The worker that is at it now, whatever its run."""
        for path in self.folder.glob("*.pid"):
            worker = self.registered(path.stem)
            if worker is not None and worker.process.alive():
                return worker
        return None

    def release(self, run_id: str) -> None:
        """Nobody is at it any more."""
        files.remove(self.path(run_id, "pid"))

    def log_tail(self, run_id: str) -> str:
        """The end of a worker's log."""
        try:
            with self.path(run_id, "log").open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                return file.read(_TAIL_BYTES).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def prune(self) -> None:
        """Remove all but the newest files; nobody may be at work."""
        kept = [path for path in self.folder.iterdir() if path != self.lock()]
        for path in sorted(kept, key=_mtime_ns, reverse=True)[KEPT_FILES:]:
            files.remove(path)


def _mtime_ns(path: Path) -> int:
    return path.lstat().st_mtime_ns


def now_ns() -> int:
    """The clock that workers are timed by: the same in all processes, untouched by date changes."""
    return time.monotonic_ns()


def _read_object(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
