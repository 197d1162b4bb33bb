"""Which toolchains there are, what is in a tarball of images, and what a toolchain can do."""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.backends.docker_engine import engine_room, list_images, load_tarball
from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.backends.package_toolchain import PackageTree
from orchestrator.clock import now
from orchestrator.domain import (
    LEVELS,
    EngineImage,
    Isolation,
    ToolchainFact,
    ToolchainIdentity,
    ToolchainSpec,
)
from orchestrator.errors import ConfigError, OrchError, ToolchainError
from orchestrator.known_images import KnownImages
from orchestrator.seams import Progress, Toolchain
from orchestrator.toolchain_check import Candidate, Trial, room_facts, try_levels

#: Every image of the vendor, and the stand-in, has it in its name.
WORD = "pulsar2"
#: How long the engine may take to say what it has.
_LIST_S = 5.0
#: How long it may take to unpack an image: they are up to 11 GB.
_LOAD_S = 3600.0
#: The level of what runs in no container.
NO_CONTAINER = "no container"
#: While it loads, the engine has a plain copy beside the unpacked image; packed files grow twofold.
_ROOM_PLAIN, _ROOM_PACKED = 2, 4
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Listed:
    """A toolchain of the inventory, or an image that it does not name.

    Attributes:
        name: empty for an image that the inventory does not name.
        image: for docker: as the inventory or the engine has it.
        identity: None where it is not known, or `problem` says why it cannot be.
        isolation: what a check has found; None: not checked, or no container.
    """

    name: str
    kind: str
    image: str
    digest: str = ""
    identity: ToolchainIdentity | None = None
    isolation: Isolation | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image out of a tarball; `problem` says why it is no toolchain."""

    image: EngineImage
    identity: ToolchainIdentity | None
    problem: str = ""

    @property
    def name(self) -> str:
        """Give a name for the inventory: the tag with dashes."""
        short = self.image.image.rpartition("/")[2].removeprefix("sha256:")
        return re.sub(r"[^A-Za-z0-9._-]+", "-", short)[:63]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found.

    Attributes:
        levels: those that were tried, the strictest first.
        isolation: what it will run under from now on; None: nothing was remembered.
    """

    identity: ToolchainIdentity
    levels: tuple[Trial, ...]
    isolation: Isolation | None
    facts: tuple[ToolchainFact, ...]

    @property
    def passed(self) -> bool:
        """Say whether it has compiled."""
        return any(trial.passed for trial in self.levels)


def list_toolchains(
    specs: Iterable[ToolchainSpec], known: KnownImages, make: Callable[[ToolchainSpec], Toolchain]
) -> list[Listed]:
    """List the inventory's toolchains, then the engine's other images; an engine may be away."""
    specs = list(specs)
    images, problem = list[EngineImage](), ""
    try:
        images = list_images(WORD, _LIST_S)
    except ToolchainError as error:
        problem = error.message.partition(": ")[2]
    listed = []
    for spec in specs:
        if spec.kind == "docker" and problem:
            listed.append(Listed(spec.name, spec.kind, spec.image or "", problem=problem))
        else:
            listed.append(_listed(spec, known, make))
    named = {spec.image for spec in specs}
    others = (image for image in images if image.image not in named)
    return [*listed, *(_unnamed(image, known) for image in others)]


def _listed(
    spec: ToolchainSpec, known: KnownImages, make: Callable[[ToolchainSpec], Toolchain]
) -> Listed:
    image = spec.image or ""
    try:
        digest = DockerToolchain(spec.name, image).digest() if spec.kind == "docker" else ""
        identity, isolation = _recall(spec.name, digest, known)
        if identity is None:
            identity = make(spec).identity()
            if spec.kind == "docker":
                known.remember(identity)
        return Listed(spec.name, spec.kind, image, identity.digest, identity, isolation)
    except OrchError as error:
        return Listed(spec.name, spec.kind, image, problem=error.message)


def _unnamed(image: EngineImage, known: KnownImages) -> Listed:
    """What is not in the inventory is not started, only remembered."""
    identity, isolation = _recall("", image.digest, known)
    return Listed("", "docker", image.image, image.digest, identity, isolation)


def _recall(
    name: str, digest: str, known: KnownImages
) -> tuple[ToolchainIdentity | None, Isolation | None]:
    found = known.find(digest) if digest else None
    if found is None:
        return None, None
    identity = ToolchainIdentity(name, found.version, found.commit, digest, found.simulated)
    return identity, found.isolation


def load_images(tarball: Path, known: KnownImages, progress: Progress) -> list[Loaded]:
    """Load a tarball into the engine and remember who its images are.

    Raises:
        ConfigError: there is no such file, it is no tarball, or there is no room for it.
        ToolchainError: the engine cannot read it.
    """
    _look_into(tarball)
    size = tarball.stat().st_size
    _want_room(tarball, size)
    progress.event("load", f"{tarball}: {size / 1e9:.1f} GB")
    loaded = []
    for image in load_tarball(tarball, _LOAD_S):
        try:
            identity = DockerToolchain(image.image, image.image).identity()
        except ToolchainError as error:
            loaded.append(Loaded(image, None, error.message))
            continue
        known.remember(identity)
        loaded.append(Loaded(image, identity))
    if not loaded:
        raise ToolchainError(f"{tarball}: the engine found no image in it")
    return loaded


def _look_into(tarball: Path) -> None:
    try:
        if tarfile.is_tarfile(tarball):
            return
    except (OSError, EOFError) as error:
        why = getattr(error, "strerror", None) or "it ends too early"
        raise ConfigError(f"{tarball}: {why}", "name the file that was downloaded") from error
    raise ConfigError(
        f"{tarball}: {tarball.stat().st_size:,} bytes, and no tarball",
        "is the download whole? compare its size with the source's",
    )


def _want_room(tarball: Path, size: int) -> None:
    """Look whether the engine has room, where its folder can be seen."""
    room = engine_room(str(tarball)).root
    if room is None:
        return
    with tarball.open("rb") as stream:
        packed = stream.read(len(_GZIP)) == _GZIP
    wanted, free = size * (_ROOM_PACKED if packed else _ROOM_PLAIN), shutil.disk_usage(room).free
    if free < wanted:
        raise ConfigError(
            f"{tarball}: loading it takes about {wanted / 1e9:.1f} GB, {room} has "
            f"{free / 1e9:.1f} GB free",
            "make room: docker image prune",
        )


def check_toolchain(
    spec: ToolchainSpec,
    toolchain: Toolchain,
    home: Path,
    known: KnownImages,
    progress: Progress,
    in_turn: Callable[[Toolchain], Toolchain],
) -> Checked:
    """Build a tiny model, for an image under ever weaker isolation, and remember what passed.

    `toolchain` is that of the spec, as it would be used now. Work folders are made below `home`;
    `in_turn` makes builds wait for those that are at work. Raises ToolchainError or
    ToolchainMissing where it does not even tell its version.
    """
    docker = spec.kind == "docker" and spec.image is not None
    facts = list(toolchain.facts()) if isinstance(toolchain, DockerToolchain | PackageTree) else []
    room = engine_room(f"toolchain {spec.name!r}") if docker else None
    memory = room.memory_bytes if room else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts += room_facts(home, room.root if room else None, memory)
    identity = toolchain.identity()
    progress.event("check", f"{identity.name}: pulsar2 {identity.version}, {identity.commit}")
    ways: list[tuple[str, Toolchain]] = [(NO_CONTAINER, toolchain)]
    if spec.kind == "docker" and spec.image is not None:
        ways = [(level.name, _closed(spec.name, spec.image, level)) for level in LEVELS]
    candidates = [Candidate(level, in_turn(way)) for level, way in ways]
    trials = try_levels(candidates, identity, home / "work", progress.event)
    facts.append(_licence(trials))
    best = next((trial.level for trial in trials if trial.passed), None)
    isolation = next((level for level in LEVELS if docker and level.name == best), None)
    if isolation is not None:
        known.remember(identity, isolation, now())
    return Checked(identity, tuple(trials), isolation, tuple(facts))


def _closed(name: str, image: str, level: Isolation) -> DockerToolchain:
    return DockerToolchain(name, image, lambda _: level)


def _licence(trials: Sequence[Trial]) -> ToolchainFact:
    """Say what the last build that came so far has said of the licence."""
    seen = [trial.licence for trial in trials if trial.licence is not None]
    words = {True: "found", False: "not found (H0007)", None: "no build came so far"}
    last = seen[-1] if seen else None
    return ToolchainFact("licence", words[last], last is True)
