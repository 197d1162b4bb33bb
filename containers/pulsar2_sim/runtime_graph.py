"""The run-time graph: the quantized model with what the processors of the config put around it."""

from collections.abc import Mapping

import numpy as np
import onnx

from .failure import ToolFailure
from .model import Tensor, graph_inputs, tensors, value_info
from .plan import InputProcessing, OutputProcessing

_TO_TENSOR = {("NHWC", "NCHW"): (0, 3, 1, 2), ("NCHW", "NHWC"): (0, 2, 3, 1)}
_IMAGE_RANK = 4
_NUMPY = {
    "U8": "uint8", "S8": "int8", "U16": "uint16", "S16": "int16", "U32": "uint32", "S32": "int32",
    "FP16": "float16", "FP32": "float32",
}  # fmt: skip


def runtime_graph(
    quantized: onnx.ModelProto,
    processing: Mapping[str, InputProcessing],
    output_processing: Mapping[str, OutputProcessing],
) -> onnx.ModelProto:
    """Give the graph a board runs: its inputs as they arrive there, its outputs as it gives them.

    Colours are never swapped: neither does the vendor's tool.
    """
    model = onnx.ModelProto()
    model.CopyFrom(quantized)
    inputs = tensors(graph_inputs(model))
    outputs = tensors(list(model.graph.output))
    before: list[onnx.NodeProto] = []
    after: list[onnx.NodeProto] = []
    del model.graph.input[:], model.graph.output[:]
    for tensor in inputs:
        before += _input_nodes(model, tensor, processing[tensor.name])
    for tensor in outputs:
        after += _output_nodes(
            model, tensor, output_processing.get(tensor.name, OutputProcessing())
        )
    nodes = [*before, *model.graph.node, *after]
    copies = onnx.helper.make_graph(nodes, "runtime", [], [])
    del model.graph.node[:]
    model.graph.node.extend(copies.node)
    del model.graph.value_info[:]  # the shapes of the float model's own tensors
    return model


def steps(tensor: Tensor, processing: InputProcessing) -> list[str]:
    """Give the names of what is done to one input, in order."""
    margins = processing.margins
    named = {
        "AxDequantizeLinear": processing.src_dtype != "FP32" and tensor.dtype == np.float32,
        "AxSlice": bool(margins.slicing),
        "AxPad": bool(margins.padding),
        "AxNormalize": _normalises(processing),
        "AxTranspose": _permutation(tensor, processing) is not None,
    }
    return [name for name, done in named.items() if done]


def runtime_input(tensor: Tensor, processing: InputProcessing) -> Tensor:
    """Give an input as it is at run time."""
    dtype = runtime_dtype(tensor.dtype)
    if tensor.dtype == np.float32:
        dtype = np.dtype(_NUMPY[processing.src_dtype])
    shape = processing.margins.outer(tensor.shape)
    perm = _permutation(tensor, processing)
    if perm is not None:
        shape = tuple(shape[perm.index(axis)] for axis in range(len(perm)))
    return Tensor(tensor.name, dtype, shape)


def _input_nodes(
    model: onnx.ModelProto, tensor: Tensor, processing: InputProcessing
) -> list[onnx.NodeProto]:
    source = runtime_input(tensor, processing)
    model.graph.input.append(value_info(source.name, source.dtype, source.shape))
    chain = _Chain(tensor.name)
    perm = _permutation(tensor, processing)
    if source.dtype != tensor.dtype:
        to = onnx.helper.np_dtype_to_tensor_dtype(tensor.dtype)
        chain.add("Cast", "pre_dequant", to=to)
    _add_margins(model, chain, Tensor(tensor.name, tensor.dtype, source.shape), perm, processing)
    if _normalises(processing):
        for op_type, values, rest in (("Sub", processing.mean, 0.0), ("Div", processing.std, 1.0)):
            constant = f"{tensor.name}_pre_{op_type}_constant"
            array = np.array(values or (rest,), dtype=np.float32)
            if len(source.shape) == _IMAGE_RANK and processing.src_layout == "NCHW":
                array = array.reshape(-1, 1, 1)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, constant))
            chain.add(op_type, f"pre_norm_{op_type}", constant)
    if perm is not None:
        chain.add("Transpose", "pre_transpose", perm=perm)
    if chain.nodes:
        _rename_uses(model, tensor.name, chain.last)
    return chain.nodes


def _add_margins(
    model: onnx.ModelProto,
    chain: "_Chain",
    source: Tensor,
    perm: tuple[int, ...] | None,
    processing: InputProcessing,
) -> None:
    """Slice and pad the run-time input; the margins are those of the model's axes."""
    margins = processing.margins
    axes = range(len(source.shape)) if perm is None else [perm.index(a) for a in range(len(perm))]
    sizes = list(source.shape)
    for op_type, pairs in (("Slice", margins.slicing), ("Pad", margins.padding)):
        if not pairs:
            continue
        starts, ends = ([pairs[axis][side] for axis in axes] for side in (0, 1))
        arrays = [np.array([*starts, *ends], np.int64), np.array(margins.value, source.dtype)]
        if op_type == "Slice":
            stops = [size - end for size, end in zip(sizes, ends, strict=True)]
            arrays = [np.array(starts, np.int64), np.array(stops, np.int64)]
        names = [f"{source.name}_pre_{op_type}_{index}" for index in range(2)]
        for name, array in zip(names, arrays, strict=True):
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        chain.add(op_type, f"pre_{op_type}", *names)


def _output_nodes(
    model: onnx.ModelProto, tensor: Tensor, processing: OutputProcessing
) -> list[onnx.NodeProto]:
    perm = processing.perm
    dtype = runtime_dtype(tensor.dtype)
    if processing.dtype:
        dtype = np.dtype(_NUMPY[processing.dtype])
    shape = tuple(tensor.shape[axis] for axis in perm) or tensor.shape
    model.graph.output.append(value_info(tensor.name, dtype, shape))
    raw = f"{tensor.name}_raw"
    chain = _Chain(raw)
    if tensor.dtype == np.float32 and dtype != tensor.dtype:
        _give_integers(model, tensor.name, dtype)
    elif dtype != tensor.dtype:
        chain.add("Cast", "post_cast", to=onnx.helper.np_dtype_to_tensor_dtype(dtype))
    if perm:
        chain.add("Transpose", "post_transpose", perm=perm)
    if chain.nodes:
        _rename_uses(model, tensor.name, raw)
        for node in model.graph.node:
            node.output[:] = [raw if name == tensor.name else name for name in node.output]
        chain.nodes[-1].output[0] = tensor.name
    return chain.nodes


def _give_integers(model: onnx.ModelProto, name: str, dtype: "np.dtype[np.generic]") -> None:
    """Give an output as it is quantized, without its DequantizeLinear. Raises ToolFailure."""
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    makers = {made: node for node in model.graph.node for made in node.output}
    back = makers.get(name)
    found = "FP32"
    if back is not None and back.op_type == "DequantizeLinear":
        found = onnx.helper.tensor_dtype_to_np_dtype(kinds[back.input[2]]).name
    if back is None or found != dtype.name:
        raise ToolFailure(
            "NotImplementedError",
            f"output_dtype of [{name}] is {dtype.name}, it is quantized to {found}: set "
            "output_data_type of its layer",
        )
    integers = back.input[0]
    back.output[0] = f"{name}_float"
    _rename_uses(model, name, back.output[0])
    for node in model.graph.node:
        node.input[:] = [name if each == integers else each for each in node.input]
        node.output[:] = [name if each == integers else each for each in node.output]


def _normalises(processing: InputProcessing) -> bool:
    return any(processing.mean) or any(value != 1 for value in processing.std)


def _permutation(tensor: Tensor, processing: InputProcessing) -> tuple[int, ...] | None:
    if len(tensor.shape) != _IMAGE_RANK:
        return None
    return _TO_TENSOR.get((processing.src_layout, processing.tensor_layout))


def _rename_uses(model: onnx.ModelProto, old: str, new: str) -> None:
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


class _Chain:
    """Nodes that each read what the one before has made."""

    def __init__(self, start: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.last = start
        self._start = start

    def add(
        self, op_type: str, name: str, *constants: str, **attributes: int | tuple[int, ...]
    ) -> None:
        """Add a node at the end."""
        made = f"{self._start}_{name}"
        node = onnx.helper.make_node(
            op_type, [self.last, *constants], [made], name=made, **attributes
        )
        self.nodes.append(node)
        self.last = made


def runtime_dtype(dtype: "np.dtype[np.generic]") -> "np.dtype[np.generic]":
    """Give the type that a board has instead: nothing is 64 bits wide, and bool is a byte."""
    narrower = {"int64": "int32", "uint64": "uint32", "float64": "float32", "bool": "uint8"}
    return np.dtype(narrower.get(dtype.name, dtype.name))
