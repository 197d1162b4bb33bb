"""The way to a board: where each step leads, as whom, and by which keys.

What the inventory says wins over ~/.ssh/config, which wins over what is built in.
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from fabric import Config
from paramiko import ConfigParseError, SSHConfig

from orchestrator.backends.known_hosts import SSH_PORT, host_key_name
from orchestrator.domain import Board
from orchestrator.errors import ConfigError

#: How a board is logged in to when nobody says otherwise.
_BOARD_USER = "root"
#: More hops than this are a circle in ~/.ssh/config.
_MOST_HOPS = 8
_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]\s]+\]|[^:@\[\]\s]+)(?::(?P<port>\d{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One SSH server on the way; `label` names it in messages, `subject` is the board.

    `host_keys` are those pinned in the inventory. `key_files` are tried in this order; with
    `only_these_keys` no others are, but for those of the agent that a file names.
    `proxy_command` brings the bytes there in the place of a connection of our own.
    """

    label: str
    subject: str
    host: str
    port: int
    user: str
    host_keys: tuple[str, ...]
    key_files: tuple[str, ...]
    only_these_keys: bool
    key_name: str
    proxy_command: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class _Hop:
    user: str | None
    host: str
    port: int | None


def way_to(board: Board) -> tuple[Step, ...]:
    """Give the steps, the board last. Raises ConfigError."""
    # A `Host *` for the world outside is not meant for a process on this machine.
    found = {} if board.simulated else _look_up(board.host)
    hops, command = _hops(board.jump, board.host, found, 0)
    if command and not hops:
        command = _command_for(board)
    host = _text(found, "hostname") or board.host
    port = board.port or int(_text(found, "port") or SSH_PORT)
    user = board.user or _text(found, "user") or _BOARD_USER
    last = Step(
        label=f"{board.name} ({user}@{host}:{port})",
        subject=board.name,
        host=host,
        port=port,
        user=user,
        host_keys=board.host_keys,
        key_files=(board.identity_file,) if board.identity_file else _files(found),
        only_these_keys=board.identity_file is not None or _only_identities(found),
        key_name=_text(found, "hostkeyalias") or host_key_name(host, port),
        proxy_command=None if hops else command,
        password=board.password,
    )
    steps = [_hop_step(hop, board) for hop in hops]
    if steps and command:
        steps[0] = replace(steps[0], proxy_command=command)
    return (*steps, last)


def _hops(
    named: Sequence[str], host: str, found: Mapping[str, object], depth: int
) -> tuple[list[_Hop], str | None]:
    """Give all hops, and the command that leads to the first; a hop may have its own way."""
    texts = named or (_text(found, "proxyjump") or "none").split(",")
    if [text.lower() for text in texts] == ["none"]:
        command = _text(found, "proxycommand")
        return [], None if named or command in (None, "none") else command
    hops = [_parse_hop(text.strip()) for text in texts]
    if not named and hops[0].host == host:  # a ProxyJump of `Host *` is the jump host's own too
        return [], None
    if depth + len(texts) > _MOST_HOPS:
        raise ConfigError(
            f"its way has more than {_MOST_HOPS} jump hosts: {', '.join(texts)}",
            "does a ProxyJump in ~/.ssh/config lead back to where it came from?",
        )
    first = hops[0].host
    before, command = _hops((), first, _look_up(first), depth + len(hops))
    return [*before, *hops], command


def _parse_hop(text: str) -> _Hop:
    match = _HOP.fullmatch(text)
    if match is None:
        raise ConfigError(f"not a jump host: {text!r}", "it looks like user@host:port")
    port = int(match["port"]) if match["port"] else None
    return _Hop(match["user"], match["host"].strip("[]"), port)


def _hop_step(hop: _Hop, board: Board) -> Step:
    found = _look_up(hop.host)
    host = _text(found, "hostname") or hop.host
    port = hop.port or int(_text(found, "port") or SSH_PORT)
    user = hop.user or _text(found, "user") or getpass.getuser()
    own = (board.identity_file,) if board.identity_file else ()
    return Step(
        label=f"{board.name}: jump host {hop.host} ({user}@{host}:{port})",
        subject=board.name,
        host=host,
        port=port,
        user=user,
        host_keys=(),
        key_files=(*_files(found), *own),
        only_these_keys=_only_identities(found),
        key_name=_text(found, "hostkeyalias") or host_key_name(host, port),
    )


def _look_up(host: str) -> Mapping[str, object]:
    found: Mapping[str, object] = shared_config().base_ssh_config.lookup(host)
    return found


def _command_for(board: Board) -> str | None:
    """Give the ProxyCommand with its %h, %p and %r filled in: they are what the inventory says."""
    ours = f"Host {board.host}\n" + (f"Port {board.port}\n" if board.port else "")
    files = SSHConfig.from_text(ours + (f"User {board.user}\n" if board.user else ""))
    for file in (Path("~/.ssh/config").expanduser(), Path("/etc/ssh/ssh_config")):
        if file.exists():
            with file.open() as stream:
                files.parse(stream)
    return _text(files.lookup(board.host), "proxycommand")


@lru_cache(maxsize=4)  # reading the files takes longer than the rest of the way
def _read_config(file: Path, _changed_ns: int) -> Config:
    try:
        return Config()
    except ConfigParseError as error:
        raise ConfigError(f"{file}: it cannot be read: {error}", "correct that line") from error


def shared_config() -> Config:
    """Give Fabric's settings with ~/.ssh/config in them. Raises ConfigError."""
    file = Path("~/.ssh/config").expanduser()
    return _read_config(file, file.stat().st_mtime_ns if file.exists() else 0)


def _text(found: Mapping[str, object], key: str) -> str | None:
    value = found.get(key)
    return value if isinstance(value, str) else None


def _files(found: Mapping[str, object]) -> tuple[str, ...]:
    value = found.get("identityfile")
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _only_identities(found: Mapping[str, object]) -> bool:
    return (_text(found, "identitiesonly") or "no").lower() == "yes"
