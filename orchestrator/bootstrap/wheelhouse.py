"""The wheels that this host keeps for boards: fetched once, and pinned from then on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from urllib.error import URLError
from urllib.parse import urlsplit

from orchestrator.bootstrap.wheels import REQUIREMENTS, Platform, Wheel, pip_download, read_wheel
from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.hashing import sha256_file
from orchestrator.locks import hold

#: axengine's wheel has some 20 kB; a file like this is something else.
MAX_AXENGINE_BYTES = 64 * 1024 * 1024
_FETCH_DEADLINE_S = 600.0
_URL_TIMEOUT_S = 60.0
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TAIL_LINES = 6

#: One thread at a time asks; the file lock is between processes.
_ASKING = Lock()

Pins = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Wheelhouse:
    """A folder of wheels by platform, and the lock file that says which they are.

    Attributes:
        pins: JSON, `{platform: {file name: sha256}}`; what it does not name is resolved and added.
        found_in: a folder of wheels to take in place of the package index.
    """

    folder: Path
    pins: Path
    found_in: Path | None = None

    def wheels_for(self, platform: Platform) -> tuple[Wheel, ...]:
        """Give what axengine needs on a platform, as pinned. Raises ConfigError."""
        with _ASKING, hold(self.folder / "lock", lambda: None):
            pinned = self._pins().get(platform.key)
            if pinned is None:
                return self._resolve(platform)
            kept = self._kept(platform, pinned)
            return kept if kept is not None else self._fetch_pinned(platform, pinned)

    def axengine(self, source: str, sha256: str) -> Wheel:
        """Give the axengine wheel of a file or https URL. Raises ConfigError, also on any other."""
        if not _SHA256.fullmatch(sha256):
            raise ConfigError(f"--sha256 {sha256!r} is no sha256: 64 digits 0-9a-f")
        with _ASKING, hold(self.folder / "lock", lambda: None):
            folder = self.folder / "axengine" / sha256
            for path in folder.glob("*.whl"):
                if sha256_file(path) == sha256:
                    return read_wheel(path)
            name = Path(urlsplit(source).path).name
            content = _read(source)
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                path = Path(scratch) / name
                path.write_bytes(content)
                if (found := sha256_file(path)) != sha256:
                    raise ConfigError(
                        f"{source}: its sha256 is {found}, not {sha256}",
                        "take the file whose hash you know, or give the hash of this one",
                    )
                read_wheel(path)
                folder.mkdir(parents=True, exist_ok=True)
                return read_wheel(path.replace(folder / name))

    def _resolve(self, platform: Platform) -> tuple[Wheel, ...]:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            _pip(platform, REQUIREMENTS, Path(scratch), self.found_in)
            wheels = self._keep(platform, Path(scratch))
        pins = {name: dict(files) for name, files in self._pins().items()}
        pins[platform.key] = {wheel.path.name: wheel.sha256 for wheel in wheels}
        self.pins.parent.mkdir(parents=True, exist_ok=True)
        part = self.pins.with_name(self.pins.name + ".part")
        part.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
        part.replace(self.pins)
        return wheels

    def _fetch_pinned(self, platform: Platform, pinned: Mapping[str, str]) -> tuple[Wheel, ...]:
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            wanted = Path(scratch) / "requirements.txt"
            lines = []
            for name, digest in sorted(pinned.items()):
                package, version = name.split("-")[:2]
                lines.append(f"{package}=={version} --hash=sha256:{digest}\n")
            wanted.write_text("".join(lines))
            argv = ("--no-deps", "--require-hashes", "--requirement", str(wanted))
            _pip(platform, argv, Path(scratch), self.found_in)
            self._keep(platform, Path(scratch))
        kept = self._kept(platform, pinned)
        if kept is None:
            raise ConfigError(
                f"{self.pins}: {platform.key}: the index has no longer what is pinned",
                f"remove {platform.key!r} there to pin what it has now",
            )
        return kept

    def _keep(self, platform: Platform, scratch: Path) -> tuple[Wheel, ...]:
        folder = self.folder / platform.key
        folder.mkdir(parents=True, exist_ok=True)
        checked = [read_wheel(path) for path in sorted(scratch.glob("*.whl"))]
        return tuple(read_wheel(one.path.replace(folder / one.path.name)) for one in checked)

    def _kept(self, platform: Platform, pinned: Mapping[str, str]) -> tuple[Wheel, ...] | None:
        paths = [self.folder / platform.key / name for name in sorted(pinned)]
        if not all(path.is_file() and sha256_file(path) == pinned[path.name] for path in paths):
            return None
        return tuple(read_wheel(path) for path in paths)

    def _pins(self) -> Pins:
        try:
            found: Json = json.loads(self.pins.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.pins}: cannot be read: {error}") from error
        pins: dict[str, dict[str, str]] = {}
        for key, files in found.items() if isinstance(found, dict) else ():
            if not isinstance(files, dict) or not all(_is_pin(*one) for one in files.items()):
                raise ConfigError(f"{self.pins}: {key}: not a list of wheels with their sha256")
            pins[key] = {name: str(digest) for name, digest in files.items()}
        return pins


def _is_pin(name: str, digest: Json) -> bool:
    sound = isinstance(digest, str) and _SHA256.fullmatch(digest) is not None
    return sound and "/" not in name and name.endswith(".whl")


def _pip(platform: Platform, wanted: tuple[str, ...], folder: Path, found_in: Path | None) -> None:
    argv = pip_download(sys.executable, platform, wanted, folder, found_in)
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_FETCH_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{platform.key}: pip took over {_FETCH_DEADLINE_S:g} s") from error
    if done.returncode != 0:
        said = " / ".join(done.stderr.strip().splitlines()[-_TAIL_LINES:])
        raise ConfigError(
            f"{platform.key}: pip download ended with {done.returncode}: {said}",
            "does `pip download numpy` work on this host? else name a folder with --wheels",
        )


def _read(source: str) -> bytes:
    scheme = urlsplit(source).scheme
    try:
        if scheme == "https":
            with urllib.request.urlopen(source, timeout=_URL_TIMEOUT_S) as reply:  # noqa: S310 - https only, see above
                content = bytes(reply.read(MAX_AXENGINE_BYTES + 1))
        elif scheme:
            raise ConfigError(f"--axengine {source}: neither a file nor an https URL")
        else:
            with Path(source).expanduser().open("rb") as stream:
                content = stream.read(MAX_AXENGINE_BYTES + 1)
    except (OSError, URLError) as error:
        raise ConfigError(f"--axengine {source}: {error}") from error
    if len(content) > MAX_AXENGINE_BYTES:
        raise ConfigError(f"--axengine {source}: over {MAX_AXENGINE_BYTES:,} bytes")
    return content
