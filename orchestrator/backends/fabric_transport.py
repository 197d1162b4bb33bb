"""An open connection to a board: commands and files.

Commands go over sessions of the connection that Fabric has opened, because its runner feeds stdin
byte by byte; files go through `cat`, which every board has, in fewer round trips than SFTP.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import IO

import paramiko

from orchestrator.backends import sudo
from orchestrator.backends.bandwidth import Meter
from orchestrator.backends.ssh_session import CHUNK, Sessions
from orchestrator.domain import CommandResult
from orchestrator.errors import BoardError, DeadlineError, Refused

#: The most that a command may print, unless its caller expects more.
_LIMIT_BYTES = 1024 * 1024
#: Room for what `cat` says when it fails.
_SAID_BYTES = 4096
#: How long sudo may take to look at a password; it pauses for some seconds after a wrong one.
_SUDO_S = 30.0

#: Cuts a file where the rest is to go: bytes of an older attempt may lie beyond.
_RESUME = (
    'has=$(wc -c < {path}) && if [ "$has" -lt {offset} ]; then '
    'echo "it has only $has bytes of {offset}" >&2; exit 1; fi && '
    "dd if=/dev/null of={path} bs=1 seek={offset} count=0 2>/dev/null && cat >> {path}"
)

Secret = Callable[[], str]


class FabricTransport:
    """An open connection; with `root`, everything runs by sudo, with a password where it asks."""

    def __init__(
        self,
        ssh: paramiko.Transport,
        board: str,
        meters: Sequence[Meter] = (),
        *,
        root: bool = False,
        password_of: Secret | None = None,
    ) -> None:
        # Not through Fabric's own methods: they dial again, unasked, when the line is dead.
        self._sessions = Sessions(ssh, board)
        self._board = board
        self._meters = tuple(meters)
        self._root = root
        self._password_of = password_of
        self._key: bytes | None = None  # what stdin begins with; None: not found out yet
        self._finding_out = threading.Lock()

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = _LIMIT_BYTES,
    ) -> CommandResult:
        """Run a command. Raises Unreachable when the connection goes, DeadlineError."""
        name = shlex.join(argv)
        command, key = self._wrapped(name, deadline_s)
        chunks = (stdin[at : at + CHUNK] for at in range(0, len(stdin), CHUNK))
        given = chain((key,), chunks) if key else chunks
        run = self._sessions.tell if len(stdin) < CHUNK else self._sessions.run
        return run(command, given, name, deadline_s, limit_bytes)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        place = shlex.quote(path)
        script = _RESUME.format(path=place, offset=offset) if offset else f"cat > {place}"
        command, key = self._wrapped(script, deadline_s)
        with blob.open("rb") as source:
            source.seek(offset)
            given = chain((key,), self._paced(source, path, deadline_s))
            name = f"writing {path}"
            result = self._sessions.tell(command, given, name, deadline_s, _SAID_BYTES)
            if result.returncode != 0:
                said = result.stderr.decode(errors="replace").strip()
                raise BoardError(f"{self._board}: writing {path} failed: {said}")
            return source.tell() - offset

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        most = limit_bytes + _SAID_BYTES
        result = self.run(["cat", path], deadline_s=deadline_s, limit_bytes=most)
        if len(result.stdout) > limit_bytes:
            raise BoardError(f"{self._board}: {path} has more than {limit_bytes} bytes")
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()
            raise BoardError(f"{self._board}: reading {path} failed: {said}")
        return result.stdout

    def hold(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> AbstractContextManager[bytes]:
        """Start a command and give what it first says; leaving closes its stdin and ends it."""
        name = shlex.join(argv)
        command, key = self._wrapped(name, deadline_s)
        return self._sessions.hold(command, key + stdin, name, until=until, deadline_s=deadline_s)

    def _paced(self, source: IO[bytes], path: str, deadline_s: float) -> Iterator[bytes]:
        end = time.monotonic() + deadline_s
        pause = threading.Event()  # nobody sets it: its wait is a sleep
        for chunk in iter(lambda: source.read(CHUNK), b""):
            if delay := max((meter.book(len(chunk)) for meter in self._meters), default=0.0):
                if delay > end - time.monotonic():
                    slowest = min(meter.bytes_per_s for meter in self._meters)
                    raise DeadlineError(
                        f"{self._board}: writing {path} took over {deadline_s:g} s at a limit of "
                        f"{slowest} bytes/s, at byte {source.tell() - len(chunk)}"
                    )
                pause.wait(delay)
            yield chunk

    def _wrapped(self, command: str, deadline_s: float) -> tuple[str, bytes]:
        """Give the command as it is sent, and what its stdin begins with."""
        if not self._root:
            return command, b""
        with self._finding_out:
            if self._key is None:
                self._key = self._find_key(min(deadline_s, _SUDO_S))
        return sudo.as_root(command, asks=bool(self._key)), self._key

    def _find_key(self, deadline_s: float) -> bytes:
        """Ask sudo once per connection whether it wants a password, and whether ours is right."""
        answer = self._try_sudo(sudo.without_password(), b"", deadline_s)
        if answer.returncode == 0:
            return b""
        if answer.returncode == sudo.WANTED and self._password_of is not None:
            password = self._password_of()
            answer = self._try_sudo(sudo.with_password(), f"{password}\n".encode(), deadline_s)
            if answer.returncode == sudo.TAKEN:
                return sudo.key(password)
        if answer.returncode == sudo.NO_SUDO:
            raise Refused(f"{self._board}: it has no sudo", "log in as root, or install sudo there")
        reason, hint = sudo.why_not(answer.stderr.decode(errors="replace"))
        raise Refused(f"{self._board}: sudo said no: {reason}", hint)

    def _try_sudo(self, command: str, stdin: bytes, deadline_s: float) -> CommandResult:
        return self._sessions.tell(command, (stdin,), "sudo", deadline_s, _LIMIT_BYTES)
