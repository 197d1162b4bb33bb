"""Commands over an open SSH connection, one session each: bytes in, bytes out, an end to it all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

import paramiko

from orchestrator.domain import CommandResult
from orchestrator.errors import BoardError, DeadlineError, Unreachable

CHUNK = 32768
#: How long after its deadline a connection that says nothing is closed.
_GRACE_S = 1.0
#: How long a command whose stdin has ended may take to end.
_LEAVE_S = 2.0
#: How long a line that may be dead is waited for to be found so.
_DEATH_S = 0.25
_LOST = (paramiko.SSHException, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class Sessions:
    """Where the commands of one board run; several may run at once."""

    ssh: paramiko.Transport
    board: str

    def run(
        self, command: str, stdin: Iterable[bytes], name: str, deadline_s: float, limit_bytes: int
    ) -> CommandResult:
        """Run a command. Raises BoardError when it says too much, Unreachable, DeadlineError."""
        end = time.monotonic() + deadline_s
        with self._translated(name, deadline_s), self._begun(command, deadline_s) as channel:
            feeding = threading.Thread(target=_feed, args=(channel, stdin, end), daemon=True)
            feeding.start()
            try:
                return self._collect(channel, name, end, limit_bytes)
            finally:
                channel.close()
                feeding.join()

    def tell(
        self, command: str, stdin: Iterable[bytes], name: str, deadline_s: float, limit_bytes: int
    ) -> CommandResult:
        """Run a command that says little until its input has ended; this needs no thread."""
        end = time.monotonic() + deadline_s
        with self._translated(name, deadline_s), self._begun(command, deadline_s) as channel:
            _feed(channel, stdin, end)
            return self._collect(channel, name, end, limit_bytes)

    @contextmanager
    def hold(
        self,
        command: str,
        stdin: bytes,
        name: str,
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> Iterator[bytes]:
        """Start a command and give what it first says; leaving closes its stdin and ends it."""
        with self._translated(name, deadline_s), self._watched(deadline_s):
            channel = self.ssh.open_session(timeout=deadline_s)
            channel.exec_command(command)
            said = self._first_words(channel, stdin, name, until, deadline_s)
        try:
            yield said
        finally:
            with suppress(*_LOST):
                channel.shutdown_write()
                channel.status_event.wait(_LEAVE_S)
            channel.close()

    def _first_words(
        self,
        channel: paramiko.Channel,
        stdin: bytes,
        name: str,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> bytes:
        end, said = time.monotonic() + deadline_s, b""
        channel.settimeout(deadline_s)
        channel.sendall(stdin)
        while not until(said):
            channel.settimeout(max(end - time.monotonic(), 0.001))
            chunk = channel.recv(CHUNK)
            if not chunk:
                why = channel.recv_stderr(CHUNK).decode(errors="replace").strip()[-200:]
                channel.close()
                raise BoardError(
                    f"{self.board}: {name[:60]!r} ended too early: {why or 'it said nothing'}"
                )
            said += chunk
        return said

    @contextmanager
    def _begun(self, command: str, deadline_s: float) -> Iterator[paramiko.Channel]:
        with self._watched(deadline_s), self.ssh.open_session(timeout=deadline_s) as channel:
            channel.exec_command(command)
            yield channel

    def _collect(
        self, channel: paramiko.Channel, name: str, end: float, limit_bytes: int
    ) -> CommandResult:
        """Read both streams to their end, woken by either."""
        news = threading.Event()
        wake = cast("threading.Event", _Wake(news))
        channel.in_buffer.set_event(wake)
        channel.in_stderr_buffer.set_event(wake)
        out, err = bytearray(), bytearray()
        while True:
            ended = channel.eof_received or channel.closed
            news.clear()
            while channel.recv_ready():
                out += channel.recv(CHUNK)
            while channel.recv_stderr_ready():
                err += channel.recv_stderr(CHUNK)
            if len(out) + len(err) > limit_bytes:
                raise BoardError(f"{self.board}: {name[:60]!r} said more than {limit_bytes} bytes")
            if ended:
                break
            if not news.wait(max(end - time.monotonic(), 0)):
                raise TimeoutError
        if not channel.status_event.wait(max(end - time.monotonic(), 0)):
            raise TimeoutError
        if channel.exit_status < 0:  # killed, or cut off: then the line is about to be found dead
            self.ssh.join(_DEATH_S)
        if not self.ssh.is_active():
            raise EOFError("the link went down before the command ended")
        return CommandResult(channel.exit_status, bytes(out), bytes(err))

    @contextmanager
    def _watched(self, deadline_s: float) -> Iterator[None]:
        """Close a connection that does not even say that it is late.

        paramiko waits without an end for a request to be confirmed.
        """
        timer = threading.Timer(deadline_s + _GRACE_S, self.ssh.close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def _translated(self, name: str, deadline_s: float) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            message = f"{self.board}: {name[:60]!r} took over {deadline_s:g} s"
            raise DeadlineError(message) from error
        except _LOST as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{self.board}: the connection was lost: {reason}",
                "run the same command again: what is on the board is kept",
            ) from error


@dataclass(frozen=True, slots=True)
class _Wake:
    """What paramiko sets when a stream has news; only the reader clears it, for it has two."""

    news: threading.Event

    def set(self) -> None:
        self.news.set()

    def clear(self) -> None:
        """Leave it: the other stream may have news too."""


def _feed(channel: paramiko.Channel, stdin: Iterable[bytes], end: float) -> None:
    """Send everything; a command need not read it at all."""
    try:
        for chunk in stdin:
            rest = chunk
            while rest:
                channel.settimeout(max(end - time.monotonic(), 0.001))
                rest = rest[channel.send(rest) :]
        channel.shutdown_write()
    except (OSError, paramiko.SSHException, EOFError):
        return  # whoever reads the answer finds out why
