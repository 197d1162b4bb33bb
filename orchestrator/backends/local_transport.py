"""This machine in the place of a board: commands and files below a home folder."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from orchestrator.domain import Board, CommandResult
from orchestrator.errors import BoardError, DeadlineError
from orchestrator.seams import Transport

#: How often a running command is looked at.
_POLL_S = 0.05
#: How long a command whose stdin has ended may take to end.
_LEAVE_S = 2.0


@dataclass(frozen=True, slots=True)
class LocalConnect:
    """Opens any board as a folder of this machine; commands see `environment` and no more."""

    home: Path
    environment: Mapping[str, str]

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Transport]:
        """Give the open connection; there is nothing to close."""
        yield LocalTransport(board.name, self)


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Runs commands by the shell, as sshd does: an unknown program is return code 127."""

    board: str
    place: LocalConnect

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = 2**20,
    ) -> CommandResult:
        """Run a command. Raises BoardError when it says more than it may, DeadlineError."""
        name, end = f"{self.board}: {shlex.join(argv)[:60]!r}", time.monotonic() + deadline_s
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            with subprocess.Popen(
                ["/bin/sh", "-c", shlex.join(argv)],
                stdin=given,
                stdout=out,
                stderr=err,
                cwd=self.place.home,
                env=self.place.environment,
                start_new_session=True,
            ) as process:
                large = late = False
                try:
                    while process.returncode is None and not large and not late:
                        with suppress(subprocess.TimeoutExpired):
                            process.wait(_POLL_S)
                        said = sum(os.fstat(one.fileno()).st_size for one in (out, err))
                        large = said > limit_bytes
                        late = time.monotonic() > end
                finally:
                    if gave_up := process.returncode is None:
                        os.killpg(process.pid, signal.SIGKILL)
            if large:
                raise BoardError(f"{name} said more than {limit_bytes} bytes")
            if gave_up:
                raise DeadlineError(f"{name} took over {deadline_s:g} s")
            out.seek(0)
            err.seek(0)
            return CommandResult(process.returncode, out.read(), err.read())

    @contextmanager
    def hold(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> Iterator[bytes]:
        """Start a command and give what it first says; leaving closes its stdin and ends it."""
        with (
            TemporaryFile() as err,
            subprocess.Popen(
                ["/bin/sh", "-c", shlex.join(argv)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=self.place.home,
                env=self.place.environment,
                start_new_session=True,
            ) as process,
        ):
            try:
                with suppress(BrokenPipeError):  # it need not read
                    os.write(_pipe(process.stdin), stdin)
                name = f"{self.board}: {shlex.join(argv)[:60]!r}"
                yield _said(_pipe(process.stdout), err, name, until, deadline_s)
            finally:
                if process.stdin is not None:
                    process.stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LEAVE_S)
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:  # noqa: ARG002 - a disk needs none
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        try:
            with (self.place.home / path).open("r+b" if offset else "wb") as target:
                if target.seek(0, os.SEEK_END) < offset:
                    raise BoardError(
                        f"{self.board}: writing {path} failed: it has not {offset} bytes yet"
                    )
                target.truncate(offset)
                target.seek(offset)
                return target.write(blob.read_bytes()[offset:])
        except OSError as error:
            raise BoardError(f"{self.board}: writing {path} failed: {error}") from error

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:  # noqa: ARG002 - a disk needs none
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        try:
            with (self.place.home / path).open("rb") as source:
                content = source.read(limit_bytes + 1)
        except OSError as error:
            raise BoardError(f"{self.board}: reading {path} failed: {error}") from error
        if len(content) > limit_bytes:
            raise BoardError(f"{self.board}: {path} has more than {limit_bytes} bytes")
        return content


def _said(
    out: int, err: IO[bytes], name: str, until: Callable[[bytes], bool], deadline_s: float
) -> bytes:
    """Give what a command has said as soon as that is enough. Raises DeadlineError, BoardError."""
    said, end = b"", time.monotonic() + deadline_s
    while not until(said):
        if not select.select([out], [], [], max(end - time.monotonic(), 0))[0]:
            raise DeadlineError(f"{name} took over {deadline_s:g} s")
        chunk = os.read(out, 65536)
        if not chunk:
            err.seek(0)
            why = err.read().decode(errors="replace").strip()[-200:]
            raise BoardError(f"{name} ended too early: {why or 'it said nothing'}")
        said += chunk
    return said


def _pipe(stream: IO[bytes] | None) -> int:
    assert stream is not None  # noqa: S101 - Popen was told to make it
    return stream.fileno()
