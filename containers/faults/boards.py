"""Starts simulated boards as containers, on a published port or in a network of their own."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers.board_sim.serve import keep_key
from containers.faults.engine import EngineError, docker

#: What a login as somebody else than root has to say to sudo.
SUDO_PASSWORD = "orch-simulation"  # noqa: S105 - of boards that live for a test
_START_S = 30.0
_GREETING_S = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the engine; boards in it are reached by address."""

    name: str
    prefix: str

    def address(self, number: int) -> str:
        """Give the address of the board with that number, from 2 on."""
        return f"{self.prefix}.{number}"


@dataclass(frozen=True, slots=True)
class Order:
    """A board that is wanted.

    Attributes:
        kind: the tag of the image: `debian12`, `buildroot`, …
        address: in `network`; without one the SSH port is published on 127.0.0.1.
        uid: 16 hex digits; None: from the name.
        options: further options of `docker run`.
    """

    name: str
    kind: str = "debian12"
    faults: tuple[str, ...] = ()
    network: Network | None = None
    address: str | None = None
    uid: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A board that takes logins; the container has its name."""

    name: str
    host: str
    port: int
    user: str
    host_key: str
    identity_file: str


@contextmanager
def board_network() -> Iterator[Network]:
    """Make a network for boards; it goes with its context."""
    name = f"orch-net-{os.urandom(3).hex()}"
    chance = random.Random(name)  # noqa: S311 - any free subnet will do
    for _ in range(20):
        prefix = f"198.{chance.choice((18, 19))}.{chance.randrange(256)}"  # RFC 2544, for tests
        try:
            docker("network", "create", "--subnet", f"{prefix}.0/24", name)
        except EngineError as error:
            if "overlap" not in str(error):
                raise
            continue
        try:
            yield Network(name, prefix)
        finally:
            docker("network", "rm", name)
        return
    raise EngineError(f"{name}: no free subnet in 198.18.0.0/15 after 20 tries")


@contextmanager
def board(order: Order, keys: Path) -> Iterator[Started]:
    """Start a board and wait for its greeting; `keys` keeps its host key and the client's."""
    client = keep_key(keys / "client")
    public = keep_key(keys / order.name).export_public_key().decode().split()
    port = 22 if order.network else _free_port()
    environment = {
        "BOARD_NAME": order.name,
        "AUTHORIZED_KEY": client.export_public_key().decode().strip(),
        "HOST_KEY": (keys / order.name).read_text(),
        "FAULTS": ",".join(order.faults),
        "BOARD_UID": order.uid or "",
        "SUDO_PASSWORD": SUDO_PASSWORD,
    }
    docker(*run_argv(order, environment, port))
    try:
        host = order.address if order.network and order.address else "127.0.0.1"
        wait_for_greeting(host, port)
        user = "axera" if order.kind == "pyramid" else "root"
        key = " ".join(public[:2])
        yield Started(order.name, host, port, user, key, str(keys / "client"))
    finally:
        docker("rm", "--force", "--volumes", order.name)


def run_argv(order: Order, environment: Mapping[str, str], port: int) -> list[str]:
    """Give the arguments of `docker` that start a board."""
    argv = ["run", "--detach", "--name", order.name, "--hostname", "ax650", *order.options]
    if order.network and order.address:
        argv += ["--network", order.network.name, "--ip", order.address]
    else:
        argv += ["--publish", f"127.0.0.1:{port}:22"]
    for name, value in environment.items():
        argv += ["--env", f"{name}={value}"]
    return [*argv, f"orch/board-sim:{order.kind}"]


def wait_for_greeting(host: str, port: int) -> None:
    """Return when an SSH server greets there. Raises TimeoutError."""
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        # The engine's proxy takes connections before the container listens.
        try:
            with socket.create_connection((host, port), timeout=_GREETING_S) as line:
                if line.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{host}:{port}: no SSH server greets within {_START_S:g} s")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
