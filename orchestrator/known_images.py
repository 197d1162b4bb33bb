"""What is remembered of Docker images: `toolchains/<digest>.json` under `ORCH_HOME`."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.domain import DOCUMENTED, LEVELS, Isolation, KnownImage, ToolchainIdentity
from orchestrator.errors import ConfigError
from orchestrator.hashing import as_json

_FORMAT = 1


class KnownImages:
    """The images that were loaded or checked here, by digest."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "toolchains"

    def find(self, digest: str) -> KnownImage | None:
        """Give what is known; None also for a file of another format, or one that is damaged."""
        try:
            data = json.loads(self._path(digest).read_text(encoding="utf-8"))
            if data["format"] != _FORMAT or data["digest"] != digest:
                return None
            return KnownImage(
                digest=digest,
                version=str(data["version"]),
                commit=str(data["commit"]),
                simulated=data["simulated"] is True,
                isolation=_isolation(data["isolation"]),
                checked_at=str(data["checked_at"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def isolation_of(self, digest: str) -> Isolation:
        """Give the strictest isolation that was seen to work, else the documented run line."""
        known = self.find(digest)
        return known.isolation if known and known.isolation else DOCUMENTED

    def remember(
        self, identity: ToolchainIdentity, isolation: Isolation | None = None, checked_at: str = ""
    ) -> None:
        """Keep who an image is; what an earlier check has found stays unless there is a new one.

        Raises ConfigError where the folder cannot be written.
        """
        image = KnownImage(identity.digest, identity.version, identity.commit, identity.simulated)
        if isolation is not None:
            image = replace(image, isolation=isolation, checked_at=checked_at)
        elif (known := self.find(identity.digest)) is not None:
            image = replace(image, isolation=known.isolation, checked_at=known.checked_at)
        plain = as_json(image)
        if not isinstance(plain, dict):
            raise TypeError("an image is an object in JSON")
        try:
            _write(self._path(identity.digest), json.dumps({"format": _FORMAT} | plain, indent=2))
        except OSError as error:
            raise ConfigError(
                f"{self._folder}: what was learned of {identity.name!r} cannot be kept: "
                f"{error.strerror}",
                "ORCH_HOME has to be a folder of yours, on a disk with room",
            ) from error

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest.removeprefix('sha256:')}.json"


def _isolation(data: object) -> Isolation | None:
    """Find the level that was written down; None where it has been defined anew since."""
    return next((level for level in LEVELS if as_json(level) == data), None)


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
