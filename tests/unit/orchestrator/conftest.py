"""What the tests of the host share: a small recipe, a board on this machine, a scripted board."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.agent import Agent, load_agent
from orchestrator.domain import Artifact, Board, Json, Recipe, Release, Target
from orchestrator.recipe import load_recipe
from tests.unit.orchestrator.stand_ins import LocalBoard, ScriptedBoard

RECIPE = """
checkpoint: {source: somewhere}
classes: {road: "#804080", sky: "#4682b4", car: "#00008e"}
export: {input: {shape: [1, 3, 8, 16]}}
preprocess: {mean: [1, 2, 3], std: [2, 4, 8]}
compile:
  calibration: {generator: street-scenes, size: 2}
run: {warmup: 1, iterations: 5, timeout: 9}
evaluation: {generator: street-scenes, size: 2}
"""
FACTS = {
    "proc/ax_proc/chip_type": "AX650N_CHIP\n",
    "proc/ax_proc/npu/vnpu": "disable\n",
    "etc/orch-simulated-board": "a test\n",
}


@pytest.fixture
def recipe_text() -> str:
    return RECIPE


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE)
    return load_recipe(str(path))


@pytest.fixture
def local_board(tmp_path: Path) -> LocalBoard:
    found = LocalBoard(tmp_path / "home", tmp_path / "root")
    found.home.mkdir()
    for name, text in FACTS.items():
        (found.root / name).parent.mkdir(parents=True, exist_ok=True)
        (found.root / name).write_text(text)
    return found


@pytest.fixture
def scripted_board() -> Callable[[Mapping[str, dict[str, Json]]], ScriptedBoard]:
    return ScriptedBoard


@pytest.fixture
def agent_of() -> Callable[[LocalBoard | ScriptedBoard], Agent]:
    """Gives orch's side of a board."""
    return lambda board: Agent(Board("b1", "192.0.2.1", 22, "root"), board, load_agent())


@pytest.fixture
def release() -> Callable[..., Release]:
    """Gives a release of named contents."""

    def make(
        files: Mapping[str, bytes], inputs: Sequence[bytes] = (b"image",), **target: str
    ) -> Release:
        named = {name: _artifact(content, name) for name, content in files.items()}
        return Release(
            release_id="r-" + hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:8],
            files=named,
            target=Target(target.get("hardware", "AX650"), target.get("npu_mode", "NPU3")),
            pulsar2_version="5.2",
            simulated=True,
            inputs=tuple(_artifact(content, "image.bin") for content in inputs),
        )

    return make


def _artifact(content: bytes, name: str) -> Artifact:
    return Artifact(hashlib.sha256(content).hexdigest(), len(content), name)


@dataclass(frozen=True)
class Axmodel:
    """What a hand-made axmodel says of itself; `extra` replaces the encoded metadata."""

    hardware: int = 0
    npu_mode: int = 2
    version: str = "5.2"
    commit: str = "fa4e0000"
    op_type: str = "neu mode"
    input_type: int = 2
    extra: str | None = None

    def content(self) -> bytes:
        """The file. Field numbers: 1 = tensor {1 name, 2 layout}, 4 = build {3 mode}, 5 = chip."""
        from onnx import TensorProto, helper

        tensor = b"\x0a\x05input\x10\x01"
        encoded = b"\x0a" + bytes([len(tensor)]) + tensor + b"\x22\x02\x18" + bytes([self.npu_mode])
        encoded += b"\x28" + bytes([self.hardware]) if self.hardware else b""
        node = helper.make_node(self.op_type, ["input"], ["classes"], name="subgraph_0")
        graph = helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info("input", self.input_type, [1, 8, 16, 3])],
            [helper.make_tensor_value_info("classes", TensorProto.INT32, [1, 1, 2, 4])],
        )
        model = helper.make_model(graph, producer_name="Pulsar2", ir_version=9)
        model.doc_string = f"Pulsar2 Version:  {self.version}\nPulsar2 Commit: {self.commit}\n"
        text = base64.b64encode(encoded).decode() if self.extra is None else self.extra
        helper.set_model_props(model, {"extra_data": text})
        content: bytes = model.SerializeToString()
        return content


@pytest.fixture
def axmodel() -> type[Axmodel]:
    return Axmodel
