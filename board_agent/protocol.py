r"""How host and board talk: one JSON request on stdin, one framed JSON reply on stdout.

A frame is a header line, the JSON and a line feed::

    ORCH/1 <length of the JSON in bytes> <sha256 of the JSON>\n{...}\n

Only a complete frame is an answer. Login banners or a runtime's chatter around it are passed over.
This file is the one piece of `board_agent` that the host imports.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from typing import Any

VERSION = 2

#: Requests that the agent knows.
KINDS = (
    "probe",
    "lease",
    "stage",
    "activate",
    "rollback",
    "benchmark",
    "infer",
    "tool",
    "contend",
    "gc",
    "cancel",
    "runtime",
    "install",
    "selftest",
    "fetch",
    "serve",
)

#: What `unpack` makes blobs from.
ENCODINGS = ("raw", "zlib", "lzma", "delta")

#: Every code an error reply may carry, and what it means.
ERRORS = {
    "BAD_REQUEST": "the request is not one this agent understands",
    "NO_RUNTIME": "axengine or its libraries are not on the board",
    "OLD_PYTHON": "the board's Python is too old for axengine",
    "INIT_FAILED": "the NPU runtime could not be started",
    "VNPU_CONFLICT": "the NPU is split in a way that this model does not allow",
    "MODEL_REJECTED": "the runtime refused the model",
    "CMM_FULL": "there is not enough contiguous NPU memory left",
    "INPUT_MISMATCH": "the model's inputs are not those of its sidecar, or of the request",
    "RUN_FAILED": "the model was loaded and did not run",
    "TIMEOUT": "the work took longer than its deadline and was killed",
    "DISK_FULL": "there is no room left under work_dir",
    "NOT_WRITABLE": "something under work_dir cannot be written, or is not what it must be",
    "BUSY": "another run holds the board",
    "NO_RELEASE": "nothing is activated on the board",
    "HASH_MISMATCH": "what arrived on the board is not what was sent",
    "STALE_TOKEN": "the lease this was asked under is not the board's current one",
    "LEASED": "somebody else holds the board",
    "NO_TOOLS": "a board without Python lacks a program that its shell agent needs",
    "RELAY_FAILED": "the board that hands out blobs at the site could not be reached or gave up",
    "INTERNAL": "a bug in the agent",
}

#: The largest reply a host reads.
MAX_REPLY_BYTES = 256 * 1024 * 1024

#: More than this in front of the frame is no banner.
_MAX_HEADERS = 16
_HEADER = re.compile(rb"ORCH/1 (\d{1,10}) ([0-9a-f]{64})\n")


class FrameError(ValueError):
    """The bytes hold no complete, intact frame."""


def token_name(token: int) -> str:
    """The folder of a token below lease/ and incoming/: names sort as the numbers do."""
    return f"{token:020d}"


def pack(message: dict[str, Any]) -> bytes:
    """Frame one message."""
    body = json.dumps(message, sort_keys=True, separators=(",", ":")).encode("utf-8")
    header = f"ORCH/1 {len(body)} {hashlib.sha256(body).hexdigest()}\n"
    return header.encode("ascii") + body + b"\n"


def unpack(data: bytes) -> dict[str, Any]:
    """Find the frame in what a board sent and give its message. Raises FrameError."""
    found = None
    # Few: each candidate costs a hash over what may be all of the data.
    for found in itertools.islice(_HEADER.finditer(data), _MAX_HEADERS):
        length = int(found.group(1))
        body = data[found.end() : found.end() + length]
        if len(body) == length and hashlib.sha256(body).hexdigest().encode() == found.group(2):
            return _message(body)
    if found is None:
        raise FrameError(f"no frame in {len(data)} bytes")
    raise FrameError("the frame is cut or damaged")


def _message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError(f"the frame holds no JSON: {error}") from error
    if not isinstance(message, dict):
        raise FrameError("the frame holds no JSON object")
    return message


def success(result: dict[str, Any]) -> dict[str, Any]:
    """A reply to a request that was carried out."""
    return {"version": VERSION, "ok": True, "result": result}


def failure(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """A reply to a request that was not; `code` is one of ERRORS."""
    error = {"code": code, "message": message, "details": details or {}}
    return {"version": VERSION, "ok": False, "error": error}
