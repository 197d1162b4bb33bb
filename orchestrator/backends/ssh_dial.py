"""One SSH handshake: the bytes' way there, the host key, the login; all before one moment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import paramiko
from fabric import Connection
from paramiko.ssh_exception import IncompatiblePeer

from orchestrator.backends.host_key_check import HostKeyCheck
from orchestrator.backends.known_hosts import HostKey
from orchestrator.backends.ssh_errors import translated
from orchestrator.backends.ssh_login import Login
from orchestrator.backends.ssh_way import Step, shared_config
from orchestrator.errors import LoginRefused

#: Linux has them, other systems do not.
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
#: A board from which the kernel hears nothing of what was sent is given up after this long.
_UNHEARD_MS = 45_000
#: How often a connection looks whether it is to end or to send a sign of life.
_IDLE_S = 2.0
#: How often a silent connection is asked for a sign of life.
_KEEPALIVE_S = 15


@dataclass(frozen=True, slots=True)
class Dial:
    """What every handshake of one way has in common; `end` is by the monotonic clock."""

    known_hosts: tuple[Path, ...]
    secret_of: Callable[[str], str]
    timeout_s: float
    end: float

    @contextmanager
    def log_in(self, step: Step, tunnel: paramiko.Transport | None) -> Iterator[paramiko.Transport]:
        """Give the open connection to a step. Raises Unreachable, HostKeyError, LoginRefused."""
        check = HostKeyCheck.of(step, self.known_hosts)
        with ExitStack() as open_ones:
            with translated(step, self.timeout_s):
                line = open_ones.enter_context(self._line(step, tunnel))
                connection = self._connection(step, line, check)
                open_ones.callback(_close, connection.client, line)
                with self._until_end(line):
                    connection.open()
            yield _settled(connection.transport, line)

    def host_key(
        self, step: Step, tunnel: paramiko.Transport | None, kinds: Sequence[str]
    ) -> HostKey | None:
        """Give the key of one of these types that a server shows; None: it has none of them."""
        with translated(step, self.timeout_s), self._line(step, tunnel) as line:
            transport = paramiko.Transport(line)
            try:
                transport.get_security_options().key_types = tuple(kinds)
                with self._until_end(line):
                    transport.start_client(timeout=self._left())
                key = transport.get_remote_server_key()
            except IncompatiblePeer:
                return None
            finally:
                transport.close()
        return HostKey(key.get_name(), key.asbytes())

    def _connection(self, step: Step, line: socket.socket, check: HostKeyCheck) -> Connection:
        timeout = self._left()
        connection = Connection(
            step.host,
            user=step.user,
            port=step.port,
            gateway=False,
            config=shared_config(),
            connect_timeout=max(1, round(timeout)),
            connect_kwargs={
                "sock": line,
                "banner_timeout": timeout,
                "auth_timeout": timeout,
                "channel_timeout": timeout,
                "auth_strategy": Login(step, self.secret_of),
                "transport_factory": check.make_transport,
            },
        )
        connection.host = step.host  # not what ~/.ssh/config would make of it once more
        connection.client.set_missing_host_key_policy(check)
        return connection

    @contextmanager
    def _line(self, step: Step, tunnel: paramiko.Transport | None) -> Iterator[socket.socket]:
        """Give what carries the bytes: a socket, a command's pipe, or a tunnel through a hop."""
        if tunnel is not None:
            channel = tunnel.open_channel(
                "direct-tcpip", (step.host, step.port), ("", 0), timeout=self._left()
            )
            with channel:
                yield cast("socket.socket", channel)  # it is one in all that paramiko uses
        elif step.proxy_command is not None:
            with _command_line(step.proxy_command) as line:
                yield line
        else:
            plain = socket.create_connection((step.host, step.port), self._left())
            with _PromptSocket(fileno=plain.detach()) as line:
                line.settimeout(self._left())
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if _USER_TIMEOUT is not None:
                    line.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, _UNHEARD_MS)
                yield line

    def _left(self) -> float:
        return max(self.end - time.monotonic(), 0.01)

    @contextmanager
    def _until_end(self, line: socket.socket) -> Iterator[None]:
        """Cut the line at the end: paramiko's own timeouts begin anew with every step."""
        cut = threading.Event()

        def end_it() -> None:
            cut.set()
            _shut(line)

        timer = threading.Timer(self._left(), end_it)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError, LoginRefused) as error:
            if cut.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()


class _PromptSocket(socket.socket):
    """A TCP line on which neither side waits to save packets.

    Every request is small and waits for its answer. A server that sends two small packets holds
    back the second until the first is acknowledged, which the kernel puts off by 40 ms: once for
    the first command of every connection. Linux forgets the wish, so it is made at each reading.
    """

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        found = super().recv(bufsize, flags)
        if _QUICK_ACK is not None:
            self.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        return found


@contextmanager
def _command_line(command: str) -> Iterator[socket.socket]:
    """Run a ProxyCommand, as ssh_config(5) has it, by the shell."""
    ours, its = socket.socketpair()
    with (
        ours,
        subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=its.fileno(),
            stdout=its.fileno(),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process,
    ):
        its.close()
        try:
            yield ours
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _settled(transport: paramiko.Transport, line: socket.socket) -> paramiko.Transport:
    transport.set_keepalive(_KEEPALIVE_S)
    # paramiko looks ten times a second; closing cuts the line, so that nothing waits for it.
    line.settimeout(_IDLE_S)
    return transport


def _close(client: paramiko.SSHClient, line: socket.socket) -> None:
    client.close()
    _shut(line)


def _shut(line: socket.socket) -> None:
    with suppress(OSError, EOFError):
        line.shutdown(socket.SHUT_RDWR)
