from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from board_agent import worker
from board_agent.errors import AgentError
from board_agent.jobs import Job
from tests.unit.board_agent.board import Board

IMAGE = bytes(range(18))


def rejected(board: Board) -> dict[str, Any]:
    """The error of a model that the runtime does not load."""
    board.script(start=["RuntimeError", "Failed to load model."])
    asked = {"model": "model.axmodel", "warmup": 2, "iterations": 3, "deadline_s": 60}
    return board.error("benchmark", run_id="x", **asked)


def test_outputs_that_are_too_much_for_a_reply_end_it_early(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = SimpleNamespace(name="input", dtype=np.dtype("uint8"), shape=[18])
    session: Any = SimpleNamespace(
        get_inputs=lambda: [node],
        get_outputs=lambda: [node],
        run=lambda _names, feed: [feed["input"]],
    )
    image = tmp_path / "image"
    image.write_bytes(IMAGE)
    monkeypatch.setattr(worker, "MAX_OUTPUT_BYTES", 60)
    sidecar = {"inputs": [{"name": "input", "dtype": "uint8", "shape": [18]}]}
    job = Job("infer", "x", "m.axmodel", "", sidecar, 5 * [str(image)], 0, 5, None, 1)

    with pytest.raises(AgentError, match="of 2 of 5 images have 72 bytes, a reply takes 60"):
        worker._infer(job, session)


def test_a_rejected_model_comes_with_all_that_may_explain_it(board: Board) -> None:
    board.deploy("r2", pulsar2={"version": "5.2", "commit": "x"})

    error = rejected(board)

    assert error["code"] == "MODEL_REJECTED"
    assert error["message"].startswith("model.axmodel: Failed to load model. (")
    assert error["details"] == {
        "sdk_version": "V1.45.0_P39_20240830020829",
        "engine_version": "2.10.1s",
        "pulsar2_version": "5.2",
        "compiler_version": None,
        "vnpu": "DISABLED",
        "cmm_free_bytes": 3063488 * 1024,
        "model_size_bytes": len(b"an axmodel"),
        "left_cmm_bytes": 0,
    }


def test_a_model_larger_than_the_memory_that_is_left_was_rejected_for_that(board: Board) -> None:
    board.deploy()
    full = "total size=4718592KB(4608MB),used=4718592KB(4608MB + 0KB),remain=0KB(0MB + 0KB)"
    board.write_fact("proc/ax_proc/mem_cmm_info", full)

    assert rejected(board)["code"] == "CMM_FULL"
