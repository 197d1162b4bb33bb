"""The axmodel: an ONNX file around one `neu mode` node, readable without vendor software.

A simulated one keeps the INT8 run-time graph in `npu_params`, so that a simulated board computes
true outputs, and says in its doc_string that it runs nowhere else.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from .model import Tensor, graph_inputs, tensors
from .plan import InputProcessing
from .protowire import field
from .toolversion import ToolVersion

SUBGRAPH = "subgraph_npu_0"
NEU_KEY = f"{SUBGRAPH}_b1_neu"
PARAMS_KEY = "npu_params"
SIMULATED = "SIMULATED by orch pulsar2_sim: runs on simulated boards only"
_LAYOUTS = {"NHWC": 1, "NCHW": 2}
_COLOURS = {"GRAY": 1, "BGR": 2, "RGB": 3, "RGBA": 4}
_IMAGE_RANK = 4
_BYTE = onnx.TensorProto.UINT8
#: The vendor's names of run-time types.
_DTYPES = {
    "uint8": "U8", "int8": "S8", "uint16": "U16", "int16": "S16", "uint32": "U32", "int32": "S32",
    "float16": "FP16", "float32": "FP32",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """What the header says the model was built for."""

    hardware: str
    npu_mode: str


def axmodel(
    runtime: onnx.ModelProto,
    processing: Mapping[str, InputProcessing],
    target: Target,
    version: ToolVersion,
) -> onnx.ModelProto:
    """Wrap a run-time graph. The same arguments give the same bytes."""
    inputs = tensors(graph_inputs(runtime))
    outputs = tensors(list(runtime.graph.output))
    constants = {
        PARAMS_KEY: runtime.SerializeToString(deterministic=True),
        NEU_KEY: f"{SIMULATED}\n".encode(),
    }
    graph = onnx.helper.make_graph(
        [_node(inputs, outputs)],
        "ax-model",
        list(runtime.graph.input),
        list(runtime.graph.output),
        [_constant(name, data) for name, data in constants.items()],
        value_info=[
            *runtime.graph.input,
            *(_constant_info(name, data) for name, data in constants.items()),
            *runtime.graph.output,
        ],
    )
    model = onnx.helper.make_model(
        graph,
        producer_name="Pulsar2",
        ir_version=version.ir_version,
        opset_imports=[onnx.helper.make_opsetid("", version.opset)],
        doc_string=f"Pulsar2 Version:  {version.version}\nPulsar2 Commit: {version.commit}\n"
        f"{SIMULATED}",
    )
    entry = model.metadata_props.add()
    entry.key = "extra_data"
    extra = _extra_data(inputs, outputs, processing, target, version)
    entry.value = base64.b64encode(extra).decode()
    return model


def _constant(name: str, data: bytes) -> onnx.TensorProto:
    return onnx.helper.make_tensor(name, _BYTE, [len(data)], data, raw=True)


def _constant_info(name: str, data: bytes) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, _BYTE, [len(data)])


def embedded_graph(model: onnx.ModelProto) -> bytes | None:
    """Give the run-time graph of a simulated axmodel, or None when the model is none."""
    if not any(node.op_type == "neu mode" for node in model.graph.node):
        return None
    if SIMULATED not in model.doc_string:
        raise ValueError("a genuine axmodel: the stand-in cannot run it")
    return next(bytes(t.raw_data) for t in model.graph.initializer if t.name == PARAMS_KEY)


def _node(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> onnx.NodeProto:
    params = {
        "name": "params",
        "const_data_key": PARAMS_KEY,
        "type": "DotNeuInputConst",
        "dyn_param_expr_key": "",
    }
    dotneu = {"neu_key": NEU_KEY, "batch": 1, "extra_inputs": [params]}
    info = {"name": SUBGRAPH, "dotneus": [dotneu], "type": "NPUDotNeu"}
    shapes = {tensor.name: [_DTYPES[tensor.dtype.name], list(tensor.shape)] for tensor in outputs}
    return onnx.helper.make_node(
        "neu mode",
        [tensor.name for tensor in inputs],
        [tensor.name for tensor in outputs],
        name=SUBGRAPH,
        neu_name=SUBGRAPH,
        npu_graph_info=json.dumps(info),
        outputs_info=json.dumps(shapes),
        version=1,
    )


def _extra_data(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    processing: Mapping[str, InputProcessing],
    target: Target,
    version: ToolVersion,
) -> bytes:
    """Encode the header; numbers that are 0 are left out, as protobuf does."""
    extras = [_tensor_extra(tensor, processing[tensor.name]) for tensor in inputs]
    extras += [field(1, tensor.name) for tensor in outputs]
    params = field(1, "params") + field(3, PARAMS_KEY)
    dotneu = field(1, NEU_KEY) + field(2, 1) + field(3, params)
    npu_mode = version.npu_modes[target.npu_mode]
    hardware = version.hardware[target.hardware].code
    return (
        b"".join(field(1, extra) for extra in extras)
        + field(2, "1")
        + field(3, field(1, SUBGRAPH) + field(10, dotneu))
        + field(4, field(3, npu_mode) if npu_mode else b"")
        + (field(5, hardware) if hardware else b"")
    )


def _tensor_extra(tensor: Tensor, processing: InputProcessing) -> bytes:
    extra = field(1, tensor.name)
    if len(tensor.shape) == _IMAGE_RANK:
        extra += field(2, _LAYOUTS[processing.src_layout])
        colour = _COLOURS.get(processing.src_format) or _COLOURS.get(processing.tensor_format)
        extra += field(3, colour) if colour else b""
    return extra


def as_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise; the same model gives the same bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data
