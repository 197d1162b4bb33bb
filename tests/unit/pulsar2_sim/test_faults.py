"""Every fault ends the way the vendor's tool is known to end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from containers.pulsar2_sim.faults import Fault

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

ROOT = Path(__file__).parents[3]
CODE = "yamain.common.error.CodeException: (<ErrorCode."
RAISED = {
    Fault.UNSUPPORTED_OP: f"{CODE}OnnxOptimizationError: 13>, KeyError('dont support IsNaN opr",
    Fault.OP_ATTRIBUTE: f"{CODE}OnnxOptimizationError: 13>, KeyError('op Mod attr fmod",
    Fault.OP_GET_FAILED: f"{CODE}OnnxOptimizationError: 13>, RuntimeError(",
    Fault.REWRITE_DIFFERS: f"{CODE}OnnxOptimizationError: 13>, AssertionError(",
    Fault.FRONTEND: f"{CODE}FrontendError: 6>, KeyError('node_LSTM'))",
    Fault.DYNAMIC_RESHAPE: "RuntimeError: shapefn failed",
    Fault.CONFIG_KEY: "google.protobuf.json_format.ParseError: Message type",
    Fault.QUANT_EXECUTE: f"{CODE}QuantError: 3>, RuntimeError('Op Execution Error'))",
    Fault.QUANT_OP: f"{CODE}QuantError: 3>, NotImplementedError(",
    Fault.QUANT_TOO_LARGE: f"{CODE}QuantError: 3>, DecodeError(",
    Fault.QUANT_DTYPE: f"{CODE}QuantError: 3>, AssertionError(",
    Fault.QUANT_SAMPLES: f"{CODE}QuantError: 3>, AssertionError('inputs num 52 and 54",
    Fault.QUANT_INDEX: f"{CODE}QuantError: 3>, IndexError('list index out of range'))",
    Fault.TILE: f"{CODE}NPUBackendError: 8>, TileFailException(",
    Fault.RC1: f"{CODE}NPUBackendError: 8>, ",
    Fault.OP_BUILD: f"{CODE}NPUBackendError: 8>, OpBuildException(",
    Fault.RESIZE_TOO_LARGE: f"{CODE}NPUBackendError: 8>, OverflowError('integer 84599 does not fit",
    Fault.OCM: f"{CODE}NPUBackendError: 8>, AssertionError('ocm alloc with",
    Fault.LICENCE: "RuntimeError: Sentinel key not found (H0007)",
    Fault.STALE: "RuntimeError: ended before the axmodel",
}


@pytest.mark.parametrize("fault", RAISED)
def test_a_raised_fault_ends_with_its_text_and_leaves_no_axmodel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", fault.value)

    ended = bench.build()

    assert ended.code == 1
    assert ended.last_line.startswith(RAISED[fault])
    assert ended.err.count("Traceback (most recent call last):") >= 1
    assert not bench.axmodel.exists()


def test_a_cause_of_a_cause_has_its_own_traceback(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "tile")

    ended = bench.build()

    assert ended.err.count("During handling of the above exception") == 2
    assert ended.err.index("AssertionError: AxQuantizedSin") < ended.err.index("yasched.exceptions")


def test_a_stale_axmodel_stays_where_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.build().code == 0
    before = bench.axmodel.read_bytes()
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "stale")

    ended = bench.build()

    assert ended.code == 1
    assert "has already exist" in ended.out
    assert bench.axmodel.read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "exists", "has_end"),
    [("no-file", False, True), ("empty-file", True, True), ("no-last-line", True, False)],
)
def test_a_fault_of_the_result_ends_with_0(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str, *, exists: bool, has_end: bool
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", fault)

    ended = bench.build()

    assert ended.code == 0
    assert bench.axmodel.exists() is exists
    assert ("fuse 1 subgraph(s)" in ended.err) is has_end
    if fault == "empty-file":
        assert bench.axmodel.stat().st_size == 0


@pytest.mark.parametrize(
    ("fault", "number", "said"),
    [
        ("oom", signal.SIGKILL, b"34/68"),
        ("abort", signal.SIGABRT, b"Negative axis size cannot be inferred"),
    ],
)
def test_a_fault_of_the_process_ends_it_by_a_signal(
    bench: Bench, fault: str, number: signal.Signals, said: bytes
) -> None:
    process = bench.start(
        "build", "--config", bench.write(bench.config()), environment={"PULSAR2_SIM_FAULT": fault}
    )
    out, _ = process.communicate(timeout=120)

    assert process.returncode == -number
    assert said in out.splitlines()[-1] or said in out
    assert not bench.axmodel.exists()


def test_slow_builds_end_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "slow")
    monkeypatch.setenv("PULSAR2_SIM_SLOW_S", "0.02")

    assert bench.build().code == 0


def test_a_time_that_is_no_number_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "slow")
    monkeypatch.setenv("PULSAR2_SIM_SLOW_S", "long")

    assert bench.build().last_line == (
        "ValueError: PULSAR2_SIM_SLOW_S 'long' is no number of seconds"
    )


def test_a_licence_that_is_named_must_be_at_home(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_LICENCE", "a/licence")
    monkeypatch.setenv("HOME", str(bench.folder))
    assert bench.build().last_line.endswith("Sentinel key not found (H0007)")

    (bench.folder / "a").mkdir()
    (bench.folder / "a" / "licence").write_text("x")

    assert bench.build().code == 0


def test_every_fault_is_in_the_readme() -> None:
    text = (ROOT / "containers" / "pulsar2_sim" / "README.md").read_text(encoding="utf-8")

    assert [one.value for one in Fault if one.value and f"`{one.value}`" not in text] == []
