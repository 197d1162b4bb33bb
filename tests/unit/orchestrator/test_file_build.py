from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from orchestrator.domain import Target, ToolchainIdentity
from orchestrator.file_build import FileBuild, files_of
from orchestrator.pulsar2.config.staging import StagedConfig


@pytest.fixture
def work(tmp_path: Path) -> FileBuild:
    """A model whose weights lie in a folder beside it, and one archive."""
    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [1, 4])],
        [value("y", TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    (tmp_path / "parts").mkdir()
    path, archive = tmp_path / "net.onnx", tmp_path / "a.tar"
    archive.write_bytes(b"x")
    onnx.save(
        helper.make_model(graph),
        path,
        save_as_external_data=True,
        size_threshold=0,
        location="parts/w.bin",
    )
    files = {"input/calibration-0.tar": archive}
    staged = StagedConfig({}, path, files, Target("AX650", "NPU1"), ())
    identity = ToolchainIdentity("sim", "5.2", "fa4e0000", "none", simulated=True)
    return FileBuild("net", staged, files_of(staged), identity, 60.0)


def test_weights_lie_beside_the_copied_model_as_beside_the_model(
    work: FileBuild, tmp_path: Path
) -> None:
    assert work.files == {
        "input/parts/w.bin": tmp_path / "parts" / "w.bin",
        "input/calibration-0.tar": tmp_path / "a.tar",
    }


def test_other_weights_are_another_axmodel(work: FileBuild, tmp_path: Path) -> None:
    before = work.wanted.fields

    (tmp_path / "parts" / "w.bin").write_bytes(bytes(64))

    changed = {key for key, value in work.wanted.fields.items() if value != before[key]}
    assert changed == {"file input/parts/w.bin"}
