"""Opens boards over SSH, by Fabric, with strict host keys.

Names, users and jump hosts come from ~/.ssh/config, keys from ssh-agent and key files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from fabric import Connection
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from orchestrator.backends.fabric_transport import FabricTransport
from orchestrator.domain import Board
from orchestrator.errors import HostKeyError, Unreachable

if TYPE_CHECKING:
    from orchestrator.seams import Transport


@dataclass(frozen=True, slots=True)
class FabricConnect:
    """Opens boards; `known_hosts` are the files where their keys may stand."""

    known_hosts: tuple[Path, ...]

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Transport]:
        """Give the open connection. Raises Unreachable, HostKeyError."""
        connection = _connection(board)
        _trust_only(connection, _known_keys(connection, board, self.known_hosts))
        try:
            _open(connection, board)
            yield FabricTransport(connection, board)
        finally:
            connection.close()


def _connection(board: Board) -> Connection:
    timeout = board.connect_timeout_s
    keys: dict[str, object] = {"banner_timeout": timeout, "auth_timeout": timeout}
    if board.identity_file is not None:
        keys |= {
            "key_filename": str(Path(board.identity_file).expanduser()),
            "look_for_keys": False,
        }
    return Connection(
        board.host,
        user=board.user,
        port=board.port,
        connect_timeout=max(1, round(timeout)),
        connect_kwargs=keys,
    )


def _known_keys(connection: Connection, board: Board, files: Sequence[Path]) -> HostKeys:
    """Give the keys a board may show: those pinned in the inventory, else those in the files."""
    name = host_key_name(connection.host, connection.port)
    keys = HostKeys()
    for pinned in board.host_keys:
        try:
            entry = HostKeyEntry.from_line(f"{name} {pinned}")
        except (paramiko.SSHException, InvalidHostKey):
            entry = None
        if entry is None or entry.key is None:
            raise HostKeyError(
                f"{board.name}: its pinned host_key is not a public key: {pinned[:40]!r}",
                "it looks like `ssh-ed25519 AAAA…`: orch fleet trust",
            )
        keys.add(name, entry.key.get_name(), entry.key)
    if not board.host_keys:
        for file in files:
            try:
                keys.load(str(file))
            except FileNotFoundError:
                continue
            except InvalidHostKey as error:
                message = f"{board.name}: {file} has a line without a public key: {error.args[0]}"
                raise HostKeyError(message, "correct or delete that line") from error
    return keys


def host_key_name(host: str, port: int) -> str:
    """Give the name under which known_hosts keeps a server."""
    return host if port == paramiko.config.SSH_PORT else f"[{host}]:{port}"


def _trust_only(connection: Connection, keys: HostKeys) -> None:
    """Refuse every key but these, on the board and on each jump host before it.

    Fabric's own policy accepts whatever it is shown.
    """
    step = connection
    while isinstance(step, Connection):
        step.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        if step is connection:
            for name in keys:
                for kind in keys[name]:
                    step.client.get_host_keys().add(name, kind, keys[name][kind])
        else:
            step.client.load_system_host_keys()
        step = step.gateway


def _open(connection: Connection, board: Board) -> None:
    where = f"{board.name} ({board.user}@{board.host}:{board.port})"
    try:
        connection.open()
    except paramiko.BadHostKeyException as error:
        raise HostKeyError(
            f"{where}: the host key has changed: expected {error.expected_key.fingerprint}, "
            f"was shown {error.key.fingerprint}",
            f"if the board was reinstalled: orch fleet trust {board.name}",
        ) from error
    except paramiko.AuthenticationException as error:
        hint = "name a key with identity_file, load it into ssh-agent, or copy it to the board"
        raise Unreachable(f"{where}: the login was refused: {error}", hint) from error
    except paramiko.SSHException as error:
        if "not found in known_hosts" in str(error):
            raise HostKeyError(
                f"{where}: its host key is unknown",
                f"look at it and accept it: orch fleet trust {board.name}",
            ) from error
        raise Unreachable(f"{where}: no SSH answer: {error}", "is it an SSH server?") from error
    except FileNotFoundError as error:
        hint = "correct identity_file in the inventory"
        raise Unreachable(f"{where}: there is no identity_file {error.filename}", hint) from error
    except (OSError, EOFError) as error:
        tried = getattr(error, "errors", None)  # paramiko: one error for each address of the host
        reason = next(iter(tried.values())) if tried else error
        reason = getattr(reason, "strerror", None) or reason
        hint = f"is it on and on the net? try: ssh -p {board.port} {board.user}@{board.host}"
        raise Unreachable(f"{where}: no connection: {reason}", hint) from error
    if (transport := connection.transport) is not None:
        transport.set_keepalive(15)
