"""What a run of the tool left on a board without Python → results, whatever the tool's release."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from orchestrator.domain import Json, TensorSpec
from orchestrator.shell.frame import Entry
from orchestrator.shell.requests import request_lines
from orchestrator.shell.runs import benchmark_result, infer_result, work_failure

FIGURES = b"min =   3.347 ms   max =   3.347 ms   avg =   3.347 ms\n"
DONE = b" total found {1} input drive folders.\n infer model, total 1/1. Done.\n"
OUTPUTS = (TensorSpec("scores", "float32", (1, 2)), TensorSpec("classes", "int32", (1, 1)))


def entries(log: bytes, *outputs: tuple[str, bytes], rc: int = 0) -> list[Entry]:
    found = [Entry("rc", str(rc)), Entry("bytes", "log", log)]
    for name, data in outputs:
        found += [Entry("output", f"0 raw {name}"), Entry("bytes", "data", data)]
    return found


def array(tensor: Json) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    assert isinstance(tensor, dict)
    raw = zlib.decompress(base64.b64decode(str(tensor["data"])))
    return np.frombuffer(raw, str(tensor["dtype"]))


def first(found: dict[str, Json]) -> dict[str, Json]:
    images = found["outputs"]
    assert isinstance(images, list)
    assert isinstance(images[0], dict)
    return images[0]


def test_every_output_comes_by_its_name_in_its_type() -> None:
    scores, classes = np.array([0.5, 2.0], np.float32), np.array([7], np.int32)
    left = entries(DONE + FIGURES, ("scores", scores.tobytes()), ("classes", classes.tobytes()))

    found = first(infer_result(left, 1, OUTPUTS))

    assert array(found["scores"]).tolist() == [0.5, 2.0]
    assert array(found["classes"]).tolist() == [7]


def test_outputs_that_an_old_tool_has_numbered_get_their_names() -> None:
    left = entries(DONE, ("0", b"\0" * 8), ("1", b"\7\0\0\0"))

    found = first(infer_result(left, 1, OUTPUTS))

    assert sorted(found) == ["classes", "scores"]
    assert array(found["classes"]).tolist() == [7]


@pytest.mark.parametrize("name", ["2", "others"])
def test_an_output_that_the_model_has_not_got_is_left_out(name: str) -> None:
    assert first(infer_result(entries(DONE, (name, b"x")), 1, OUTPUTS)) == {}


def test_bfloat16_comes_as_float32() -> None:
    half = TensorSpec("y", "bfloat16", (2,))

    found = first(infer_result(entries(DONE, ("y", b"\x80\x3f\x00\xc0")), 1, (half,)))

    assert array(found["y"]).tolist() == [1.0, -2.0]


@pytest.mark.parametrize(
    ("left", "kind", "code"),
    [
        (entries(FIGURES), "benchmark", None),
        (entries(DONE, ("scores", b"x")), "infer", None),
        (entries(DONE + FIGURES), "infer", "RUN_FAILED"),
        (entries(DONE), "benchmark", "RUN_FAILED"),
        (entries(FIGURES, rc=255), "benchmark", "RUN_FAILED"),
        (entries(b"[ERROR] Feed stimulus failed.", rc=255), "infer", "INPUT_MISMATCH"),
    ],
)
def test_a_benchmark_needs_figures_and_an_inference_outputs(
    left: list[Entry], kind: str, code: str | None
) -> None:
    failure = work_failure(left, "run-1", kind)

    assert (None if failure is None else failure.code) == code


def test_a_return_code_of_0_and_another_are_told_apart() -> None:
    silent, loud = (work_failure(entries(b"", rc=rc), "run-1", "benchmark") for rc in (0, 9))

    assert silent is not None
    assert loud is not None
    assert "ended with 0 and gave no latency" in silent.message
    assert "ended with 9, saying" in loud.message
    assert (silent.details["returncode"], loud.details["returncode"]) == (0, 9)


def test_the_text_of_a_benchmark_is_kept() -> None:
    runtime = benchmark_result(entries(b"\x1b[0mhead\r\n" + FIGURES))["runtime"]

    assert isinstance(runtime, dict)
    assert str(runtime["text"]).startswith("\x1b[0mhead")


@pytest.mark.parametrize(("warmup", "asked"), [(None, "10"), (0, "1"), (3, "3")])
def test_a_warm_up_that_is_left_open_is_a_number_for_the_tool(
    warmup: int | None, asked: str
) -> None:
    request: dict[str, Json] = {
        "model": "m",
        "run_id": "r",
        "deadline_s": 5,
        "iterations": 7,
        "warmup": warmup,
        "min_duration_s": None,
        "blocks": 10,
    }

    lines = request_lines("benchmark", request).decode().splitlines()

    assert f"warmup {asked}" in lines
