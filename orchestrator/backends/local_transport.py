"""This machine in the place of a board: commands and files below a home folder."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from orchestrator.domain import Board, CommandResult
from orchestrator.errors import BoardError, DeadlineError
from orchestrator.seams import Transport

_LIMIT_BYTES = 1024 * 1024
#: How often a running command is looked at.
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class LocalConnect:
    """Opens any board as a folder of this machine; commands see `environment` and no more."""

    home: Path
    environment: Mapping[str, str]

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Transport]:
        """Give the open connection; there is nothing to close."""
        yield LocalTransport(board, self.home, self.environment)


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Runs commands by the shell, as sshd does: an unknown program is return code 127."""

    board: Board
    home: Path
    environment: Mapping[str, str]

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = _LIMIT_BYTES,
    ) -> CommandResult:
        """Run a command. Raises BoardError when it says more than it may, DeadlineError."""
        command, end = shlex.join(argv), time.monotonic() + deadline_s
        name = f"{self.board.name}: {command[:60]!r}"
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            with self._started(command, given.fileno(), out.fileno(), err.fileno()) as process:
                ended = False
                while not ended:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL_S)
                    ended = process.returncode is not None
                    if sum(os.fstat(file.fileno()).st_size for file in (out, err)) > limit_bytes:
                        raise BoardError(f"{name} said more than {limit_bytes} bytes")
                    if not ended and time.monotonic() > end:
                        raise DeadlineError(f"{name} took over {deadline_s:g} s")
            for file in (out, err):
                file.seek(0)
            return CommandResult(process.returncode, out.read(), err.read())

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:  # noqa: ARG002 - a disk needs no deadline
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        try:
            with (self.home / path).open("r+b" if offset else "wb") as target:
                target.seek(offset)
                return target.write(blob.read_bytes()[offset:])
        except OSError as error:
            raise BoardError(f"{self.board.name}: writing {path} failed: {error}") from error

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        result = self.run(["cat", path], deadline_s=deadline_s, limit_bytes=limit_bytes)
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()
            raise BoardError(f"{self.board.name}: reading {path} failed: {said}")
        return result.stdout

    @contextmanager
    def _started(
        self, command: str, given: int, out: int, err: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a session of its own, which is hung up on when its command is given up."""
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=given,
            stdout=out,
            stderr=err,
            cwd=self.home,
            env=self.environment,
            start_new_session=True,
        ) as process:
            try:
                yield process
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
