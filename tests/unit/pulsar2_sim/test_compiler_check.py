"""`compiler.check` compares the axmodel with the quantized graph, and `npu_perf` adds up."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from containers.pulsar2_sim.golden import export_golden
from containers.pulsar2_sim.toolversion import load_version

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

GOOD = re.compile(
    r"SUCCESS  \| \S+:check_data:206 - check npu graph \[(\w+)\] \[(\S+)\], (.*) succ"
)
FAULT = "PULSAR2_SIM_FAULT"


def _checked(err: str) -> list[tuple[str, str, str]]:
    found = [match for match in map(GOOD.search, err.splitlines()) if match]
    return [(match[1], match[2], match[3]) for match in found]


@pytest.mark.parametrize("level", ["1", "2", "3"])
def test_a_sound_build_passes_every_check(bench: Bench, level: str) -> None:
    ended = bench.build(None, "--compiler.check", level)

    assert ended.code == 0, ended.err
    assert _checked(ended.err) == [("subgraph_npu_0_b1", "classes", "(1, 16, 24), int32")]
    assert "use random data as gt input: pixel_values, uint8, (1, 16, 24, 3)" in ended.err
    assert "fuse 1 subgraph(s)" in ended.last_line


def test_a_check_per_layer_names_the_tensors_in_between(bench: Bench) -> None:
    options = ("--compiler.check", "2", "--compiler.check_mode", "CheckPerLayer")

    ended = bench.build(None, *options)

    assert ended.code == 0, ended.err
    found = {tensor: what for _, tensor, what in _checked(ended.err)}
    assert found["classes"] == "(1, 16, 24), int32"
    assert found["logits_QuantizeLinear_Output"] == "(1, 4, 16, 24), uint8"
    assert len(found) > 5


@pytest.mark.parametrize("mode", ["CheckOutput", "CheckPerLayer"])
def test_a_miscompiled_model_fails_and_leaves_no_axmodel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv(FAULT, "miscompile")

    ended = bench.build(None, "--compiler.check", "2", "--compiler.check_mode", mode)

    assert ended.code == 1
    assert "[classes], (1, 16, 24), int32 failed: 384 of 384 differ, rtol 1e-05" in ended.err
    assert ended.last_line.endswith(
        "CodeException: (<ErrorCode.NPUBackendError: 8>, "
        "AssertionError(\"check npu graph [subgraph_npu_0_b1] failed, ['classes']\"))"
    )
    assert not bench.axmodel.exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--compiler.check", "1"), 0),  # it runs, and no more is asked
        (("--compiler.check", "2", "--compiler.check_atol", "1"), 0),
        (("--compiler.check", "2", "--compiler.check_atol", "0.5"), 1),
        (("--compiler.check", "3", "--compiler.check_cosine_simularity", "0.5"), 0),
        (("--compiler.check", "3", "--compiler.check_cosine_simularity", "0.9999999"), 1),
        (("--compiler.check", "2", "--compiler.check_tensor_black_list", "cl.*s"), 0),
        (("--compiler.check", "2", "--compiler.check_tensor_black_list", "lass"), 1),
    ],
)
def test_the_thresholds_decide_on_a_model_that_is_off_by_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int
) -> None:
    monkeypatch.setenv(FAULT, "miscompile")

    assert bench.build(None, *options).code == code


def test_an_unchecked_miscompiled_model_is_off_by_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(4).integers(0, 256, (1, 16, 24, 3), dtype=np.uint8)
    (bench.folder / "pixel_values.bin").write_bytes(image.tobytes())
    found = []
    for fault in ("", "miscompile"):
        monkeypatch.setenv(FAULT, fault)
        assert bench.build().code == 0
        where = ("--input_dir", bench.folder, "--output_dir", bench.folder)
        assert bench.pulsar2("run", "--model", bench.axmodel, *where).code == 0
        found.append(np.fromfile(bench.folder / "classes.bin", np.int32))

    assert np.array_equal(found[0] + 1, found[1])


def test_the_check_runs_on_samples_of_run_time(bench: Bench) -> None:
    folder = bench.folder / "samples"
    for name in ("0", "1"):
        (folder / name).mkdir(parents=True)
        (folder / name / "pixel_values.bin").write_bytes(bytes(16 * 24 * 3))

    options = ("--compiler.check", "2", "--compiler.input_sample_dir", str(folder))
    ended = bench.build(None, *options)

    assert ended.code == 0, ended.err
    assert len(_checked(ended.err)) == 2
    assert "random data" not in ended.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--compiler.check", "4"), "compiler.check 4 is not one of 0, 1, 2, 3"),
        (("--compiler.check_tensor_black_list", "("), "compiler.check_tensor_black_list '(': "),
        (("--compiler.check", "1", "--compiler.input_sample_dir", "/none"), "/none is no folder"),
    ],
)
def test_a_check_that_cannot_be_done_is_refused(
    bench: Bench, options: tuple[str, ...], message: str
) -> None:
    ended = bench.build(None, *options)

    assert ended.code == 1
    assert message in ended.last_line


def test_the_rewritten_float_model_is_checked_against_the_given_one(bench: Bench) -> None:
    ended = bench.build(None, "--onnx_opt.model_check")

    assert ended.code == 0, ended.err
    assert "check onnx parser e2e [classes], (1, 16, 24), int64 successfully!" in ended.err


def test_the_profile_adds_up_to_max_cycle(bench: Bench) -> None:
    ended = bench.build(None, "--compiler.npu_perf")

    assert ended.code == 0, ended.err
    folder = bench.folder / "out" / "compiler" / "debug" / "subgraph_npu_0" / "b1"
    with (folder / "op_profile.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    trace = json.loads((folder / "trace.json").read_text(encoding="utf-8"))
    line = re.search(r"max_cycle = ([\d,]+)", ended.err)
    assert line is not None
    assert [row["op"] for row in rows] == ["Conv_0", "Relu_1", "Conv_2", "ArgMax_3"]
    assert [int(row["macs"]) for row in rows] == [16 * 24 * 8 * 27, 0, 16 * 24 * 4 * 8, 0]
    assert {row["simulated"] for row in rows} == {"True"}
    assert sum(int(row["cycles"]) for row in rows) == int(line[1].replace(",", ""))
    assert [event["name"] for event in trace["traceEvents"]] == [row["op"] for row in rows]
    assert trace["otherData"]["simulated"] is True


def test_golden_data_is_what_the_quantized_model_computes(bench: Bench) -> None:
    assert bench.build().code == 0

    folder = bench.folder / "out" / "quant" / "debug" / "io"
    assert sorted(path.name for path in folder.iterdir()) == ["classes.bin", "pixel_values.bin"]
    wanted = np.fromfile(folder / "classes.bin", np.int64)
    model = bench.folder / "out" / "quant" / "quant_axmodel.onnx"
    where = ("--input_dir", folder, "--output_dir", bench.folder)
    assert bench.pulsar2("run", "--model", model, *where).code == 0
    assert np.array_equal(np.fromfile(bench.folder / "classes.bin", np.int64), wanted)
    assert len(np.unique(wanted)) > 1
    assert onnx.load(model).graph.output[0].name == "classes"


def test_golden_data_before_4_0_is_a_test_data_set(bench: Bench) -> None:
    assert bench.build().code == 0
    model = onnx.load(bench.folder / "out" / "quant" / "quant_axmodel.onnx")
    pixels = np.load(io.BytesIO(bench.samples(1)["0000.npy"]))
    debug = bench.folder / "debug"

    export_golden(model, {"pixel_values": pixels}, debug, replace(load_version(), version="3.3"))

    tensors = [
        onnx.load_tensor(debug / "test_data_set_0" / f"{name}_0.pb") for name in ("input", "output")
    ]
    golden = bench.folder / "out" / "quant" / "debug" / "io" / "classes.bin"
    assert [tensor.name for tensor in tensors] == ["pixel_values", "classes"]
    assert np.array_equal(onnx.numpy_helper.to_array(tensors[0]), pixels)
    classes = onnx.numpy_helper.to_array(tensors[1])
    assert np.array_equal(classes.reshape(-1), np.fromfile(golden, np.int64))


def test_the_context_holds_the_config_as_it_was_understood(bench: Bench) -> None:
    assert bench.build(None, "--npu_mode", "NPU2").code == 0

    context = json.loads((bench.folder / "out" / "build_context.json").read_text())
    assert context["simulated"] is True
    assert context["config"]["npu_mode"] == context["npu_mode"] == "NPU2"
