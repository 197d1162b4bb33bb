"""`pulsar2` inside an image, driven through the Docker SDK."""

from __future__ import annotations

import os
import shlex
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.pulsar2.identity import parse_version

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

#: The current folder of the vendor's image, where its documentation mounts the work.
_DATA = "/data"
_VERSION_DEADLINE_S = 120.0
#: Marks the containers of orch.
_LABEL = "orch.toolchain"


class DockerToolchain:
    """Runs one container per command; it is removed whatever happens."""

    def __init__(self, name: str, image: str) -> None:
        self._name = name
        self._image = image

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        with self._engine() as client:
            digest = str(self._find_image(client).id)
        result = self.run(["pulsar2", "version"], Path("/"), lambda _: None, _VERSION_DEADLINE_S)
        return parse_version(self._name, result, digest)

    def engine_id(self) -> str:
        """Name the engine by its own id, however it is reached. Raises ToolchainMissing."""
        with self._engine() as client:
            return f"docker {client.info()['ID']}"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `argv` with `work_dir` mounted at /data; its files belong to the caller again after.

        The image's entry point is a shell, so the command is handed to it as one quoted string.
        The network is the host's, as in the vendor's documented run line.
        """
        mounts = {} if work_dir == Path("/") else {str(work_dir): {"bind": _DATA, "mode": "rw"}}
        with self._engine() as client:
            image = self._find_image(client)
            container = client.containers.create(
                image,
                entrypoint="/bin/bash",
                command=["-c", f"{shlex.join(argv)} 2>&1"],  # one pipe keeps the order of lines
                name=f"orch-{uuid.uuid4().hex[:12]}",
                labels={_LABEL: self._name},
                volumes=mounts,
                working_dir=_DATA,
                network_mode="host",
            )
            try:
                return _follow(container, argv, on_line, deadline_s)
            finally:
                with suppress(NotFound):
                    container.remove(force=True)
                if mounts and os.getuid() != 0:
                    _hand_back(client, image, work_dir)

    @contextmanager
    def _engine(self) -> Iterator[DockerClient]:
        """Give a client; what the engine says becomes an error of ours."""
        try:
            client = docker.from_env()
        except DockerException as error:
            raise ToolchainMissing(
                f"toolchain {self._name!r}: no Docker engine answers",
                "start one (systemctl start docker), or set DOCKER_HOST; are you in group docker?",
            ) from error
        try:
            yield client
        except APIError as error:
            said = error.explanation or error
            raise ToolchainError(f"toolchain {self._name!r}: the engine refused: {said}") from error
        except requests.RequestException as error:
            message = f"toolchain {self._name!r}: the Docker engine went away"
            raise ToolchainError(
                message, "look at its log; the build can be started again"
            ) from error
        finally:
            client.close()

    def _find_image(self, client: DockerClient) -> Image:
        try:
            return client.images.get(self._image)
        except ImageNotFound as error:
            raise ToolchainMissing(
                f"toolchain {self._name!r}: the engine has no image {self._image}",
                "load the vendor's tarball with `docker load -i` and use the tag that it prints",
            ) from error


def _follow(
    container: Container, argv: Sequence[str], on_line: Callable[[str], None], deadline_s: float
) -> CommandResult:
    """Start a container, stream its log, and kill it at the deadline."""
    late = threading.Event()

    def expire() -> None:
        late.set()
        with suppress(APIError, requests.RequestException):
            container.kill()

    timer = threading.Timer(deadline_s, expire)
    log = bytearray()
    stream = container.attach(stream=True, logs=True)
    try:
        container.start()
        timer.start()
        seen = 0
        for chunk in stream:
            log += chunk
            while (end := log.find(b"\n", seen)) >= 0:
                on_line(log[seen:end].decode(errors="replace"))
                seen = end + 1
        if seen < len(log):
            on_line(log[seen:].decode(errors="replace"))
        returncode = int(container.wait()["StatusCode"])
    finally:
        timer.cancel()
        # Its own close() leaves the socket's file open, and raises for an engine reached by ssh.
        stream._response.close()  # type: ignore[attr-defined] # noqa: SLF001 - there is no other way
    if late.is_set():
        raise DeadlineError(
            f"{' '.join(argv[:2])} took longer than {deadline_s:g} s; its container was killed",
            "raise compile.timeout in the recipe",
        )
    return CommandResult(returncode, bytes(log), b"")


def _hand_back(client: DockerClient, image: Image, work_dir: Path) -> None:
    """Give the files that the container's root wrote to the caller."""
    client.containers.run(
        image,
        entrypoint="/bin/chown",
        command=["-R", f"{os.getuid()}:{os.getgid()}", _DATA],
        volumes={str(work_dir): {"bind": _DATA, "mode": "rw"}},
        network_mode="none",
        remove=True,
    )
