"""Opens boards over SSH, by Fabric, with strict host keys on every step of the way.

Names, users and jump hosts come from the inventory and ~/.ssh/config, keys from ssh-agent and key
files, passwords from where the inventory says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from orchestrator.backends.bandwidth import Meter, shared_meter
from orchestrator.backends.fabric_transport import FabricTransport
from orchestrator.backends.host_key_check import KINDS, HostKeyCheck
from orchestrator.backends.known_hosts import HostKey
from orchestrator.backends.ssh_dial import Dial
from orchestrator.backends.ssh_way import Step, way_to
from orchestrator.domain import Board
from orchestrator.errors import ConfigError, HostKeyError, Refused

if TYPE_CHECKING:
    from orchestrator.seams import Transport

_ENVIRONMENT = "env:"


def environment_secret(source: str) -> str:
    """Read `env:NAME`. Raises ConfigError when it is not set, or needs somebody to ask."""
    name = source.removeprefix(_ENVIRONMENT)
    if not source.startswith(_ENVIRONMENT):
        raise ConfigError("a password is to be asked for, and nobody can be", "use env:NAME")
    if not (secret := os.environ.get(name, "")):
        raise ConfigError(f"{name} is not set, and a password is to come from it", f"export {name}")
    return secret


@dataclass(frozen=True, slots=True)
class Offer:
    """The host keys that one server on the way shows, and which keys are known for it."""

    step: Step
    keys: tuple[HostKey, ...]
    known: tuple[HostKey, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class FabricConnect:
    """Opens boards.

    Attributes:
        known_hosts: the files where their keys may stand.
        secret_of: gives the password for `env:NAME` or `prompt`.
        site_limits: bytes a second that all transfers of this process to a site may use.
    """

    known_hosts: tuple[Path, ...]
    secret_of: Callable[[str], str] = environment_secret
    site_limits: Mapping[str, int] = field(default_factory=dict)

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Transport]:
        """Give the open connection. Raises Unreachable, HostKeyError, LoginRefused, Refused."""
        dial, tunnel = self._dial(board), None
        with ExitStack() as way:
            try:
                for step in way_to(board):
                    tunnel = way.enter_context(dial.log_in(step, tunnel))
            except ConfigError as error:  # of this board; the others go on
                raise Refused(f"{board.name}: {error}", error.hint) from error
            assert tunnel is not None  # noqa: S101 - the board itself is always a step
            yield self._transport(board, tunnel)

    def offers(self, board: Board) -> Iterator[Offer]:
        """Give what each step shows; to go on beyond a jump host, its key must then be known."""
        tunnel: paramiko.Transport | None = None
        *hops, last = way_to(board)
        with ExitStack() as way:
            for step in (*hops, last):
                keys, known = self._shown(board, step, tunnel)
                yield Offer(step, keys, known, step is last)
                if step is not last:
                    tunnel = way.enter_context(self._dial(board).log_in(step, tunnel))

    def _shown(
        self, board: Board, step: Step, tunnel: paramiko.Transport | None
    ) -> tuple[tuple[HostKey, ...], tuple[HostKey, ...]]:
        found = (self._dial(board).host_key(step, tunnel, kinds) for kinds in KINDS)
        keys = tuple(key for key in found if key is not None)
        if not keys:
            raise HostKeyError(f"{step.label}: it shows no host key of a type that is known here")
        return keys, HostKeyCheck.of(step, self.known_hosts).known.trusted

    def _dial(self, board: Board) -> Dial:
        timeout = board.connect_timeout_s
        return Dial(self.known_hosts, self.secret_of, timeout, time.monotonic() + timeout)

    def _transport(self, board: Board, ssh: paramiko.Transport) -> FabricTransport:
        source = board.sudo_password
        password_of = None if source is None else partial(self.secret_of, source)
        meters = self._meters(board)
        return FabricTransport(ssh, board.name, meters, root=board.sudo, password_of=password_of)

    def _meters(self, board: Board) -> tuple[Meter, ...]:
        limits = (
            ("board", board.name, board.limit_bytes_per_s),
            ("site", board.site, self.site_limits.get(board.site)),
        )
        return tuple(shared_meter(kind, name, limit) for kind, name, limit in limits if limit)
