"""The Docker engine: a client whose errors are ours, its images, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound

from orchestrator.domain import EngineImage, ToolchainFact
from orchestrator.errors import ToolchainError, ToolchainMissing

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

#: How long the engine may take for one answer; creating a container on a busy disk takes its time.
ANSWER_S = 60
_LOADED = ("Loaded image: ", "Loaded image ID: ")


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What matters of the engine and its machine.

    Attributes:
        root: the engine's data folder, on its machine.
    """

    engine_id: str
    version: str
    root: Path
    memory_bytes: int
    architecture: str


@dataclass(frozen=True, slots=True)
class EngineRoom:
    """Where the engine keeps its images, None on another machine, and the memory there is."""

    root: Path | None
    memory_bytes: int


@contextmanager
def engine(who: str, answer_s: float = ANSWER_S) -> Iterator[DockerClient]:
    """Give a client; what the engine says becomes an error of ours, about `who`."""
    try:
        client = docker.from_env(timeout=int(answer_s))
    except DockerException as error:
        raise ToolchainMissing(
            f"{who}: no Docker engine answers",
            "start one (systemctl start docker), or set DOCKER_HOST; are you in group docker?",
        ) from error
    try:
        yield client
    except APIError as error:
        raise ToolchainError(f"{who}: the engine refused: {said(error)}") from error
    except (requests.RequestException, ConnectionError) as error:
        raise vanished(who) from error
    except DockerException as error:
        raise ToolchainError(f"{who}: {error}") from error
    finally:
        client.close()


def vanished(who: str) -> ToolchainError:
    """Say that the engine has ended in the middle of something."""
    return ToolchainError(
        f"{who}: the Docker engine went away", "look at its log; then start the command again"
    )


def said(error: APIError) -> str:
    """Give the engine's own words."""
    return str(error.explanation or error)


def find_image(client: DockerClient, who: str, image: str) -> Image:
    """Give an image by tag or digest. Raises ToolchainMissing."""
    try:
        return client.images.get(image)
    except ImageNotFound as error:
        raise ToolchainMissing(
            f"{who}: the engine has no image {image}",
            "load the vendor's tarball with `orch toolchain load`; it prints the tag to use",
        ) from error


def engine_facts(client: DockerClient) -> EngineFacts:
    """Ask the engine about itself."""
    info: dict[str, Any] = client.info()
    return EngineFacts(
        engine_id=f"docker {info['ID']}",
        version=str(info["ServerVersion"]),
        root=Path(info["DockerRootDir"]),
        memory_bytes=int(info["MemTotal"]),
        architecture=str(info["Architecture"]),
    )


def list_images(word: str, answer_s: float) -> list[EngineImage]:
    """List the images whose name holds the word. Raises ToolchainError, ToolchainMissing."""
    with engine("toolchains", answer_s) as client:
        found = client.images.list()
        pairs = {(tag, str(image.id)) for image in found for tag in image.tags if word in tag}
    return [EngineImage(tag, digest) for tag, digest in sorted(pairs)]


def engine_room(who: str) -> EngineRoom:
    """Say what room the engine has. Raises ToolchainError, ToolchainMissing."""
    with engine(who) as client:
        about = engine_facts(client)
        near = client.api.base_url.startswith("http+docker://")
    return EngineRoom(about.root if near and about.root.is_dir() else None, about.memory_bytes)


def load_tarball(tarball: Path, answer_s: float) -> list[EngineImage]:
    """Load all images of a tarball, under the names that the engine gives them.

    Raises:
        ToolchainError: the engine cannot read it.
        ToolchainMissing: there is no engine.
    """
    who = str(tarball)
    with engine(who, answer_s) as client, tarball.open("rb") as stream:
        names: list[str] = []
        # SDK types: the stream gives dicts, its answer is undocumented there.
        for message in client.api.load_image(stream, quiet=True):  # type: ignore[no-untyped-call]
            if "error" in message:
                raise ToolchainError(f"{who}: the engine could not load it: {message['error']}")
            line = str(message.get("stream", "")).strip()
            names += [line.removeprefix(start) for start in _LOADED if line.startswith(start)]
        return [EngineImage(name, str(client.images.get(name).id)) for name in names]


def image_facts(client: DockerClient, image: Image) -> list[ToolchainFact]:
    """Say how the image starts, and what for."""
    config: dict[str, Any] = image.attrs["Config"]
    entrypoint = " ".join(config.get("Entrypoint") or ()) or "none"
    about = engine_facts(client)
    made_for, machine = str(image.attrs["Architecture"]), about.architecture
    same = {"amd64": "x86_64", "arm64": "aarch64"}.get(made_for, made_for) == machine
    return [
        ToolchainFact("engine", about.version),
        ToolchainFact("image", ", ".join(image.tags) or "no name"),
        ToolchainFact("image bytes", f"{image.attrs['Size']:,}"),
        ToolchainFact("architecture", f"{made_for} on {machine}", same),
        ToolchainFact("entry point", entrypoint, entrypoint.endswith("bash")),
        ToolchainFact("working folder", config.get("WorkingDir") or "/"),
    ]


def home_of(image: Image) -> str:
    """Give the home folder of the image's user, root."""
    pairs = (entry.partition("=") for entry in image.attrs["Config"].get("Env") or ())
    return next((value for name, _, value in pairs if name == "HOME" and value), "/root")
