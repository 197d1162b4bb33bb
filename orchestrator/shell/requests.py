"""A request of the agent protocol → the lines that the shell agent reads. Pure.

Nothing gets there that is not a plain word: the agent is a shell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping

from orchestrator.domain import Json
from orchestrator.errors import AgentError

_WORD = re.compile(r"[!-~]{1,200}")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: The tool warms up so often where the agent is to see for itself: it cannot.
_WARMUP = 10


def request_lines(kind: str, request: Mapping[str, Json]) -> bytes:
    """Write a request down as `key value` lines. Raises AgentError BAD_REQUEST."""
    lines = list(_WRITERS[kind](request)) if kind in _WRITERS else []
    if (token := request.get("token")) is not None:
        lines.append(("token", str(_count(token, "token"))))
    return "".join(f"{key} {value}\n" for key, value in (*lines, ("end", ""))).encode("ascii")


def _probe(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    lease = request.get("lease")
    if isinstance(lease, dict):
        yield from _claim(lease)


def _lease(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "op", _fit(request.get("op"), "op", _NAME)
    if request.get("op") in {"acquire", "renew"}:
        yield from _claim(request)


def _claim(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "owner", _fit(request.get("owner"), "owner", _WORD)
    yield "ttl_s", _seconds(request.get("ttl_s"), "ttl_s")


def _stage(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    manifest, unpack = request.get("manifest"), request.get("unpack") or []
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not files or not isinstance(unpack, list):
        raise bad_request("the manifest lists no files")
    yield "release_id", _fit(request.get("release_id"), "release_id", _NAME)
    yield "manifest", json.dumps(manifest, sort_keys=True)
    for name, entry in sorted(files.items()):
        if not isinstance(entry, dict):
            raise bad_request(f"manifest.files.{name} is no object")
        sha256 = _fit(entry.get("sha256"), "sha256", _SHA256)
        size = _count(entry.get("size_bytes"), "size_bytes")
        yield "file", f"{sha256} {size} {_fit(name, 'manifest.files', _NAME)}"
    for entry in unpack:
        if not isinstance(entry, dict):
            raise bad_request("an entry of unpack is no object")
        sha256 = _fit(entry.get("sha256"), "unpack.sha256", _SHA256)
        encoding = _fit(entry.get("encoding"), "unpack.encoding", _NAME)
        payload = _fit(entry.get("payload"), "unpack.payload", _SHA256)
        size = _count(entry.get("size_bytes"), "unpack.size_bytes")
        yield "unpack", f"{sha256} {encoding} {payload} {size}"


def _rollback(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    if request.get("from") is not None:
        yield "from", _fit(request["from"], "from", _NAME)


def _gc(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for sha256 in _list(request.get("keep") or [], "keep"):
        yield "keep", _fit(sha256, "keep", _SHA256)
    if request.get("dry_run") is True:
        yield "dry_run", "yes"


def _cancel(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    if request.get("run_id") is not None:
        yield "run_id", _fit(request["run_id"], "run_id", _NAME)


def _sidecar(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "model", _fit(request.get("model"), "model", _NAME)
    if request.get("release_id") is not None:
        yield "release_id", _fit(request["release_id"], "release_id", _NAME)
    for sha256 in _list(request.get("inputs") or [], "inputs"):
        yield "input", _fit(sha256, "inputs", _SHA256)


def _work(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield from _sidecar(request)
    yield "run_id", _fit(request.get("run_id"), "run_id", _NAME)
    yield "deadline_s", _seconds(request.get("deadline_s"), "deadline_s")


def _benchmark(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield from _work(request)
    warmup = _WARMUP if request.get("warmup") is None else _count(request["warmup"], "warmup")
    yield "warmup", str(max(1, warmup))
    yield "iterations", str(_count(request.get("iterations"), "iterations"))


def _infer(request: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield from _work(request)
    yield "input_name", _fit(request.get("input_name"), "input_name", _NAME)


_WRITERS: Mapping[str, Callable[[Mapping[str, Json]], Iterator[tuple[str, str]]]] = {
    "probe": _probe,
    "lease": _lease,
    "stage": _stage,
    "activate": _stage,
    "rollback": _rollback,
    "gc": _gc,
    "cancel": _cancel,
    "sidecar": _sidecar,
    "benchmark": _benchmark,
    "infer": _infer,
}


def bad_request(message: str) -> AgentError:
    """Say that the request cannot be asked of a shell."""
    return AgentError(message, "this is a bug in orch", "BAD_REQUEST")


def _fit(value: Json, key: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise bad_request(f"{key} is {value!r:.200}, it must match {pattern.pattern}")
    return value


def _count(value: Json, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad_request(f"{key} is {value!r:.200}, not a whole number")
    return value


def _seconds(value: Json, key: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise bad_request(f"{key} is {value!r:.200}, not a time in seconds")
    return str(math.ceil(value))


def _list(value: Json, key: str) -> list[Json]:
    if not isinstance(value, list):
        raise bad_request(f"{key} is {value!r:.200}, not a list")
    return value
