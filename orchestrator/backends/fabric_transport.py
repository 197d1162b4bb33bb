"""An open connection to a board: commands and files.

Commands go over Fabric's sessions directly, because its runner feeds stdin byte by byte.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
_LOST = (paramiko.SSHException, EOFError, OSError)


class FabricTransport:
    """An open connection. Files go by SFTP where the board has it, else through `cat`."""

    def __init__(self, connection: Connection, board: Board) -> None:
        self._connection = connection
        self._board = board
        self._has_sftp: bool | None = None

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = _LIMIT_BYTES,
    ) -> CommandResult:
        """Run a command. Raises Unreachable when the connection goes, DeadlineError."""
        return self._exec(shlex.join(argv), iter((stdin,)), deadline_s, limit_bytes)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        end = time.monotonic() + deadline_s
        with blob.open("rb") as source:
            source.seek(offset)
            if self._sftp() is not None:
                self._put_sftp(source, path, offset, end)
            else:
                into = ">>" if offset else ">"
                chunks = iter(lambda: source.read(_CHUNK), b"")
                result = self._exec(f"cat {into} {shlex.quote(path)}", chunks, deadline_s, 4096)
                if result.returncode != 0:
                    said = result.stderr.decode(errors="replace").strip()
                    raise BoardError(f"{self._board.name}: writing {path} failed: {said}")
            return source.tell() - offset

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        result = self.run(["cat", path], deadline_s=deadline_s, limit_bytes=limit_bytes)
        if result.returncode != 0:
            said = result.stderr.decode(errors="replace").strip()
            raise BoardError(f"{self._board.name}: reading {path} failed: {said}")
        return result.stdout

    def _sftp(self) -> paramiko.SFTPClient | None:
        if self._has_sftp is None:
            try:
                self._connection.sftp()
                self._has_sftp = True
            except paramiko.SSHException:
                self._has_sftp = False
            except (OSError, EOFError) as error:
                raise self._lost(error) from error
        return self._connection.sftp() if self._has_sftp else None

    def _put_sftp(self, source: IO[bytes], path: str, offset: int, end: float) -> None:
        sftp = self._connection.sftp()
        try:
            sftp.get_channel().settimeout(max(end - time.monotonic(), 0.1))
            with sftp.open(path, "r+b" if offset else "wb") as target:
                target.seek(offset)
                target.set_pipelined(pipelined=True)
                for chunk in iter(lambda: source.read(_CHUNK), b""):
                    if time.monotonic() > end:
                        raise DeadlineError(f"{self._board.name}: sending {path} took too long")
                    target.write(chunk)
        except TimeoutError as error:
            raise DeadlineError(f"{self._board.name}: sending {path} took too long") from error
        except OSError as error:
            if not self._connection.is_connected:
                raise self._lost(error) from error
            raise BoardError(f"{self._board.name}: writing {path} failed: {error}") from error
        except (paramiko.SSHException, EOFError) as error:
            raise self._lost(error) from error

    def _exec(
        self, command: str, stdin: Iterator[bytes], deadline_s: float, limit_bytes: int
    ) -> CommandResult:
        end = time.monotonic() + deadline_s
        try:
            channel = self._connection.create_session()
            with channel:
                channel.settimeout(deadline_s)
                channel.exec_command(command)
                with suppress(OSError):  # a command need not read what it is given
                    for chunk in stdin:
                        channel.sendall(chunk)
                    channel.shutdown_write()
                return self._collect(channel, command, end, limit_bytes)
        except TimeoutError as error:
            raise self._late(command, deadline_s) from error
        except _LOST as error:
            raise self._lost(error) from error

    def _collect(
        self, channel: paramiko.Channel, command: str, end: float, limit_bytes: int
    ) -> CommandResult:
        """Read both streams to their end; stdout wakes us, stderr is looked at on the way."""
        out, err = bytearray(), bytearray()
        channel.settimeout(_POLL_S)
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
        if not self._connection.is_connected:
            raise EOFError("the link went down before the command ended")
        return CommandResult(channel.exit_status, bytes(out), bytes(err))

    def _lost(self, error: BaseException) -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(
            f"{self._board.name}: the connection was lost: {reason}",
            "run the same command again: what is on the board is kept",
        )

    def _late(self, command: str, deadline_s: float) -> DeadlineError:
        return DeadlineError(f"{self._board.name}: {command[:60]!r} took over {deadline_s:g} s")
