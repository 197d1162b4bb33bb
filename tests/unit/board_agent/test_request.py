from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from board_agent import protocol, request
from board_agent.errors import AgentError

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

HASH = "0" * 64
FILE = {"sha256": HASH, "size_bytes": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"version": 1, "kind": "probe", "work_dir": "w"}',
        b'{"version": 2, "kind": "reboot", "work_dir": "w"}',
        b'{"version": 2, "kind": ["probe"], "work_dir": "w"}',
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(AgentError) as caught:
        request.read(data)
    assert caught.value.code == "BAD_REQUEST"


def test_a_request_has_a_largest_size() -> None:
    with pytest.raises(AgentError, match="larger than"):
        request.read(b" " * (request.MAX_REQUEST_BYTES + 1))


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "probe", "work_dir": None},
        {"kind": "probe", "work_dir": ""},
        {"kind": "probe", "work_dir": "a\0b"},
        {"kind": "probe", "work_dir": "~nobody-of-this-name/x"},
        {"kind": "probe", "blobs": "all"},
        {"kind": "probe", "blobs": ["../../etc/passwd"]},
        {"kind": "probe", "blobs": [HASH + "\n"]},
        {"kind": "activate", "release_id": "..", "manifest": {"files": {"a": FILE}}},
        {"kind": "activate", "release_id": "a/b", "manifest": {"files": {"a": FILE}}},
        {"kind": "activate", "release_id": "a" * 81, "manifest": {"files": {"a": FILE}}},
        {"kind": "activate", "release_id": "r1", "manifest": []},
        {"kind": "activate", "release_id": "r1", "manifest": {"files": {}}},
        {"kind": "activate", "release_id": "r1", "manifest": {"files": {"../a": FILE}}},
        {"kind": "activate", "release_id": "r1", "manifest": {"files": {"a": HASH}}},
        {"kind": "activate", "release_id": "r1", "manifest": {"files": {"a": {"sha256": HASH}}}},
        {
            "kind": "activate",
            "release_id": "r1",
            "manifest": {"files": {"a": FILE | {"size_bytes": True}}},
        },
        {"kind": "rollback", "from": "../r"},
    ],
)
def test_every_field_is_checked(board: Board, fields: dict[str, Any]) -> None:
    board.held = False

    assert board.error(**{"blobs": []} | fields)["code"] == "BAD_REQUEST"
    assert not board.work.exists()


#: Prints in the middle of a request, from Python and past it.
NOISE = """
import os
statvfs = os.statvfs
def noisy(path):
    print("python noise")
    os.write(1, b"C noise")
    return statvfs(path)
os.statvfs = noisy
"""
BENCHMARK: dict[str, Any] = {
    "run_id": "x",
    "model": "model.axmodel",
    "warmup": 1,
    "iterations": 2,
    "deadline_s": 9,
}


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "a/b"},
        {"run_id": ".hidden"},
        {"model": "other.axmodel"},
        {"model": "../model.axmodel"},
        {"warmup": -1},
        {"warmup": 1.5},
        {"blocks": 0},
        {"blocks": 1001},
        {"min_duration_s": 0},
        {"min_duration_s": 9},
        {"iterations": 0},
        {"iterations": True},
        {"iterations": 10**9},
        {"deadline_s": 0},
        {"deadline_s": "soon"},
        {"deadline_s": 1e9},
        {"input": "abc"},
        {"kind": "infer", "inputs": []},
        {"kind": "infer", "inputs": HASH},
    ],
)
def test_every_field_of_work_is_checked(board: Board, change: dict[str, Any]) -> None:
    board.deploy()
    board.apart = frozenset()  # nothing is started
    fields = BENCHMARK | change
    kind = fields.pop("kind", "benchmark")

    assert board.error(kind, **fields)["code"] == "BAD_REQUEST"
    assert board.noted("starts") == 0


def test_a_model_without_a_sound_sidecar_is_refused(board: Board) -> None:
    board.apart = frozenset()
    for release_id, sidecar in (("r1", b"{"), ("r2", b"[]"), ("r3", b'{"inputs": [{"name": 1}]}')):
        manifest = board.manifest(model__axmodel=b"m", model__json=sidecar)
        board.result("activate", release_id=release_id, manifest=manifest)
        assert board.error("benchmark", **BENCHMARK)["code"] == "BAD_REQUEST"


def test_nothing_but_the_frame_is_on_stdout(board: Board) -> None:
    (board.site / "sitecustomize.py").write_text(NOISE)
    request_text = json.dumps({"version": 2, "kind": "probe", "work_dir": ".orch", "blobs": []})

    out, err = board.spawn().communicate(request_text.encode(), timeout=60)

    assert out == protocol.pack(protocol.unpack(out))
    assert b"C noise" in err
