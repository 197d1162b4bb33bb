"""A SegFormer, exported as the product exports it, is quantized with its parts in their places."""

from __future__ import annotations

import io
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from containers.pulsar2_sim.run import fused_session

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

HEIGHT, WIDTH = 64, 96


def _exported() -> onnx.ModelProto:
    """Export a small one with random weights at opset 11."""
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    class Logits(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
            return self.model(pixel_values=pixel_values).logits

    torch.manual_seed(0)
    config = SegformerConfig(
        num_labels=6,
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 32, 64, 96],
        decoder_hidden_size=64,
        attn_implementation="eager",
    )
    exported = io.BytesIO()
    torch.onnx.export(
        Logits(SegformerForSemanticSegmentation(config)).eval(),
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        exported,
        opset_version=11,
        input_names=["pixel_values"],
        output_names=["logits"],
        dynamo=False,
    )
    return onnx.load_model_from_string(exported.getvalue())


def _segformer() -> onnx.ModelProto:
    """Fold its constants and put ArgMax on."""
    import onnxsim

    model, _ = onnxsim.simplify(_exported(), perform_optimization=False)
    model.graph.node.append(helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=0))
    del model.graph.output[:]
    shape = [1, HEIGHT // 4, WIDTH // 4]
    model.graph.output.append(helper.make_tensor_value_info("classes", TensorProto.INT64, shape))
    return model


def _save_model_and_samples(bench: Bench) -> None:
    onnx.save(_segformer(), bench.folder / "model.onnx")
    generator = np.random.default_rng(5)
    arrays = [generator.normal(size=(1, 3, HEIGHT, WIDTH)).astype(np.float32) for _ in range(3)]
    bench.write_tar({f"{i}.npy": bench.npy(array) for i, array in enumerate(arrays)})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
def test_a_segformer_runs_on_int8_kernels(bench: Bench) -> None:
    _save_model_and_samples(bench)

    ended = bench.build()

    assert ended.code == 0, ended.err
    tensors = onnx.load(bench.axmodel).graph.initializer
    params = next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(bench.folder / "kernels.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(params, options, providers=["CPUExecutionProvider"])
    kernels = Counter(node.op_type for node in onnx.load(bench.folder / "kernels.onnx").graph.node)
    assert kernels["QLinearConv"] == 13
    assert kernels["QLinearMatMul"] == 32
    assert kernels["MatMulIntegerToFloat"] == kernels["Softmax"] == 4
    assert kernels["LayerNormalization"] == 19
    assert kernels["Conv"] == kernels["MatMul"] == kernels["Gemm"] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
def test_every_layer_of_a_segformer_is_analysed_and_checked(bench: Bench) -> None:
    _save_model_and_samples(bench)
    analysis = ("--quant.precision_analysis", "--quant.precision_analysis_method", "EndToEnd")
    check = ("--compiler.check", "2", "--compiler.check_mode", "CheckPerLayer")

    ended = bench.build(None, *analysis, *check)

    assert ended.code == 0, ended.err
    out = bench.folder / "out"
    table = (out / "quant" / "debug" / "precision_analysis_table.txt").read_text(encoding="utf-8")
    rows = [line.strip("│").split("│") for line in table.splitlines() if line.startswith("│")]
    found = {row[0].strip(): float(row[6]) for row in rows}
    nodes = {node.name for node in onnx.load(out / "frontend" / "optimized.onnx").graph.node}
    absorbed = {name for name in nodes - set(found) if name.endswith("Relu")}
    assert set(found) | absorbed == nodes
    assert min(found.values()) > 0.9
    assert "check npu graph [subgraph_npu_0_b1] [classes], (1, 16, 24), int32 success" in ended.err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's exporter warns of itself
def test_a_segformer_in_sixteen_bits_is_nearer_to_its_float_form(bench: Bench) -> None:
    _save_model_and_samples(bench)
    agreement = []
    generator = np.random.default_rng(9)
    feed = {"pixel_values": generator.normal(size=(1, 3, HEIGHT, WIDTH)).astype(np.float32)}
    entry = bench.input_config(calibration_mean=[], calibration_std=[])
    for wide in (
        {},
        {"highest_mix_precision": True, "transformer_opt_level": 1, "enable_smooth_quant": True},
    ):
        quant = {"input_configs": [entry]} | wide
        ended = bench.build(bench.config(input_processors=[], quant=quant))
        assert ended.code == 0, ended.err
        tensors = onnx.load(bench.axmodel).graph.initializer
        params = next(bytes(t.raw_data) for t in tensors if t.name == "npu_params")
        found = [
            fused_session(model).run(None, feed)[0]
            for model in (params, (bench.folder / "model.onnx").read_bytes())
        ]
        agreement.append(float(np.mean(found[0] == found[1])))

    assert agreement[0] < agreement[1]
    assert agreement[1] > 0.97
