from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from orchestrator.errors import ConfigError
from orchestrator.onnx_graph import external_files


@pytest.fixture
def model() -> onnx.ModelProto:
    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    return helper.make_model(graph)


def save_apart(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")


def test_a_model_in_one_file_has_none(model: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "m.onnx")

    assert external_files(tmp_path / "m.onnx") == []


def test_the_files_beside_a_model_are_named(model: onnx.ModelProto, tmp_path: Path) -> None:
    save_apart(model, tmp_path / "m.onnx")

    assert external_files(tmp_path / "m.onnx") == [tmp_path / "weights.bin"]


def test_a_model_of_links_into_another_folder_has_its_files(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    (tmp_path / "blobs").mkdir()
    save_apart(model, tmp_path / "blobs" / "m.onnx")
    (tmp_path / "blobs" / "weights.bin").rename(tmp_path / "blobs" / "5e1f")
    (tmp_path / "m.onnx").symlink_to("blobs/m.onnx")
    (tmp_path / "weights.bin").symlink_to("blobs/5e1f")

    assert external_files(tmp_path / "m.onnx") == [tmp_path / "weights.bin"]


def test_a_missing_file_is_an_error(model: onnx.ModelProto, tmp_path: Path) -> None:
    save_apart(model, tmp_path / "m.onnx")
    (tmp_path / "weights.bin").unlink()

    with pytest.raises(ConfigError, match=r"its data file weights.bin is missing"):
        external_files(tmp_path / "m.onnx")


def test_a_file_outside_the_models_folder_is_refused(
    model: onnx.ModelProto, tmp_path: Path
) -> None:
    save_apart(model, tmp_path / "m.onnx")
    content = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "n.onnx").write_bytes(content.replace(b"weights.bin", b"../ghts.bin"))

    with pytest.raises(ConfigError, match=r"lies outside its folder, in \.\./ghts.bin"):
        external_files(tmp_path / "n.onnx")


@pytest.mark.parametrize("content", [b"{}", b"\xff\xff\xff\xff"])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.json").write_bytes(content)

    with pytest.raises(ConfigError, match="cannot be read as ONNX"):
        external_files(tmp_path / "m.json")
