"""What a board says of its Python → a value. A board is not trusted: every field is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.bootstrap.wheels import Platform
from orchestrator.domain import Json
from orchestrator.errors import AgentError, Refused

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})\.\d{1,3}")
_LIBC = re.compile(r"glibc (\d)\.(\d{1,3})(\.\d+)?")
_MACHINE = re.compile(r"[A-Za-z0-9_]{1,32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD_BITS = 64
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class BoardPython:
    """The Python of a board, and what a worker would import there.

    Attributes:
        packages: versions of what axengine needs and of itself; None: not there, `?`: no metadata.
        installed: the set of packages that orch brought and that is in use.
        models: what the vendor left on the board to try.
        selftest: the result of the last try, where nothing has changed since.
    """

    version: tuple[int, int]
    text: str
    implementation: str
    bits: int
    machine: str
    libc: str | None
    packages: Mapping[str, str | None]
    axengine_sha256: str | None
    installed: str | None
    disk_free_bytes: int
    models: tuple[str, ...]
    selftest: Mapping[str, Json] | None
    simulated: bool

    @property
    def complete(self) -> bool:
        """Whether a model can be run."""
        return all(version is not None for version in self.packages.values())


def parse_python(board: str, reply: Mapping[str, Json]) -> BoardPython:
    """Read the result of `runtime`."""
    text = _text(board, reply, "python")
    found = _VERSION.fullmatch(text)
    machine = _text(board, reply, "machine")
    sha256 = _optional_text(board, reply, "axengine_sha256")
    free, bits, tried = reply.get("disk_free_bytes"), reply.get("bits"), reply.get("selftest")
    models = reply.get("models")
    if found is None or not _MACHINE.fullmatch(machine):
        raise _malformed(board, "python")
    if type(free) is not int or type(bits) is not int or not isinstance(models, list):
        raise _malformed(board, "disk_free_bytes")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise _malformed(board, "axengine_sha256")
    return BoardPython(
        version=(int(found.group(1)), int(found.group(2))),
        text=text,
        implementation=_text(board, reply, "implementation"),
        bits=bits,
        machine=machine,
        libc=_optional_text(board, reply, "libc"),
        packages=_packages(board, reply),
        axengine_sha256=sha256,
        installed=_optional_text(board, reply, "installed"),
        disk_free_bytes=free,
        models=tuple(str(name)[:_MAX_TEXT] for name in models),
        selftest=parse_selftest(board, tried) if isinstance(tried, dict) else None,
        simulated=reply.get("simulated") is True,
    )


def parse_selftest(board: str, reply: Mapping[str, Json]) -> dict[str, Json]:
    """Read the result of `selftest`: the model's name and its times in ns."""
    times = reply.get("samples_ns")
    if not isinstance(times, list) or not times or not all(type(one) is int for one in times):
        raise _malformed(board, "samples_ns")
    first = reply.get("first_ns")
    if type(first) is not int:
        raise _malformed(board, "first_ns")
    return {"model": _text(board, reply, "model"), "first_ns": first, "samples_ns": times}


def platform_of(board: str, found: BoardPython) -> Platform:
    """Say what wheels must fit. Raises Refused where none are made for it."""
    libc = _LIBC.fullmatch(found.libc or "")
    if libc is None or found.implementation != "cpython" or found.bits != _WORD_BITS:
        raise Refused(
            f"{board}: its Python is {found.implementation} {found.text}, {found.bits} bits, "
            f"libc {found.libc or 'unknown'}",
            "packages are brought for 64-bit CPython with glibc, which the vendor's images have",
        )
    glibc = (int(libc.group(1)), int(libc.group(2)))
    return Platform(found.version, found.machine, glibc)


def _packages(board: str, reply: Mapping[str, Json]) -> dict[str, str | None]:
    listed = reply.get("packages")
    if not isinstance(listed, dict) or not {"numpy", "axengine"} <= set(listed):
        raise _malformed(board, "packages")
    found: dict[str, str | None] = {}
    for name, entry in listed.items():
        version = entry.get("version") if isinstance(entry, dict) else None
        known = version[:_MAX_TEXT] if isinstance(version, str) else "?"
        found[name[:_MAX_TEXT]] = None if entry is None else known
    return found


def _text(board: str, reply: Mapping[str, Json], key: str) -> str:
    value = _optional_text(board, reply, key)
    if value is None:
        raise _malformed(board, key)
    return value


def _optional_text(board: str, reply: Mapping[str, Json], key: str) -> str | None:
    value = reply.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or len(value) > _MAX_TEXT:
        raise _malformed(board, key)
    return value


def _malformed(board: str, key: str) -> AgentError:
    return AgentError(
        f"{board}: its agent's reply has no usable {key!r}",
        "is something else answering in the agent's place?",
        "INTERNAL",
    )
