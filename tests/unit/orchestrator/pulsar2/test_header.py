from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.errors import CompileError
from orchestrator.pulsar2.header import read_header


class Axmodel(Protocol):
    """A hand-made axmodel (conftest)."""

    def content(self) -> bytes: ...


Make = Callable[..., Axmodel]


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    ("hardware", "npu_mode", "target"),
    [
        (0, 0, "AX650/NPU1"),
        (0, 2, "AX650/NPU3"),
        (1, 1, "AX620E/NPU2"),
        (2, 0, "M76H/NPU1"),
        (4, 3, "M57/NPU4"),
        (99, 0, "hardware-99/NPU1"),
    ],
)
def test_the_target_is_read_from_the_metadata(
    tmp_path: Path, axmodel: Make, hardware: int, npu_mode: int, target: str
) -> None:
    path = tmp_path / "a.axmodel"
    path.write_bytes(axmodel(hardware=hardware, npu_mode=npu_mode).content())

    assert str(read_header(path).target) == target


def test_tensors_layouts_and_version_are_read(tmp_path: Path, axmodel: Make) -> None:
    path = tmp_path / "a.axmodel"
    path.write_bytes(axmodel(version="3.4-beta1", commit="3dfd5692").content())

    header = read_header(path)

    assert (header.pulsar2_version, header.pulsar2_commit) == ("3.4-beta1", "3dfd5692")
    (entry,), (output,) = header.inputs, header.outputs
    assert (entry.name, entry.dtype, entry.shape) == ("input", "uint8", (1, 8, 16, 3))
    assert (output.name, output.dtype, output.shape) == ("classes", "int32", (1, 1, 2, 4))
    assert header.layouts == {"input": "NHWC"}
    assert header.subgraphs == ("subgraph_0",)
    assert (header.producer, header.ir_version) == ("Pulsar2", 9)


@pytest.mark.parametrize(("commit", "simulated"), [("fa4e0000", True), ("3dfd5692", False)])
def test_only_the_stand_ins_commit_is_simulated(
    tmp_path: Path, axmodel: Make, commit: str, *, simulated: bool
) -> None:
    path = tmp_path / "a.axmodel"
    path.write_bytes(axmodel(commit=commit).content())

    assert read_header(path).simulated is simulated


@pytest.mark.parametrize(
    "extra",
    [
        "not base64!",
        "é",
        encoded(b"\xff\xff\xff"),  # a number without an end
        encoded(b"\x0a\x7fshort"),  # a text that ends behind the data
        encoded(b"\x22\x02\x18\x09"),  # an NPU mode that there is not
        encoded(b"\x0b"),  # a wire type that there is not
        encoded(b"\x0a\x06\x0a\x02\xff\xfe\x10\x01"),  # a name that is no UTF-8
    ],
)
def test_damaged_metadata_is_named(tmp_path: Path, axmodel: Make, extra: str) -> None:
    path = tmp_path / "a.axmodel"
    path.write_bytes(axmodel(extra=extra).content())

    with pytest.raises(CompileError, match=r"a\.axmodel: its extra_data is damaged: "):
        read_header(path)


def test_a_tensor_of_no_known_type_is_refused(tmp_path: Path, axmodel: Make) -> None:
    path = tmp_path / "a.axmodel"
    path.write_bytes(axmodel(input_type=99).content())

    with pytest.raises(CompileError, match=r"a\.axmodel"):
        read_header(path)


def test_a_plain_onnx_file_is_no_axmodel(tmp_path: Path, axmodel: Make) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(axmodel(op_type="Relu").content())

    with pytest.raises(CompileError, match=r"model\.onnx: not an axmodel: it has 0") as caught:
        read_header(path)
    assert "orch build" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>\n", b"\x00" * 64])
def test_any_other_file_is_no_axmodel(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.axmodel"
    path.write_bytes(content)

    with pytest.raises(CompileError, match=r"x\.axmodel: not an axmodel"):
        read_header(path)


def test_a_cut_axmodel_is_refused_wherever_it_was_cut(tmp_path: Path, axmodel: Make) -> None:
    content = axmodel().content()
    path = tmp_path / "x.axmodel"
    for size in range(len(content) - 1):
        path.write_bytes(content[:size])
        try:
            header = read_header(path)
        except CompileError:
            continue
        # Cut between two fields it is a sound message that lacks only what comes last.
        assert header.subgraphs == ("subgraph_0",)
