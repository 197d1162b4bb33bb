"""Three boards in containers as a lab would list them; a model with a vendor's config."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save
from PIL import Image

from containers.faults.yard import FLEET, RECIPES, Yard
from orchestrator.domain import Board
from tests.e2e.desk import Desk

INVENTORY = """\
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01], recipe: segformer-tiny, toolchain: sim}
"""
CONFIG = """\
{
  // as a vendor publishes it
  "npu_mode": "NPU1",
  "quant": {
    "input_configs": [
      {
        "tensor_name": "input",
        "calibration_dataset": "./dataset/images.tar",
        "calibration_size": 8,
        "calibration_mean": [103.9, 116.8, 123.7],
        "calibration_std": [58.0, 58.0, 58.0]
      }
    ],
    "calibration_method": "MinMax"
  },
  "input_processors": [
    {
      "tensor_name": "input",
      "tensor_format": "BGR",
      "src_format": "BGR",
      "src_dtype": "U8",
      "src_layout": "NHWC"
    }
  ]
}
"""


@pytest.fixture(scope="module")
def container_boards(
    board_container: Callable[[], AbstractContextManager[Board]],
) -> Iterator[tuple[Board, ...]]:
    """The boards in the order of their names; each is a container of that name."""
    with ExitStack() as stack:
        boards = [stack.enter_context(board_container()) for _ in range(3)]
        yield tuple(sorted(boards, key=lambda board: board.name))


@pytest.fixture(scope="session")
def built_yard(docker_engine: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A folder in which both small releases are built; tests work in copies of it."""
    assert docker_engine("info")
    yard = Yard(tmp_path_factory.mktemp("yard") / "built")
    yard.folder.mkdir()
    yard.list_boards([])
    for recipe in RECIPES:
        yard.must("build", "--fleet", FLEET, "--recipe", f"{recipe}.yaml", "--json")
    return yard


@pytest.fixture(scope="module")
def yard(built_yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A folder to deploy from, where nothing has to be built any more."""
    folder = tmp_path_factory.mktemp("yard") / "copy"
    shutil.copytree(built_yard.folder, folder)
    return Yard(folder)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config.json").write_text(CONFIG)
    noise = np.random.default_rng(1)
    weights = numpy_helper.from_array(noise.normal(size=(4, 3, 3, 3)).astype(np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["output"]),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4, 16, 16])],
        [weights],
    )
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    (tmp_path / "dataset").mkdir()
    with tarfile.open(tmp_path / "dataset" / "images.tar", "w") as tar:
        for index in range(8):
            png = io.BytesIO()
            Image.fromarray(noise.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(png, "PNG")
            entry = tarfile.TarInfo(f"{index}.png")
            entry.size = png.tell()
            png.seek(0)
            tar.addfile(entry, png)
    return Desk(tmp_path)
