"""The session on the NPU of the board itself; here: on one core of the CPU.

This is orch's simulation. AXERA's package has a file of this name, whose hash tells its releases
apart; the hash of this one tells that it is none of them.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._axmodel import LoadError, SimulatedModel, board_root, read_model, runtime_facts
from ._node import NodeArg


class VNPUType(enum.Enum):
    """How the NPU is split among its users."""

    DISABLED = 0
    ENABLED = 1
    BIG_LITTLE = 2
    LITTLE_BIG = 3


class ModelType(enum.Enum):
    """How many cores a model was compiled for; the second names are aliases."""

    HALF = 0
    FULL = 1
    SINGLE = 0  # noqa: PIE796 - alias, as in the real package
    DUAL = 1  # noqa: PIE796 - alias, as in the real package
    TRIPLE = 2


class ChipType(enum.Enum):
    """AXERA's chips; MC50 is the AX650 family."""

    MC20E = 0
    MC50 = 1
    M57H = 2


_CORES = {
    ModelType.SINGLE: "single core",
    ModelType.DUAL: "dual core",
    ModelType.TRIPLE: "triple core",
}
_state = {"started": False}


def _vnpu() -> VNPUType:
    node = board_root() / "proc/ax_proc/npu/vnpu"
    text = node.read_text(encoding="ascii").strip() if node.is_file() else "disable"
    return VNPUType.ENABLED if text == "enable" else VNPUType.DISABLED


def _start_engine() -> None:
    """Print what the real package prints once per process, when the engine starts."""
    if _state["started"]:
        return
    print(f"[INFO] Chip type: {ChipType.MC50}")
    print(f"[INFO] VNPU type: {_vnpu()}")
    print(f"[INFO] Engine version: {runtime_facts()['engine_version']}")
    _state["started"] = True


class AXEngineSession:
    """One model, ready to run."""

    def __init__(self, path: Path) -> None:
        _start_engine()
        try:
            model = read_model(path)
        except LoadError as error:
            raise RuntimeError("Failed to load model.") from error
        kind = ModelType(model.npu_mode)
        vnpu = _vnpu()
        if vnpu is VNPUType.ENABLED and kind is not ModelType.SINGLE:
            raise ValueError(f"Model type '{kind}' is not allowed when vnpu is inited as {vnpu}.")
        print(f"[INFO] Model type: {kind.value} ({_CORES[kind]})")
        try:
            self._session = model.open()
        except LoadError as error:
            raise RuntimeError("Failed to load model.") from error
        self._model: SimulatedModel = model
        self._groups = [(model.inputs, model.outputs)]
        print(f"[INFO] Compiler version: {model.pulsar2_version} {model.pulsar2_commit}")

    def _group(self, shape_group: int) -> tuple[list[NodeArg], list[NodeArg]]:
        total = len(self._groups)
        # `>` where `>=` is meant, as in the real package: the last step is an IndexError.
        if shape_group > total:
            raise ValueError(f"Shape group '{shape_group}' is out of range, total {total}.")
        return self._groups[shape_group]

    def get_inputs(self, shape_group: int) -> list[NodeArg]:
        """The model's inputs."""
        return self._group(shape_group)[0]

    def get_outputs(self, shape_group: int) -> list[NodeArg]:
        """The model's outputs."""
        return self._group(shape_group)[1]

    def run(
        self,
        output_names: list[str] | None,
        input_feed: dict[str, NDArray[Any]],
        run_options: object,  # noqa: ARG002 - taken and ignored by the real one too
        shape_group: int,
    ) -> list[NDArray[Any]]:
        """The outputs, as copies.

        With `output_names` the real package fails when a name is left out and permutes by the
        inverse of the order that was asked for; so does this.
        """
        self._check_names(output_names, input_feed)
        if not 0 <= shape_group < len(self._groups):
            raise ValueError(f"Invalid shape group: {shape_group}")
        asked = output_names or [node.name for node in self._model.outputs]
        ranks = [asked.index(node.name) for node in self._model.outputs]
        feed = {node.name: _as_memory(node, input_feed[node.name]) for node in self._model.inputs}
        results = self._session.run([node.name for node in self._model.outputs], feed)
        outputs = [
            np.array(result, dtype=node.dtype, copy=True)
            for node, result in zip(self._model.outputs, results, strict=True)
        ]
        return [outputs[rank] for rank in ranks]

    def _check_names(
        self, output_names: list[str] | None, input_feed: dict[str, NDArray[Any]]
    ) -> None:
        missing = [node.name for node in self._model.inputs if node.name not in input_feed]
        if missing:
            raise ValueError(
                f"Required inputs ({missing}) are missing from input feed ({input_feed})."
            )
        known = [node.name for node in self._model.outputs]
        for name in output_names or []:
            if name not in known:
                raise ValueError(f"Output name '{name}' is not in model outputs name list.")


def _as_memory(node: NodeArg, array: NDArray[Any]) -> NDArray[Any]:
    """The array as the NPU sees it: its bytes in the order in which they lie.

    A Fortran-ordered array is therefore read wrongly, as it is by the real package.
    """
    assert list(array.shape) == node.shape and array.dtype == node.dtype, (  # noqa: S101, PT018 - as there: gone under -O
        f"model inputs({node.name}) expect shape {node.shape} and dtype {node.dtype}, "
        f"however gets input with shape {array.shape} and dtype {array.dtype}"
    )
    return np.frombuffer(array.tobytes(order="A"), dtype=node.dtype).reshape(node.shape)
