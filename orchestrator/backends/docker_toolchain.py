"""`pulsar2` inside an image, driven through the Docker SDK."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.backends.docker_container import Order, run_container, sweep
from orchestrator.backends.docker_engine import (
    engine,
    engine_facts,
    find_image,
    image_facts,
    vanished,
)
from orchestrator.backends.docker_guard import hand_back
from orchestrator.domain import (
    DOCUMENTED,
    CommandResult,
    Isolation,
    ToolchainFact,
    ToolchainIdentity,
)
from orchestrator.errors import ToolchainMissing
from orchestrator.pulsar2.identity import parse_version

_VERSION_DEADLINE_S = 120.0
#: SIGKILL and SIGTERM, as a shell tells them.
_FROM_OUTSIDE = (137, 143)


def documented(_: str) -> Isolation:
    """Give the vendor's documented run line, whatever the image."""
    return DOCUMENTED


class DockerToolchain:
    """Runs one container per command; it is removed whatever happens."""

    def __init__(
        self,
        name: str,
        image: str,
        isolation_of: Callable[[str], Isolation] = documented,
    ) -> None:
        """Args: `isolation_of` gives how to run an image, by its digest."""
        self._name = name
        self._who = f"toolchain {name!r}"
        self._image = image
        self._isolation_of = isolation_of
        self._swept = False

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        result = self._run(["pulsar2", "version"], None, lambda _: None, _VERSION_DEADLINE_S)
        return parse_version(self._name, result, self.digest())

    def digest(self) -> str:
        """Give the image's digest, without starting it. Raises ToolchainMissing, ToolchainError."""
        with engine(self._who) as client:
            return str(find_image(client, self._who, self._image).id)

    def engine_id(self) -> str:
        """Name the engine by its own id, however it is reached. Raises ToolchainMissing."""
        with engine(self._who) as client:
            return engine_facts(client).engine_id

    def facts(self) -> list[ToolchainFact]:
        """Say how the image starts. Raises ToolchainMissing, ToolchainError."""
        with engine(self._who) as client:
            return image_facts(client, find_image(client, self._who, self._image))

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `argv` with `work_dir` mounted at /data; its files belong to the caller again after.

        Where the isolation keeps the input apart and the folder has `input` and `output`, only
        these two are mounted, and only `output` can be written.
        """
        return self._run(argv, work_dir, on_line, deadline_s)

    def _look_for_engine(self) -> None:
        """Raise ToolchainError where the engine has stopped, as it does to all its containers."""
        try:
            self.engine_id()
        except ToolchainMissing as error:
            raise vanished(self._who) from error

    def _run(
        self,
        argv: Sequence[str],
        work_dir: Path | None,
        on_line: Callable[[str], None],
        deadline_s: float,
    ) -> CommandResult:
        with engine(self._who) as client:
            if not self._swept:
                sweep(client)
                self._swept = True
            image = find_image(client, self._who, self._image)
            isolation = self._isolation_of(str(image.id))
            order = Order(self._name, image, argv, work_dir, isolation)
            try:
                result = run_container(client, order, on_line, deadline_s)
                if result.returncode in _FROM_OUTSIDE:
                    self._look_for_engine()
                return result
            finally:
                if work_dir is not None:
                    hand_back(client, str(image.id), work_dir)
