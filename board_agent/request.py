"""What the host sent, checked: every reader gives a value of the right kind or BAD_REQUEST."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from board_agent.errors import AgentError
from board_agent.protocol import ENCODINGS, KINDS, VERSION

#: Ids become file names: no slash, no leading dot.
ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}")
FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
SHA256 = re.compile(r"[0-9a-f]{64}")
#: Who holds a lease: one word of a line.
OWNER = re.compile(r"[!-~]{1,200}")

MAX_REQUEST_BYTES = 16 * 1024 * 1024
#: So many samples with their parts have some 80 MB in a reply, a third of what a host reads.
MAX_ITERATIONS = 1_000_000
#: The sensors are read after each.
MAX_BLOCKS = 1_000
MAX_DEADLINE_S = 86_400.0
MAX_TOKEN = 10**18


class File(NamedTuple):
    """One file of a release."""

    name: str
    sha256: str
    size_bytes: int


class Unpack(NamedTuple):
    """How a blob is made from what was sent.

    Attributes:
        payload: sha256 of what was sent, which lies under incoming/<token>/.
        base: for a delta, the sha256 of the blob on the board that it starts from.
    """

    sha256: str
    size_bytes: int
    encoding: str
    payload: str
    base: str | None


class Claim(NamedTuple):
    """Who wants to hold the board, and how long without another word."""

    owner: str
    ttl_s: float


def refuse(message: str) -> AgentError:
    """A BAD_REQUEST."""
    return AgentError("BAD_REQUEST", message)


def read(data: bytes) -> dict[str, Any]:
    """The request in `data`; its version, kind and work_dir are sound."""
    if len(data) > MAX_REQUEST_BYTES:
        raise refuse(f"the request is larger than {MAX_REQUEST_BYTES} bytes")
    try:
        request = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise refuse(f"the request of {len(data)} bytes is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise refuse("the request is no JSON object")
    if request.get("version") != VERSION:
        raise refuse(f"version is {request.get('version')!r}, this agent speaks {VERSION}")
    if request.get("kind") not in KINDS:
        raise refuse(f"kind is {request.get('kind')!r}, not one of {', '.join(KINDS)}")
    return request


def work_dir(request: dict[str, Any]) -> Path:
    """The absolute work_dir."""
    value = request.get("work_dir")
    if not isinstance(value, str) or not value or "\0" in value:
        raise refuse(f"work_dir is {value!r}, not a path")
    try:
        return Path.home() / Path(value).expanduser()
    except RuntimeError as error:  # `~someone`
        raise refuse(f"work_dir is {value!r}: {error}") from error


def matching(request: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    """The string under `key`."""
    value = request.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise refuse(f"{key} is {value!r:.200}, it must match {pattern.pattern}")
    return value


def optional(request: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str | None:
    """The string under `key`; None where there is none."""
    return None if request.get(key) is None else matching(request, key, pattern)


def digests(request: dict[str, Any], key: str) -> list[str]:
    """The list of sha256 under `key`."""
    value = request.get(key)
    if not isinstance(value, list):
        raise refuse(f"{key} is {value!r:.200}, not a list of sha256")
    return [matching({key: item}, key, SHA256) for item in value]


def token(request: dict[str, Any]) -> int | None:
    """The fencing token; None where there is none."""
    value = request.get("token")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_TOKEN:
        raise refuse(f"token is {value!r:.200}, not a whole number above 0")
    return value


def claim(request: dict[str, Any]) -> Claim:
    """Who asks for the lease, and its time to live."""
    return Claim(matching(request, "owner", OWNER), seconds(request, "ttl_s"))


def flag(request: dict[str, Any], key: str) -> bool:
    """The truth under `key`; false where there is none."""
    value = request.get(key, False)
    if not isinstance(value, bool):
        raise refuse(f"{key} is {value!r:.200}, not true or false")
    return value


def count(request: dict[str, Any], key: str, least: int) -> int:
    """The whole number under `key`, from `least` to MAX_ITERATIONS."""
    value = request.get(key)
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or not least <= value <= MAX_ITERATIONS
    ):
        raise refuse(
            f"{key} is {value!r:.200}, not a whole number from {least} to {MAX_ITERATIONS}"
        )
    return value


def seconds(request: dict[str, Any], key: str) -> float:
    """The time under `key`, more than nothing and at most a day."""
    value = request.get(key)
    if (
        not isinstance(value, (int, float))
        or isinstance(value, bool)
        or not 0 < value <= MAX_DEADLINE_S
    ):
        raise refuse(f"{key} is {value!r:.200}, not a number above 0 up to {MAX_DEADLINE_S}")
    return float(value)


def manifest(request: dict[str, Any]) -> dict[str, Any]:
    """The manifest as it was sent; `files` of it reads well."""
    value = request.get("manifest")
    if not isinstance(value, dict):
        raise refuse(f"manifest is {value!r:.200}, not an object")
    files(value)
    return value


def files(value: dict[str, Any]) -> list[File]:
    """The files of a manifest, by name."""
    listed = value.get("files")
    if not isinstance(listed, dict) or not listed:
        raise refuse("manifest.files is no object with at least one file")
    return [_file(name, listed[name]) for name in sorted(listed)]


def _file(name: str, entry: object) -> File:
    if not FILE_NAME.fullmatch(name):
        raise refuse(f"manifest.files: {name!r:.200} is no file name")
    if not isinstance(entry, dict):
        raise refuse(f"manifest.files.{name} is no object")
    size = entry.get("size_bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise refuse(f"manifest.files.{name}.size_bytes is {size!r:.200}, not a size")
    return File(name, matching(entry, "sha256", SHA256), size)


def unpacks(request: dict[str, Any]) -> list[Unpack]:
    """What the blobs of a release are made from; nothing is what was sent as it is."""
    value = request.get("unpack", [])
    if not isinstance(value, list):
        raise refuse(f"unpack is {value!r:.200}, not a list")
    return [_unpack(entry) for entry in value]


def _unpack(entry: object) -> Unpack:
    if not isinstance(entry, dict):
        raise refuse(f"unpack: {entry!r:.200} is no object")
    encoding = entry.get("encoding")
    if encoding not in ENCODINGS:
        raise refuse(f"unpack: encoding is {encoding!r:.200}, not one of {', '.join(ENCODINGS)}")
    sha256 = matching(entry, "sha256", SHA256)
    base = matching(entry, "base", SHA256) if encoding == "delta" else None
    payload, size_bytes = matching(entry, "payload", SHA256), entry.get("size_bytes")
    if not isinstance(size_bytes, int) or isinstance(size_bytes, bool) or size_bytes < 0:
        raise refuse(f"unpack.{sha256}.size_bytes is {size_bytes!r:.200}, not a size")
    return Unpack(sha256, size_bytes, str(encoding), payload, base)
