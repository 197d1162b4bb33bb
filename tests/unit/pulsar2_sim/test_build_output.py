"""What a build leaves behind and says: files, axmodel, log."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import onnx
import pytest

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench


def test_the_axmodel_reads_like_a_genuine_one_that_says_it_is_simulated(bench: Bench) -> None:
    assert bench.build().code == 0

    model = onnx.load(bench.axmodel)
    graph = model.graph
    (node,) = graph.node
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    assert (model.ir_version, model.opset_import[0].version) == (10, 18)
    assert (model.producer_name, graph.name, node.op_type) == ("Pulsar2", "ax-model", "neu mode")
    assert model.doc_string == (
        "Pulsar2 Version:  5.2\nPulsar2 Commit: fa4e0000\n"
        "SIMULATED by orch pulsar2_sim: runs on simulated boards only"
    )
    assert attributes["neu_name"] == b"subgraph_npu_0"
    assert attributes["version"] == 1
    assert json.loads(attributes["outputs_info"]) == {"classes": ["S32", [1, 16, 24]]}
    dotneu = json.loads(attributes["npu_graph_info"])["dotneus"][0]
    assert dotneu["neu_key"] == "subgraph_npu_0_b1_neu"
    assert dotneu["extra_inputs"][0]["const_data_key"] == "npu_params"


def test_its_tensors_are_those_of_run_time(bench: Bench) -> None:
    assert bench.build().code == 0

    graph = onnx.load(bench.axmodel).graph
    described = {
        value.name: (
            value.type.tensor_type.elem_type,
            [dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in (*graph.input, *graph.output)
    }
    assert described == {
        "pixel_values": (onnx.TensorProto.UINT8, [1, 16, 24, 3]),
        "classes": (onnx.TensorProto.INT32, [1, 16, 24]),
    }
    names = {"npu_params", "subgraph_npu_0_b1_neu"}
    assert {tensor.name for tensor in graph.initializer} == names
    assert names <= {value.name for value in graph.value_info}
    for tensor in graph.initializer:
        assert tensor.data_type == onnx.TensorProto.UINT8
        assert list(tensor.dims) == [len(tensor.raw_data)]
    marker = next(t for t in graph.initializer if t.name == "subgraph_npu_0_b1_neu")
    assert b"SIMULATED" in marker.raw_data


@pytest.mark.parametrize(
    ("options", "tail"),
    [
        ((), b"\x22\x00"),
        (("--npu_mode", "NPU3"), b"\x22\x02\x18\x02"),
        (("--target_hardware", "AX620E"), b"\x22\x00\x28\x01"),
    ],
)
def test_the_header_is_laid_out_as_in_the_vendors_sample(
    bench: Bench, options: tuple[str, ...], tail: bytes
) -> None:
    assert bench.build(None, *options).code == 0

    (entry,) = onnx.load(bench.axmodel).metadata_props
    subgraph = (
        b"\x1aA\n\x0esubgraph_npu_0R/\n\x15subgraph_npu_0_b1_neu\x10\x01"
        b"\x1a\x14\n\x06params\x1a\nnpu_params"
    )
    assert entry.key == "extra_data"
    assert base64.b64decode(entry.value) == (
        b"\n\x12\n\x0cpixel_values\x10\x01\x18\x03\n\x09\n\x07classes\x12\x011" + subgraph + tail
    )


@pytest.mark.parametrize("seeds", [("0", "1")])
def test_the_same_input_gives_the_same_bytes_everywhere(
    bench: Bench, seeds: tuple[str, str]
) -> None:
    built = []
    for seed in seeds:
        config = bench.write(bench.config(output_dir=str(bench.folder / f"out-{seed}")))
        process = bench.start("build", "--config", config, environment={"PYTHONHASHSEED": seed})
        output, _ = process.communicate()
        assert process.returncode == 0, output.decode()
        built.append((bench.folder / f"out-{seed}" / "compiled.axmodel").read_bytes())

    assert built[0] == built[1]
    assert str(bench.folder).encode() not in built[0]


def test_the_tree_is_split_between_output_and_work_folder(bench: Bench) -> None:
    work = bench.folder / "work"

    assert bench.build(None, "--work_dir", str(work)).code == 0

    assert [path.name for path in (bench.folder / "out").iterdir()] == ["compiled.axmodel"]
    for name in (
        "build_context.json", "frontend/optimized.onnx", "quant/quant_axmodel.onnx",
        "quant/quant_axmodel.json", "quant/debug/io/pixel_values.bin", "compiler",
        "quant/dataset/pixel_values/0000.npy",
    ):  # fmt: skip
        assert (work / name).exists(), name
    onnx.checker.check_model(onnx.load(work / "frontend" / "optimized.onnx"), full_check=True)
    configs = json.loads((work / "quant" / "quant_axmodel.json").read_text())["tensor_configs"]
    assert configs["logits"]["bit_width"] == 8


def test_the_log_begins_with_simulation_and_ends_with_fuse(bench: Bench) -> None:
    config = bench.write(bench.config())
    process = bench.start("build", "--config", config, environment={})

    output, _ = process.communicate()

    assert process.returncode == 0
    lines = output.decode().replace("\r", "\n").splitlines()
    assert "SIMULATION of Pulsar2 5.2" in lines[0]
    assert lines[-1].endswith("yamain.command.build:compile_ptq_model:1365 - fuse 1 subgraph(s)")
    text = "\n".join(lines)
    macs = 16 * 24 * (8 * 27 + 4 * 8)
    for expected in (
        "| IN: pixel_values |  float32: (1, 3, 16, 24)   |",
        "Quant Config Table",
        "Calibration Progress(Phase 1): 100%|██████████| 3/3 ",
        "AX Parameter Baking Pass Running ...",
        "--------- Network Snapshot ---------",
        f"group 0 QuantAxModel macs: {macs:,}",
        "assemble model [0] [subgraph_npu_0] b1",
    ):
        assert expected in text
    order = [text.index(word) for word in ("extract [", "Op Set", "Snapshot", "max_cycle = ")]
    assert order == sorted(order)


def test_a_failed_build_leaves_the_axmodel_of_the_last_one(bench: Bench) -> None:
    assert bench.build().code == 0
    before = bench.axmodel.read_bytes()
    bench.save_model(head="Reciprocal")

    ended = bench.build()

    assert ended.code == 1
    assert bench.axmodel.read_bytes() == before
    assert "KeyError: 'dont support Reciprocal opr in AXOPS/ONNXOPS/CUSTOM_OPS'" in ended.err
    assert ended.last_line == (
        "yamain.common.error.CodeException: (<ErrorCode.OnnxOptimizationError: 13>, "
        "KeyError('dont support Reciprocal opr in AXOPS/ONNXOPS/CUSTOM_OPS'))"
    )


def test_a_second_build_warns_of_the_files_of_the_first(bench: Bench) -> None:
    first, second = bench.build(), bench.build()

    warning = "[Warning]File "
    assert warning not in first.out
    assert f"{warning}{bench.folder}/out/quant/quant_axmodel.onnx has already exist" in second.out


def test_a_dynamic_shape_is_refused_until_it_is_fixed(bench: Bench) -> None:
    bench.save_model(batch="N")

    refused = bench.build()
    fixed = bench.build(None, "--input_shapes", "pixel_values:1x3x16x24")

    assert "tensor [pixel_values] has dynamic shape ['N', 3, 16, 24]" in refused.last_line
    assert (refused.code, fixed.code) == (1, 0), fixed.err


def test_a_model_above_two_gigabytes_is_refused(bench: Bench) -> None:
    with (bench.folder / "model.onnx").open("r+b") as file:
        file.truncate(2**31)

    ended = bench.build()

    assert ended.code == 1
    assert ended.last_line == (
        "yamain.common.error.CodeException: (<ErrorCode.QuantError: 3>, "
        "DecodeError(\"Error parsing message with type 'onnx.ModelProto'\"))"
    )


def test_settings_without_effect_are_named(bench: Bench) -> None:
    ended = bench.build(None, "--quant.enable_brecq", "--compiler.enable_tile_mode")

    assert ended.code == 0
    assert "does not use compiler.enable_tile_mode, quant.enable_brecq" in ended.err
