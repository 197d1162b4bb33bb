"""What host key a board offers, and where accepted ones are kept."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import paramiko

from orchestrator.backends.fabric_connect import host_key_name
from orchestrator.domain import Board
from orchestrator.errors import Unreachable


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A public key as a board showed it; `line` is what is pinned in an inventory."""

    kind: str
    fingerprint: str
    line: str


def fetch_host_key(board: Board) -> OfferedKey:
    """Shake hands without logging in. Raises Unreachable."""
    address, timeout = (board.host, board.port), board.connect_timeout_s
    try:
        with socket.create_connection(address, timeout) as stream:
            transport = paramiko.Transport(stream)
            try:
                transport.start_client(timeout=timeout)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreachable(
            f"{board.name} ({board.host}:{board.port}): no host key came: {reason}",
            "is it on, and is this its SSH port?",
        ) from error
    return OfferedKey(key.get_name(), key.fingerprint, f"{key.get_name()} {key.get_base64()}")


def remember(board: Board, key: OfferedKey, path: Path) -> None:
    """Keep a key for a board, in place of others that were kept for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = host_key_name(board.host, board.port)
    lines = path.read_text().splitlines() if path.exists() else []
    others = [line for line in lines if not line.startswith(f"{name} ")]
    path.write_text("\n".join([*others, f"{name} {key.line}"]) + "\n")
