"""An open connection to a board: commands and files.

Commands go over Fabric's sessions directly, because its runner feeds stdin byte by byte.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import paramiko
from fabric import Connection

from orchestrator.domain import Board, CommandResult
from orchestrator.errors import BoardError, DeadlineError, Unreachable

_CHUNK = 32768
#: The most that a command may print, unless its caller expects more.
_LIMIT_BYTES = 1024 * 1024
#: How often a silent command is looked at.
_POLL_S = 0.25
#: How long after its deadline a connection that says nothing is closed.
_GRACE_S = 1.0
#: Room for what `cat` says when it fails.
_SAID_BYTES = 4096
_LOST = (paramiko.SSHException, EOFError, OSError)


class FabricTransport:
    """An open connection. Files go by SFTP where the board has it, else through `cat`."""

    def __init__(self, connection: Connection, board: Board) -> None:
        # Not through Fabric's own methods: they dial again, unasked, when the line is dead.
        self._ssh: paramiko.Transport = connection.transport
        self._board = board
        self._has_sftp = True
        self._files: paramiko.SFTPClient | None = None

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = _LIMIT_BYTES,
    ) -> CommandResult:
        """Run a command. Raises Unreachable when the connection goes, DeadlineError."""
        chunks = (stdin[at : at + _CHUNK] for at in range(0, len(stdin), _CHUNK))
        return self._exec(shlex.join(argv), chunks, deadline_s, limit_bytes)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        end = time.monotonic() + deadline_s
        with blob.open("rb") as source, self._watched(deadline_s):
            source.seek(offset)
            if (sftp := self._sftp()) is not None:
                self._put_sftp(sftp, source, path, offset, end)
            else:
                into = ">>" if offset else ">"
                chunks = iter(lambda: source.read(_CHUNK), b"")
                result = self._exec(
                    f"cat {into} {shlex.quote(path)}", chunks, deadline_s, _SAID_BYTES
                )
                if result.returncode != 0:
                    said = result.stderr.decode(errors="replace").strip()
                    raise BoardError(f"{self._board.name}: writing {path} failed: {said}")
            return source.tell() - offset

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        most = limit_bytes + _SAID_BYTES
        result = self.run(["cat", path], deadline_s=deadline_s, limit_bytes=most)
        if len(result.stdout) > limit_bytes:
            raise BoardError(f"{self._board.name}: {path} has more than {limit_bytes} bytes")
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()
            raise BoardError(f"{self._board.name}: reading {path} failed: {said}")
        return result.stdout

    def _sftp(self) -> paramiko.SFTPClient | None:
        if self._files is None and self._has_sftp:
            try:
                self._files = paramiko.SFTPClient.from_transport(self._ssh)
            except (paramiko.SSHException, EOFError, OSError):
                self._has_sftp = False  # or the line is dead, which the next command finds
        return self._files

    def _put_sftp(
        self, sftp: paramiko.SFTPClient, source: IO[bytes], path: str, offset: int, end: float
    ) -> None:
        try:
            if (channel := sftp.get_channel()) is not None:
                channel.settimeout(max(end - time.monotonic(), 0.1))
            with sftp.open(path, "r+b" if offset else "wb") as target:
                target.seek(offset)
                target.set_pipelined(pipelined=True)
                for chunk in iter(lambda: source.read(_CHUNK), b""):
                    if time.monotonic() > end:
                        raise DeadlineError(f"{self._board.name}: sending {path} took too long")
                    target.write(chunk)
                # What a pipelined write failed of, paramiko keeps to itself: a full disk, say.
                if (there := target.stat().st_size or 0) < source.tell():
                    raise BoardError(
                        f"{self._board.name}: writing {path} failed: {there} bytes are there"
                    )
        except TimeoutError as error:
            raise DeadlineError(f"{self._board.name}: sending {path} took too long") from error
        except OSError as error:
            if not self._ssh.is_active():
                raise self._lost(error) from error
            raise BoardError(f"{self._board.name}: writing {path} failed: {error}") from error
        except (paramiko.SSHException, EOFError) as error:
            raise self._lost(error) from error

    def _exec(
        self, command: str, stdin: Iterator[bytes], deadline_s: float, limit_bytes: int
    ) -> CommandResult:
        end = time.monotonic() + deadline_s
        try:
            with self._watched(deadline_s), self._ssh.open_session() as channel:
                channel.exec_command(command)
                channel.settimeout(_POLL_S)
                feeding = threading.Thread(target=_feed, args=(channel, stdin), daemon=True)
                feeding.start()
                try:
                    return self._collect(channel, command, end, limit_bytes)
                finally:
                    channel.close()
                    feeding.join()
        except TimeoutError as error:
            raise self._late(command, deadline_s) from error
        except _LOST as error:
            raise self._lost(error) from error

    def _collect(
        self, channel: paramiko.Channel, command: str, end: float, limit_bytes: int
    ) -> CommandResult:
        """Read both streams to their end; stdout wakes us, stderr is looked at on the way."""
        out, err = bytearray(), bytearray()
        while True:
            chunk = None
            with suppress(TimeoutError):
                chunk = channel.recv(_CHUNK)
                out += chunk
            while channel.recv_stderr_ready():
                err += channel.recv_stderr(_CHUNK)
            if len(out) + len(err) > limit_bytes:
                message = f"{self._board.name}: {command[:60]!r} said more than {limit_bytes} bytes"
                raise BoardError(message)
            if time.monotonic() > end:
                raise TimeoutError
            if chunk == b"" and channel.status_event.wait(_POLL_S):
                break
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(_CHUNK)
        if channel.exit_status < 0:  # killed, or cut off: then the line is about to be found dead
            self._ssh.join(_POLL_S)
        if not self._ssh.is_active():
            raise EOFError("the link went down before the command ended")
        return CommandResult(channel.exit_status, bytes(out), bytes(err))

    @contextmanager
    def _watched(self, deadline_s: float) -> Iterator[None]:
        """Close a connection that does not even say that it is late.

        paramiko waits without an end for a channel to open and for a request to be confirmed.
        """
        timer = threading.Timer(deadline_s + _GRACE_S, self._ssh.close)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _lost(self, error: BaseException) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(
            f"{self._board.name}: the connection was lost: {reason}",
            "run the same command again: what is on the board is kept",
        )

    def _late(self, command: str, deadline_s: float) -> DeadlineError:
        return DeadlineError(f"{self._board.name}: {command[:60]!r} took over {deadline_s:g} s")


def _feed(channel: paramiko.Channel, stdin: Iterable[bytes]) -> None:
    """Send everything while the answer is read: a command may stop reading until it is heard."""
    with suppress(OSError, paramiko.SSHException, EOFError):  # it need not read at all
        for chunk in stdin:
            rest = chunk
            while rest:
                with suppress(TimeoutError):  # that of the reader
                    rest = rest[channel.send(rest) :]
        channel.shutdown_write()
