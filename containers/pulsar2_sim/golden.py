"""Golden inputs and outputs of the quantized model, for whoever debugs it."""

from pathlib import Path

import onnx

from . import console
from .run import fused_session
from .stepping import Tensors
from .tensor_files import write_bin
from .toolversion import ToolVersion

#: The first major version whose log names `io`; those before it write a test_data_set_0.
_FIRST_WITH_IO = 4


def export_golden(
    quantized: onnx.ModelProto, sample: Tensors, debug: Path, version: ToolVersion
) -> None:
    """Run the quantized model on one sample; write what went in and what came out."""
    names = [value.name for value in quantized.graph.output]
    found = fused_session(quantized.SerializeToString()).run(names, dict(sample))
    outputs = dict(zip(names, found, strict=True))
    if int(version.version.split(".")[0]) < _FIRST_WITH_IO:
        folder = debug / "test_data_set_0"
        _write_protobufs(folder, sample, "input")
        _write_protobufs(folder, outputs, "output")
        console.say(f"===>export pb data to folder: {folder}")
        return
    folder = debug / "io"
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in {**sample, **outputs}.items():
        write_bin(array, folder, name)
    console.say(f"===>export io data to folder: {folder}")


def _write_protobufs(folder: Path, arrays: Tensors, role: str) -> None:
    """Write the files of ONNX's own test data sets."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (name, array) in enumerate(arrays.items()):
        tensor = onnx.numpy_helper.from_array(array, name)
        (folder / f"{role}_{index}.pb").write_bytes(tensor.SerializeToString())
