"""The keys of `inventory.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from orchestrator.domain import Json
from orchestrator.inventory.values import (
    EnvText,
    Hops,
    Interval,
    Login,
    Milliseconds,
    MoreRounds,
    Names,
    Nights,
    Parallel,
    Port,
    Rate,
    Rounds,
    Seconds,
    Secret,
    Share,
    Step,
    VariableName,
    Waves,
    Words,
    WorkDir,
)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PowerEntry(_Keys):
    """A program on this host that prints the watts which a board draws."""

    command: Words = Field(description="program and arguments; it finds ORCH_BOARD and ORCH_HOST")
    interval_s: Interval = Field(1.0, description="seconds from one call to the next")
    environment: dict[VariableName, EnvText] = Field(
        default_factory=dict, description="variables for it: a text, or `env:NAME`"
    )


class WayIn(_Keys):
    """How a board is reached and where orch may write; said by a board, its site or `defaults`."""

    user: Login | None = Field(None, description="login; default: ~/.ssh/config, else root")
    port: Port | None = Field(None, description="SSH port; default: ~/.ssh/config, else 22")
    identity_file: EnvText | None = Field(
        None, description="private key; default: ssh-agent, ~/.ssh"
    )
    password: Secret | None = Field(None, description="`env:NAME` or `prompt`; default: keys only")
    jump: Hops | None = Field(None, description="hosts to go through, `user@host:port`")
    sudo: bool | None = Field(None, description="what runs on the board runs as root, by sudo")
    sudo_password: Secret | None = Field(None, description="`env:NAME` or `prompt`, for sudo")
    work_dir: WorkDir | None = Field(None, description="where orch may write; default: .orch")
    switch: str | None = Field(None, description="the network switch it hangs on")
    limit: Rate | None = Field(None, description="bandwidth, `2MB/s`; of a site: all its boards")
    connect_timeout_s: Seconds | None = Field(None, description="time to connect; default: 10")
    power: PowerEntry | None = Field(None, description="a program that tells what it draws")


class Defaults(WayIn):
    """What every board has unless it or its site says otherwise."""

    site: str | None = Field(None, description="site of the boards that name none")


class Site(WayIn):
    """Boards behind one gateway: what they have unless they say otherwise."""

    max_parallel: Parallel | None = Field(None, description="its boards worked on at once")


class Switch(_Keys):
    """A network switch that several boards share."""

    max_parallel: Parallel | None = Field(None, description="its boards worked on at once")


class BoardEntry(WayIn):
    """One device, or as many as its name is a range of."""

    host: EnvText | None = Field(None, description="name or address, or a range as long as names")
    host_key: Names | None = Field(
        None, description="pinned public key(s), `ssh-ed25519 AAAA…`; default: known_hosts"
    )
    site: str | None = Field(None, description="boards behind one gateway share a site")
    tags: list[str] | None = Field(None, description="words to choose boards by")
    relay: bool | None = Field(None, description="hands files on to the boards of its site")
    simulated: bool | None = Field(None, description="a simulated board on this machine")


class ToolchainEntry(_Keys):
    """Something that runs `pulsar2`."""

    kind: Literal["docker", "local", "package"] = Field(
        description="an image, a program on this machine, or the vendor's package tree"
    )
    image: str | None = Field(None, description="for docker: the image's tag, `pulsar2:5.2`")
    command: list[str] = Field(default_factory=list, description="for local: the program")
    path: str | None = Field(None, description="for package: the tree; default: PULSAR2_HOME")
    max_builds: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="builds at once on its engine, whoever on this machine starts them"
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ToolchainEntry:
        if self.kind == "docker" and not self.image:
            raise ValueError("a docker toolchain needs an image")
        if self.kind == "local" and not self.command:
            raise ValueError("a local toolchain needs a command")
        for key, kind in (("image", "docker"), ("command", "local"), ("path", "package")):
            if getattr(self, key) and self.kind != kind:
                raise ValueError(f"{key} is for kind {kind}, and this is {self.kind}")
        return self


class RolloutEntry(_Keys):
    """In which steps a release goes through a fleet, and what ends it early."""

    canary: Names | None = Field(None, description="boards that go first: names, ranges, globs")
    waves: Waves = Field(
        default_factory=lambda: ["100%"], description="how far each wave goes: 1, 10%, 100%"
    )
    max_failed: Step = Field("100%", description="boards that may fail: 2 or 10%")
    max_slowdown: Share | None = Field(None, description="p50 above the baseline: 5%")
    max_agreement_loss: Share | None = Field(None, description="agreement below the baseline: 1%")


class VerifyEntry(_Keys):
    """How the fleet is measured and judged by `orch verify`."""

    recipes: Names | None = Field(
        None, description="recipes to measure; default: the fleet's own alone"
    )
    rounds: Rounds = Field(5, description="measurements of each recipe on each board")
    more_rounds: MoreRounds = Field(5, description="so many more at most where these do not tell")
    margin: Share = Field(0.02, description="share by which p50 may be above its baseline: 2%")
    margin_ms: Milliseconds = Field(0.05, description="a smaller change in ms fails nothing")
    max_agreement_loss: Share = Field(0.005, description="agreement below its baseline: 0.5%")
    max_miou_loss: Share = Field(0.01, description="mIoU below its baseline: 1%")
    baseline_nights: Nights = Field(14, description="compared with so many nights before")
    budget_s: Seconds | None = Field(None, description="how long a night may take")


class FleetEntry(_Keys):
    """A named set of boards."""

    boards: Names | None = Field(None, description="names, ranges and globs over `boards`")
    select: str | None = Field(None, description="`site=fra and npu3`; in addition to `boards`")
    recipe: str | None = Field(None, description="what `orch deploy` builds when not told")
    toolchain: str = Field("sim", description="a name from `toolchains`, or `sim`")
    max_parallel: Parallel = Field(16, description="boards worked on at once")
    rollout: RolloutEntry = Field(default_factory=RolloutEntry)
    board_deadline_s: Seconds = Field(3600.0, description="time for all the work on one board")
    quarantine_after: Parallel = Field(3, description="failures in a row before a board rests")
    verify: VerifyEntry = Field(default_factory=VerifyEntry)

    @model_validator(mode="after")
    def _has_boards(self) -> FleetEntry:
        if self.boards is None and self.select is None:
            raise ValueError("a fleet needs boards, or select to choose them by")
        return self


class InventoryFile(_Keys):
    """Boards, fleets, sites and toolchains of one workplace."""

    defaults: Defaults = Field(default_factory=Defaults)
    sites: dict[str, Site] = Field(default_factory=dict)
    switches: dict[str, Switch] = Field(default_factory=dict)
    toolchains: dict[str, ToolchainEntry] = Field(default_factory=dict)
    boards: dict[str, BoardEntry]
    fleets: dict[str, FleetEntry]


def inventory_schema() -> dict[str, Json]:
    """Give the JSON Schema of `inventory.yaml`."""
    return InventoryFile.model_json_schema()
