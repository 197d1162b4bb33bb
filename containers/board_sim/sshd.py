"""The SSH server of one simulated board: public keys only, a bare shell, SFTP."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Login:
    """Who may log in to a board, and what the session is like.

    Attributes:
        environment: everything that a command finds set.
        home: where it starts, and what relative SFTP paths are relative to.
    """

    users: frozenset[str]
    authorized_keys: Path
    environment: Mapping[str, str]
    home: Path
    sftp: bool


async def listen(login: Login, host_key: Any, port: int) -> Any:
    """Start to listen on the loopback address; port 0 takes a free one."""

    class Gate(asyncssh.SSHServer):  # type: ignore[misc] # asyncssh is not followed by mypy
        def connection_made(self, conn: Any) -> None:
            self._connection = conn

        def begin_auth(self, username: str) -> bool:
            if username in login.users:
                self._connection.set_authorized_keys(str(login.authorized_keys))
            return True

        def password_auth_supported(self) -> bool:
            return False

        def kbdint_auth_supported(self) -> bool:
            return False

    class Files(asyncssh.SFTPServer):  # type: ignore[misc] # asyncssh is not followed by mypy
        def map_path(self, path: bytes) -> bytes:
            return os.path.join(os.fsencode(login.home), path)  # noqa: PTH118 - bytes; absolute wins

    async def handle(process: Any) -> None:
        await _run(process, login)

    return await asyncssh.create_server(
        Gate,
        "127.0.0.1",
        port,
        server_host_keys=[host_key],
        process_factory=handle,
        sftp_factory=Files if login.sftp else None,
        encoding=None,
        line_editor=False,
        agent_forwarding=False,
    )


async def _run(process: Any, login: Login) -> None:
    """Run what a client asked for until it ends or the client is gone."""
    if process.subsystem:
        process.exit(127)
        return
    argv = ["/bin/sh", *(["-c", process.command] if process.command is not None else [])]
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=login.home,
        env=dict(login.environment),
        start_new_session=True,
    )
    feeding = asyncio.create_task(_feed(process, child))
    ending = asyncio.create_task(_drain(process, child))
    dropped = asyncio.create_task(process.channel.wait_closed())
    try:
        await asyncio.wait({ending, dropped}, return_when=asyncio.FIRST_COMPLETED)
        if ending.done() and ending.exception() is None:
            _report(process, ending.result())
    finally:
        for task in (feeding, ending, dropped):
            task.cancel()
        # When the line is gone the session gets a hang-up; what has left it with setsid goes on.
        _signal(child, signal.SIGHUP)
    await child.wait()


async def _feed(process: Any, child: asyncio.subprocess.Process) -> None:
    """Hand the client's input and signals to the child."""
    sink = child.stdin
    if sink is None:
        return
    while True:
        try:
            data = await process.stdin.read(_CHUNK)
            if not data:
                break
            sink.write(data)
            await sink.drain()
        except asyncssh.SignalReceived as asked:
            if number := signal.Signals.__members__.get(f"SIG{asked.signal}"):
                _signal(child, number)
        except (asyncssh.Error, OSError):
            break
    sink.close()


async def _drain(process: Any, child: asyncio.subprocess.Process) -> int:
    """Hand the child's output to the client until both streams end; give its return code.

    Like a real sshd this waits for whoever holds the streams, also after the child has ended.
    """

    async def copy(source: asyncio.StreamReader | None, sink: Any) -> None:
        while source is not None and (data := await source.read(_CHUNK)):
            sink.write(data)
            await sink.drain()

    await asyncio.gather(copy(child.stdout, process.stdout), copy(child.stderr, process.stderr))
    return await child.wait()


def _signal(child: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):  # it has ended, which asyncio is about to say
            os.killpg(child.pid, number)


def _report(process: Any, returncode: int) -> None:
    if returncode < 0:
        process.exit_with_signal(signal.Signals(-returncode).name.removeprefix("SIG"))
    else:
        process.exit(returncode)
