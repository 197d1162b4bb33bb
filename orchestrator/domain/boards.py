"""Where it is built and where it runs: toolchains, boards, and fleets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.domain.instruments import PowerHook
from orchestrator.domain.nights import VerifySpec


@dataclass(frozen=True, slots=True)
class Board:
    """One device as the inventory describes it; who it really is, its `uid` tells.

    Attributes:
        port: 0 is not given: what ~/.ssh/config says, else 22.
        user: "" is not given: what ~/.ssh/config says, else root.
        host_keys: public keys, `ssh-ed25519 AAAA…`, that the board may show; empty: known_hosts.
        work_dir: where orch may write on the board, relative to the login's home or absolute.
        simulated: the board is a program on this machine or in a container.
        jump: hosts to go through, first to last: `user@host:port`, `host`.
        password: where the login's password comes from: `env:NAME`, `prompt`; None: keys only.
        sudo: what runs on the board runs as root, through sudo.
        sudo_password: as `password`, for sudo; None: sudo asks for none.
        switch: boards behind one network switch share its `max_parallel`.
        relay: hands blobs on to the other boards of its site.
        limit_bytes_per_s: what transfers to it may use of the line; None: all of it.
        power: a program on this host that tells what it draws; None: there is none.
    """

    name: str
    host: str
    port: int
    user: str
    host_keys: tuple[str, ...] = ()
    identity_file: str | None = None
    work_dir: str = ".orch"
    site: str = "default"
    tags: tuple[str, ...] = ()
    simulated: bool = False
    connect_timeout_s: float = 10.0
    jump: tuple[str, ...] = ()
    password: str | None = None
    sudo: bool = False
    sudo_password: str | None = None
    switch: str | None = None
    relay: bool = False
    limit_bytes_per_s: int | None = None
    power: PowerHook | None = None

    @property
    def address(self) -> str:
        """Where it is reached, in words: `user@host:port`, less what the inventory leaves open."""
        if self.simulated:
            return "simulated"
        user = f"{self.user}@" if self.user else ""
        return user + self.host + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True)
class ToolchainSpec:
    """Which `pulsar2` compiles: an image for the Docker engine, or a program on this machine.

    `path` is the vendor's package tree; None: where `PULSAR2_HOME` says.
    At most `max_builds` run at once on its engine; `sim` has no such limit.
    """

    name: str
    kind: Literal["docker", "local", "package", "sim"]
    image: str | None
    command: tuple[str, ...]
    max_builds: int = 1
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """In which steps a release goes through a fleet, and what ends it early.

    Attributes:
        canary: boards that go first, on their own.
        waves: how far each wave goes, of all boards: `1` board, `10%`, `100%`.
        max_failed: boards that may fail, `2` or `10%`, before no further wave is begun.
        max_slowdown: share by which a board's p50 may be above its baseline, 0.1 for 10 %.
        max_agreement_loss: how far a board's pixel agreement may be below its baseline, 0..1.
    """

    canary: tuple[str, ...] = ()
    waves: tuple[str, ...] = ("100%",)
    max_failed: str = "100%"
    max_slowdown: float | None = None
    max_agreement_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """How many boards are worked on at once: in all, and behind one site or switch."""

    in_all: int
    sites: Mapping[str, int] = field(default_factory=dict)
    switches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A named set of boards; one that fails `quarantine_after` times in a row rests a while."""

    name: str
    boards: tuple[Board, ...]
    recipe: str | None
    toolchain: str
    caps: Caps
    rollout: Rollout = Rollout()
    board_deadline_s: float = 3600.0
    quarantine_after: int = 3
    verify: VerifySpec = field(default_factory=VerifySpec)
