"""What the shell agent says → the results that the Python agent would give. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from board_agent.protocol import FrameError
from orchestrator.domain import Json
from orchestrator.shell.facts import read_facts
from orchestrator.shell.frame import Entry, integer, named_size, one, texts

_HAVE = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that the agent reports."""

    code: str
    message: str
    details: Mapping[str, Json]


def failure(entries: Sequence[Entry]) -> Failure | None:
    """Give the error in a frame; None where the request was carried out."""
    code = one(entries, "error")
    if code is None:
        return None
    said = texts(entries)
    details: dict[str, Json] = {}
    for entry in entries:
        if entry.key == "detail":
            key, _, value = entry.value.partition(" ")
            details[key] = _holder(value) if key == "holder" else value
        elif entry.key == "bytes":
            details[entry.value] = entry.data.decode("utf-8", "replace")[-4096:]
    return Failure(code, said.get("message", "no reason"), details)


def probe_result(entries: Sequence[Entry], wanted: Sequence[Json]) -> dict[str, Json]:
    """Give the result of `probe`; `wanted` are the blobs that were asked for."""
    blobs, parts = _sizes(entries, "blob"), _sizes(entries, "part")
    asked: dict[str, Json] = {
        str(sha256): blobs[str(sha256)] for sha256 in wanted if sha256 in blobs
    }
    have: dict[str, Json] = dict(list(blobs.items())[:_HAVE])
    sent: dict[str, Json] = {
        name.removesuffix(".part"): size for name, size in parts.items() if name.endswith(".part")
    }
    return lease_result(entries) | {
        "facts": read_facts(texts(entries), frozenset(entry.key for entry in entries)),
        "blobs": asked,
        "parts": sent,
        "have": have,
        "current": one(entries, "current"),
        "previous": one(entries, "previous"),
        "releases": [entry.value for entry in entries if entry.key == "release"],
        "encodings": [entry.value for entry in entries if entry.key == "encoding"],
    }


def lease_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `lease`."""
    token, holder = one(entries, "lease"), one(entries, "holder")
    return {
        "lease": None if token is None else {"token": integer(token)},
        "holder": None if holder is None else _holder(holder),
    }


def switch_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `stage`, `activate` and `rollback`."""
    return {
        "current": one(entries, "current"),
        "previous": one(entries, "previous"),
        "switched": one(entries, "switched") == "true",
    }


def gc_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `gc`."""
    names = {
        kind: [entry.value for entry in entries if entry.key == kind]
        for kind in ("blobs", "releases", "agents", "parts")
    }
    return {
        "removed": {
            "blobs": list(names["blobs"]),
            "releases": list(names["releases"]),
            "agents": len(names["agents"]),
            "parts": len(names["parts"]),
        },
        "freed_bytes": integer(one(entries, "freed") or ""),
    }


def cancel_result(entries: Sequence[Entry]) -> dict[str, Json]:
    """Give the result of `cancel`."""
    return {"cancelled": one(entries, "cancelled")}


def _holder(value: str) -> dict[str, Json]:
    try:
        token, owner, age, ttl, foreign = value.split(" ")
    except ValueError as error:
        raise FrameError(f"a lease's holder is {value!r:.200}") from error
    return {
        "token": integer(token),
        "owner": owner,
        "age_s": float(integer(age)),
        "ttl_s": float(integer(ttl)),
        "foreign": foreign == "true",
    }


def _sizes(entries: Sequence[Entry], kind: str) -> dict[str, int]:
    return dict(named_size(entry.value) for entry in entries if entry.key == kind)
