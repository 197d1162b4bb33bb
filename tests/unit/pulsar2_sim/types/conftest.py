"""A small net with every kind of layer that types are given to, and what a build makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from containers.pulsar2_sim.run import fused_session

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

SHAPE = (1, 3, 16, 24)
KINDS = {"uint8": "U8", "int8": "S8", "uint16": "U16", "int16": "S16"}
Quant = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Net:
    """The stand-in with the net, its calibration, and settings of `quant` to build it with."""

    bench: Bench
    model: onnx.ModelProto
    arrays: list[NDArray[np.float32]]

    def build(self, **quant: object) -> str:
        """Build with these settings of `quant`; give the log."""
        ended = self.bench.build(self.config(quant))
        assert ended.code == 0, ended.err
        return ended.err

    def config(self, quant: Quant) -> dict[str, object]:
        entry = self.bench.input_config(tensor_name="x", calibration_mean=[], calibration_std=[])
        return self.bench.config(
            input_processors=[], quant={"input_configs": [entry]} | dict(quant)
        )

    def quantized(self) -> onnx.ModelProto:
        return onnx.load(self.bench.folder / "out" / "quant" / "quant_axmodel.onnx")

    def reads(self) -> dict[str, list[str]]:
        """Give for each layer the type in which it reads each of its inputs."""
        model = self.quantized()
        makers = {name: node for node in model.graph.node for name in node.output}
        kinds = {t.name: numpy_helper.to_array(t).dtype.name for t in model.graph.initializer}

        def kind(name: str) -> str:
            maker = makers.get(name)
            if maker is None or maker.op_type != "DequantizeLinear":
                return "FP32"
            return KINDS.get(kinds[maker.input[2]], "S32")

        return {
            node.name: [kind(name) for name in node.input]
            for node in model.graph.node
            if "QuantizeLinear" not in node.op_type and "DequantizeLinear" not in node.op_type
        }

    def made(self, tensor: str) -> str:
        """Give the type of the pair behind the maker of a tensor."""
        model = self.quantized()
        kinds = {t.name: numpy_helper.to_array(t).dtype.name for t in model.graph.initializer}
        found = [node for node in model.graph.node if node.name == f"{tensor}_QuantizeLinear"]
        return KINDS[kinds[found[0].input[2]]] if found else "FP32"

    def error(self) -> float:
        """Give the mean squared error of what the axmodel gives, against the float model."""
        reference = fused_session((self.bench.folder / "model.onnx").read_bytes())
        built = fused_session(self.bench.runtime)
        errors = [
            np.mean((built.run(None, {"x": a})[0] - reference.run(None, {"x": a})[0]) ** 2)
            for a in self.arrays
        ]
        return float(np.mean(errors))


@pytest.fixture
def net(bench: Bench) -> Net:
    model, arrays = _net(), _arrays()
    onnx.save(model, bench.folder / "model.onnx")
    bench.write_tar({f"{index}.npy": bench.npy(array) for index, array in enumerate(arrays)})
    return Net(bench, model, arrays)


def _net(*, opset: int = 13) -> onnx.ModelProto:
    """Give conv1 → act → conv2, added to conv1's output, and a softmax behind a projection."""
    generator = np.random.default_rng(5)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="act"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], name="conv2"),
        helper.make_node("Add", ["r1", "c2"], ["sum"], name="sum"),
        helper.make_node("Transpose", ["sum"], ["turned"], name="turn", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["turned", "w3"], ["scores"], name="project"),
        helper.make_node("Softmax", ["scores"], ["shares"], name="softmax", axis=-1),
        helper.make_node("Conv", ["shares", "w4"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, list(SHAPE))],
        [helper.make_tensor_value_info("y", 1, [1, 4, 24, 6])],
        [
            weight("w1", 6, 3, 3, 3), weight("b1", 6), weight("w2", 6, 6, 1, 1), weight("b2", 6),
            weight("w3", 16, 6), weight("w4", 4, 6, 1, 1),
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _arrays() -> list[NDArray[np.float32]]:
    generator = np.random.default_rng(2)
    return [generator.normal(size=SHAPE).astype(np.float32) for _ in range(3)]
