"""`inventory.yaml` → boards, fleets and toolchains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from orchestrator.domain import Board, Caps, Fleet, Json, ToolchainSpec
from orchestrator.errors import ConfigError
from orchestrator.yaml_file import YamlFile, explain, read_yaml

#: Names become file names and labels.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Port = Annotated[int, Field(ge=1, le=65535)]
_Seconds = Annotated[float, Field(gt=0, le=86400)]


def _own_folder(path: str) -> str:
    if path.removeprefix("~").strip("/") in {"", ".", ".."}:
        raise ValueError("orch wants a folder of its own, such as .orch")
    return path


_WorkDir = Annotated[str, AfterValidator(_own_folder)]


class _Defaults(_Model):
    """What every board has unless it says otherwise."""

    user: str = Field("root", description="login on the board")
    port: _Port = Field(22, description="SSH port")
    identity_file: str | None = Field(None, description="private key; default: ssh-agent, ~/.ssh")
    work_dir: _WorkDir = Field(".orch", description="where orch may write on a board")
    site: str = Field("default", description="boards behind one gateway share a site")
    connect_timeout_s: _Seconds = Field(10.0, description="time to connect and log in")


class _Board(_Model):
    """One device."""

    host: str | None = Field(None, description="name or address; not for simulated boards")
    port: _Port | None = None
    user: str | None = None
    identity_file: str | None = None
    host_key: str | list[str] | None = Field(
        None, description="pinned public key(s), `ssh-ed25519 AAAA…`; default: known_hosts"
    )
    work_dir: _WorkDir | None = None
    site: str | None = None
    tags: list[str] = Field(default_factory=list)
    simulated: bool = Field(default=False, description="a simulated board on this machine")
    connect_timeout_s: _Seconds | None = None

    @model_validator(mode="after")
    def _has_an_address(self) -> _Board:
        if self.simulated and self.host is not None:
            raise ValueError("a simulated board has no host: orch starts it on this machine")
        if not self.simulated and self.host is None:
            raise ValueError("a board needs a host (or `simulated: true`)")
        return self


class _Toolchain(_Model):
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
    def _fits_its_kind(self) -> _Toolchain:
        if self.kind == "docker" and not self.image:
            raise ValueError("a docker toolchain needs an image")
        if self.kind == "local" and not self.command:
            raise ValueError("a local toolchain needs a command")
        for key, kind in (("image", "docker"), ("command", "local"), ("path", "package")):
            if getattr(self, key) and self.kind != kind:
                raise ValueError(f"{key} is for kind {kind}, and this is {self.kind}")
        return self


class _Fleet(_Model):
    """A named set of boards."""

    boards: list[str] = Field(min_length=1, description="names from `boards`")
    recipe: str | None = Field(None, description="what `orch deploy` builds when not told")
    toolchain: str = Field("sim", description="a name from `toolchains`, or `sim`")
    max_parallel: Annotated[int, Field(ge=1, le=1024)] = Field(
        16, description="boards worked on at once"
    )


class _Inventory(_Model):
    """Boards, fleets and toolchains of one workplace."""

    defaults: _Defaults = Field(default_factory=_Defaults)
    toolchains: dict[str, _Toolchain] = Field(default_factory=dict)
    boards: dict[str, _Board]
    fleets: dict[str, _Fleet]


@dataclass(frozen=True, slots=True)
class Inventory:
    """A checked inventory."""

    path: Path
    boards: Mapping[str, Board]
    fleets: Mapping[str, Fleet]
    toolchains: Mapping[str, ToolchainSpec]

    def fleet(self, name: str) -> Fleet:
        """Give a fleet by name. Raises ConfigError that lists the known ones."""
        if name not in self.fleets:
            known = ", ".join(sorted(self.fleets))
            raise ConfigError(f"{self.path}: no fleet named {name!r}", f"known fleets: {known}")
        return self.fleets[name]

    def board(self, name: str) -> Board:
        """Give a board by name. Raises ConfigError that lists the known ones."""
        if name not in self.boards:
            known = ", ".join(sorted(self.boards))
            raise ConfigError(f"{self.path}: no board named {name!r}", f"known boards: {known}")
        return self.boards[name]

    def toolchain(self, name: str) -> ToolchainSpec:
        """Give a toolchain by name. Raises ConfigError that lists the known ones."""
        if name not in self.toolchains:
            known = ", ".join(sorted(self.toolchains))
            raise ConfigError(
                f"{self.path}: no toolchain named {name!r}", f"known toolchains: {known}"
            )
        return self.toolchains[name]


def inventory_schema() -> dict[str, Json]:
    """Give the JSON Schema of `inventory.yaml`."""
    return _Inventory.model_json_schema()


def load_inventory(path: Path) -> Inventory:
    """Read and check an inventory. Raises ConfigError with file, line and key."""
    file = read_yaml(path)
    try:
        parsed = _Inventory.model_validate(file.data)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors()]
        raise explain(file, problems, inventory_schema()) from None
    for section in ("toolchains", "boards", "fleets"):
        for name in getattr(parsed, section):
            if not _NAME.fullmatch(name):
                message = "a name is letters, digits, dot, dash and underscore, at most 63"
                raise file.error((section, name), message)
    if "sim" in parsed.toolchains:
        raise file.error(("toolchains", "sim"), "`sim` is the stand-in, always there", "rename it")
    boards = {name: _board(name, board, parsed) for name, board in parsed.boards.items()}
    _refuse_shared_addresses(file, boards)
    toolchains = {"sim": ToolchainSpec("sim", "sim", None, ())} | {
        name: _toolchain(name, spec, path.parent) for name, spec in parsed.toolchains.items()
    }
    fleets = {
        name: _fleet(file, name, fleet, boards, toolchains) for name, fleet in parsed.fleets.items()
    }
    return Inventory(path, boards, fleets, toolchains)


def _toolchain(name: str, spec: _Toolchain, folder: Path) -> ToolchainSpec:
    """A path begins at the inventory's folder."""
    tree = None if spec.path is None else str((folder / Path(spec.path).expanduser()).absolute())
    return ToolchainSpec(
        name, spec.kind, spec.image, tuple(spec.command), spec.max_builds, path=tree
    )


def _board(name: str, board: _Board, inventory: _Inventory) -> Board:
    defaults = inventory.defaults
    keys = [board.host_key] if isinstance(board.host_key, str) else board.host_key or []
    return Board(
        name=name,
        host=board.host or "127.0.0.1",
        port=board.port or defaults.port,
        user=board.user or defaults.user,
        host_keys=tuple(keys),
        identity_file=board.identity_file or defaults.identity_file,
        work_dir=(board.work_dir or defaults.work_dir).removeprefix("~/"),
        site=board.site or defaults.site,
        tags=tuple(board.tags),
        simulated=board.simulated,
        connect_timeout_s=board.connect_timeout_s or defaults.connect_timeout_s,
    )


def _refuse_shared_addresses(file: YamlFile, boards: Mapping[str, Board]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for board in boards.values():
        if board.simulated:
            continue
        address = (board.host.lower(), board.port)
        if address in seen:
            raise file.error(
                ("boards", board.name, "host"),
                f"{board.host}:{board.port} is already board {seen[address]!r}",
                "one device is one board: delete one of the two, or correct its host or port",
            )
        seen[address] = board.name


def _fleet(
    file: YamlFile,
    name: str,
    fleet: _Fleet,
    boards: Mapping[str, Board],
    toolchains: Mapping[str, ToolchainSpec],
) -> Fleet:
    for index, board in enumerate(fleet.boards):
        if board not in boards:
            known = f"known boards: {', '.join(sorted(boards))}"
            raise file.error(("fleets", name, "boards", index), f"no board named {board!r}", known)
        if board in fleet.boards[:index]:
            raise file.error(("fleets", name, "boards", index), f"board {board!r} is listed twice")
    if fleet.toolchain not in toolchains:
        known = f"known toolchains: {', '.join(sorted(toolchains))}"
        raise file.error(
            ("fleets", name, "toolchain"), f"no toolchain named {fleet.toolchain!r}", known
        )
    members = tuple(boards[board] for board in fleet.boards)
    return Fleet(name, members, fleet.recipe, fleet.toolchain, Caps(fleet.max_parallel))
