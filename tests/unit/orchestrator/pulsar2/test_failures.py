from __future__ import annotations

import pickle
import random
from pathlib import Path

import pytest

from orchestrator.pulsar2.failures import AxmodelState, compile_error, diagnose

LOGS = Path(__file__).parent / "logs"


def sample(name: str) -> str:
    return (LOGS / name).read_bytes().decode(errors="replace")


def raised(error: str, number: int, cause: str, prefix: str = "yamain.") -> str:
    """A log that ends with the vendor's exception."""
    return (
        "8 File(s) Loaded.\nTraceback (most recent call last):\n"
        '  File "<frozen yamain.main>", line 281, in <module>\n'
        f"{prefix}common.error.CodeException: (<ErrorCode.{error}: {number}>, {cause})\n"
    )


ONNX, QUANT, NPU = ("OnnxOptimizationError", 13), ("QuantError", 3), ("NPUBackendError", 8)


@pytest.mark.parametrize(
    ("text", "returncode", "rule", "cause"),
    [
        ("shapefn failed\n", 1, "shape-function", "shapefn failed"),
        (
            'x.ParseError: Message type "a.InputProcessor" has no field named "dst" at "a".\n',
            *(1, "config-key"),
            'x.ParseError: Message type "a.InputProcessor" has no field named "dst" at "a".',
        ),
        ("IsADirectoryError: [Errno 21] Is a directory: '.'\n", 1, "no-input", "IsADirectoryError"),
        ("bash: /usr/bin/bash: cannot execute binary file\n", 126, "not-executable", "bash: /usr"),
        ("bash: pulsar2: command not found\n", 127, "not-found", "bash: pulsar2: command"),
        (
            "docker: Error response from daemon: bad flag.\n",
            125,
            "container-refused",
            "docker: Err",
        ),
        ("Unable to find image 'pulsar2:9.9' locally\n", 125, "image-missing", "Unable to find"),
        ("Cannot connect to the Docker daemon at unix:///x.\n", 125, "engine-gone", "Cannot conn"),
        ("Cannot connect to the Docker daemon at unix:///x.\n", 1, "engine-gone", "Cannot conn"),
        ("terminate called after throwing\nAborted\n", 134, "aborted", "Aborted"),
        ("loading\n", -6, "aborted", "loading"),
        ("loading\n", 139, "crashed", "loading"),
        ("loading\n", -11, "crashed", "loading"),
        ("loading\n", 143, "terminated", "loading"),
        ("Killed\n", 1, "killed-inside", "Killed"),
        ("some option is odd\n", 2, "usage", "some option is odd"),
        ("Traceback (most recent call last):\nFooError: new\n", 1, "python", "FooError: new"),
        ("nothing of note\n", 1, "unknown", "nothing of note"),
        ("", 1, "unknown", "the log is empty"),
    ],
)
def test_other_ends_are_told_apart(text: str, returncode: int, rule: str, cause: str) -> None:
    failure = diagnose(text, returncode)

    assert failure.id == rule
    assert failure.cause.startswith(cause)


@pytest.mark.parametrize(
    ("log", "returncode", "code", "cause"),
    [
        (
            *("failed-tiling.log", 1, "NPU_TILING"),
            "NPUBackendError 8: TileFailException: AxQuantizedSin, AxQuantizedSin dont support",
        ),
        ("failed-quant.log", 1, "QUANT_DTYPE", "QuantError 3: AssertionError: Dequantize"),
        (
            *("failed-parse.log", 1, "OP_UNSUPPORTED"),
            "OnnxOptimizationError 13: KeyError: dont support IsNaN opr",
        ),
        ("aborted.log", 134, "DYNAMIC_SHAPE", "what():  Negative axis size"),
        ("usage.log", 2, "USAGE", "main.py: error: unrecognized arguments: --quant.colour"),
        ("licence.log", 1, "LICENCE", "Sentinel key not found (H0007)"),
        (
            *("killed.log", 137, "OUT_OF_MEMORY"),
            "it was at calibration: Calibration Progress(Phase 1) 3/8",
        ),
        ("killed.log", -9, "OUT_OF_MEMORY", "it was at calibration"),
        ("killed.log", 0, "TRUNCATED", "it was at calibration"),
    ],
)
def test_whole_logs_are_diagnosed(log: str, returncode: int, code: str, cause: str) -> None:
    failure = diagnose(sample(log), returncode)

    assert failure.code == code
    assert failure.cause.startswith(cause)


def test_the_node_is_found_in_a_chain_of_tracebacks() -> None:
    failure = diagnose(sample("failed-tiling.log"), 1)

    assert (failure.node, failure.op_type) == ("/pos/Sin", "AxQuantizedSin")


def test_of_two_exceptions_the_last_one_counts() -> None:
    text = raised(*ONNX, "KeyError('dont support IsNaN opr in AXOPS')") + raised(
        *NPU, "AssertionError('ocm alloc with 9')"
    )

    assert diagnose(text, 1).id == "npu-memory"


@pytest.mark.parametrize(
    ("state", "rule"),
    [
        (AxmodelState.MISSING, "no-axmodel"),
        (AxmodelState.EMPTY, "empty-axmodel"),
        (AxmodelState.STALE, "stale-axmodel"),
        (AxmodelState.GOOD, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_build_that_returned_0_is_judged_by_what_it_left(
    state: AxmodelState | None, rule: str
) -> None:
    assert diagnose(sample("success-4.0.log"), 0, axmodel_state=state).id == rule


def test_a_return_code_of_0_does_not_hide_an_exception() -> None:
    failure = diagnose(sample("failed-quant.log"), 0, axmodel_state=AxmodelState.MISSING)

    assert failure.id == "quant-dtype"


def test_what_was_raised_on_the_way_to_a_whole_build_is_not_its_failure() -> None:
    text = raised(*QUANT, "ValueError('caught and gone on')") + sample("success-4.0.log")

    assert diagnose(text, 0, axmodel_state=AxmodelState.MISSING).id == "no-axmodel"


def test_a_whole_axmodel_does_not_hide_a_cut_log() -> None:
    failure = diagnose(sample("killed.log"), 0, axmodel_state=AxmodelState.GOOD)

    assert failure.id == "truncated"


def test_a_time_out_says_what_the_build_was_at() -> None:
    failure = diagnose(sample("killed.log"), -9, timed_out=True)

    assert failure.code == "TIMEOUT"
    assert failure.cause == "it was at calibration: Calibration Progress(Phase 1) 3/8"


def test_no_return_code_means_that_the_engine_is_gone() -> None:
    assert diagnose(sample("killed.log"), None).code == "ENGINE_GONE"


def test_a_warning_early_in_the_log_is_not_the_cause() -> None:
    text = "CUDA is not available, the CPU is used\n" + "line\n" * 100 + "the end\n"

    assert diagnose(text, 1).id == "unknown"


def test_the_error_says_what_and_where_and_what_to_do() -> None:
    failure = diagnose(sample("failed-tiling.log"), 1)

    error = compile_error("demo: pulsar2 5.2 exited with 1", failure, Path("logs/compile.log"))

    assert error.message == (
        "demo: pulsar2 5.2 exited with 1: NPUBackendError 8: TileFailException: "
        "AxQuantizedSin, AxQuantizedSin dont support at /pos/Sin"
    )
    assert error.hint.endswith("; the whole log: logs/compile.log")
    assert (error.code, error.exit_code) == ("NPU_TILING", 1)


def test_the_error_survives_pickling() -> None:
    error = compile_error("demo", diagnose("Killed\n", 137), Path("a.log"))

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (copy.message, copy.hint, copy.code) == (error.message, error.hint, "OUT_OF_MEMORY")


@pytest.mark.parametrize("count", [5, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("log", sorted(LOGS.iterdir()), ids=lambda log: log.name)
def test_a_log_cut_anywhere_is_diagnosed(log: Path, count: int) -> None:
    content = log.read_bytes()
    for cut in random.Random(9).sample(range(len(content)), count):  # noqa: S311 - no secret
        for returncode in (0, 1, 2, 137):
            failure = diagnose(content[:cut].decode(errors="replace"), returncode)
            assert failure.cause
            assert failure.hint


@pytest.mark.parametrize("line", ["TileFail(" * 9_000, "x('" * 9_000, "op: " * 9_000, "'" * 99_000])
def test_a_vast_line_is_diagnosed_in_no_time(line: str) -> None:
    text = raised(*NPU, f"RuntimeError('{line}')")

    failure = diagnose(text, 1)

    assert failure.id == "npu-backend"
    assert len(failure.cause) <= 300
