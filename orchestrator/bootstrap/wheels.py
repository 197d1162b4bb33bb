"""Wheels: which fit a board's Python, what is inside one, and whether it may be unpacked there."""

from __future__ import annotations

import re
import stat
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from hashlib import sha256
from pathlib import Path, PurePosixPath

from orchestrator.errors import ConfigError
from orchestrator.hashing import sha256_file

#: What axengine imports; the versions are those of its own metadata.
REQUIREMENTS = ("numpy>=1.22", "cffi>=1.0.0", "ml-dtypes>=0.1.0")
#: The oldest Python that can load axengine: it writes `str | bytes` in annotations.
OLDEST_PYTHON = (3, 10)
#: glibc's minor versions that wheels are tagged with, of 2.x; 2.17 is also called manylinux2014.
_OLDEST_GLIBC = 17
#: A wheel that unpacks to more is no runtime of a board.
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024

_FILE_NAME = re.compile(
    r"(?P<name>[A-Za-z0-9_.]+)-(?P<version>[A-Za-z0-9_.!+]+)(-\d[^-]*)?"
    r"-(?P<python>[a-z0-9_.]+)-(?P<abi>[a-z0-9_.]+)-(?P<platform>[a-zA-Z0-9_.]+)\.whl"
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What a wheel has to fit: CPython's version, the machine, glibc's version."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    @property
    def tag(self) -> str:
        """Give the interpreter's tag: `cp310`."""
        return f"cp{self.python[0]}{self.python[1]}"

    @property
    def key(self) -> str:
        """Give the name of a set of wheels: `cp310-aarch64-glibc2.35`."""
        return f"{self.tag}-{self.machine}-glibc{self.glibc[0]}.{self.glibc[1]}"

    def platform_tags(self) -> list[str]:
        """Give the platform tags that run here, the newest glibc first."""
        minors = range(self.glibc[1], _OLDEST_GLIBC - 1, -1)
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in minors]
        return [*tags, f"manylinux2014_{self.machine}", f"linux_{self.machine}"]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel on this host."""

    path: Path
    name: str
    version: str
    sha256: str
    size_bytes: int
    unpacked_bytes: int


def pip_download(
    python: str, platform: Platform, wanted: tuple[str, ...], folder: Path, found_in: Path | None
) -> list[str]:
    """Give the command that fetches wheels for a platform; `found_in` takes the index's place."""
    argv = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    argv += ["--only-binary=:all:", "--dest", str(folder), "--implementation", "cp"]
    argv += ["--python-version", f"{platform.python[0]}.{platform.python[1]}"]
    argv += ["--abi", platform.tag, "--abi", "abi3", "--abi", "none"]
    argv += [part for tag in platform.platform_tags() for part in ("--platform", tag)]
    if found_in is not None:
        argv += ["--no-index", "--find-links", str(found_in)]
    return [*argv, *wanted]


def set_name(platform: Platform, wheels: tuple[Wheel, ...]) -> str:
    """Give the name of a set of wheels on a board: `cp310-` and a hash of what they are."""
    text = "\n".join(sorted(wheel.sha256 for wheel in wheels))
    return f"{platform.tag}-{sha256(text.encode()).hexdigest()[:16]}"


def read_wheel(path: Path) -> Wheel:
    """Look into a wheel. Raises ConfigError where it is none, or must not be unpacked."""
    named = _parts(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked_bytes = _check_members(path, archive)
            metadata = _metadata(path, archive, "METADATA")
            _metadata(path, archive, "WHEEL")
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path.name}: no sound wheel: {error}", "fetch it again") from error
    name, version = metadata.get("Name", ""), metadata.get("Version", "")
    if (_plain(name), version) != (_plain(named["name"]), named["version"]):
        raise ConfigError(f"{path.name}: its metadata is that of {name} {version}")
    digest, size_bytes = sha256_file(path), path.stat().st_size
    return Wheel(path, _plain(name), version, digest, size_bytes, unpacked_bytes)


def check_axengine(wheel: Wheel, platform: Platform) -> None:
    """Refuse a wheel that is not axengine's, or not one for this board. Raises ConfigError."""
    if wheel.name != "axengine":
        raise ConfigError(f"{wheel.path.name}: it is {wheel.name}, not axengine")
    if not _fits(wheel.path, platform):
        raise ConfigError(f"{wheel.path.name}: its tags do not fit {platform.key}")
    with zipfile.ZipFile(wheel.path) as archive:
        metadata = _metadata(wheel.path, archive, "METADATA")
    needed = metadata.get_all("Requires-Dist") or []
    names = {_plain(re.split(r"[\s;(<>=!~\[]", one, maxsplit=1)[0]) for one in needed}
    brought = {_plain(re.split("[<>=]", one, maxsplit=1)[0]) for one in REQUIREMENTS}
    if missing := names - brought:
        raise ConfigError(
            f"{wheel.path.name}: it needs {', '.join(sorted(missing))}, which is not brought along",
            "orch brings what axengine is known to need: numpy, cffi, ml-dtypes",
        )


def file_sha256(wheel: Wheel, member: str) -> str | None:
    """Give the sha256 of one file in a wheel; None where it has no such file."""
    with zipfile.ZipFile(wheel.path) as archive:
        try:
            return sha256(archive.read(member)).hexdigest()
        except KeyError:
            return None


def _fits(path: Path, platform: Platform) -> bool:
    named = _parts(path)
    pythons = {platform.tag, f"py{platform.python[0]}{platform.python[1]}", "py3"}
    platforms = {*platform.platform_tags(), "any"}
    return (
        bool(pythons & set(named["python"].split(".")))
        and bool({platform.tag, "abi3", "none"} & set(named["abi"].split(".")))
        and bool(platforms & set(named["platform"].split(".")))
    )


def _parts(path: Path) -> dict[str, str]:
    found = _FILE_NAME.fullmatch(path.name)
    if found is None:
        raise ConfigError(
            f"{path.name}: no name of a wheel", "keep the name that it was published under"
        )
    return found.groupdict()


def _check_members(path: Path, archive: zipfile.ZipFile) -> int:
    """Give how many bytes the members have. Raises ConfigError where one leads elsewhere."""
    unpacked = 0
    for member in archive.infolist():
        parts = PurePosixPath(member.filename)
        link = stat.S_ISLNK(member.external_attr >> 16)
        if parts.is_absolute() or ".." in parts.parts or "\\" in member.filename or link:
            raise ConfigError(f"{path.name}: {member.filename!r} leads out of the wheel")
        unpacked += member.file_size
    if unpacked > MAX_UNPACKED_BYTES:
        raise ConfigError(
            f"{path.name}: unpacks to {unpacked:,} bytes, {MAX_UNPACKED_BYTES:,} are the limit"
        )
    return unpacked


def _metadata(path: Path, archive: zipfile.ZipFile, name: str) -> Message:
    pattern = re.compile(rf"[^/]+\.dist-info/{name}")
    found = [member for member in archive.namelist() if pattern.fullmatch(member)]
    if len(found) != 1:
        raise ConfigError(f"{path.name}: it has {len(found)} files *.dist-info/{name}, not one")
    return Parser().parsestr(archive.read(found[0]).decode("utf-8", "replace"), headersonly=True)


def _plain(name: str) -> str:
    """Give the one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
