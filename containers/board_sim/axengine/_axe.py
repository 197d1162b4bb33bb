"""The session on the NPU of the board itself; here: on one core of the CPU.

This is orch's simulation. AXERA's package has a file of this name, whose hash tells its releases
apart; the hash of this one tells that it is none of them.
"""

from __future__ import annotations

import atexit
import enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._axe_capi import Buffers, Handle, engine_lib, script, sys_lib, take_memory
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
#: The builds that gave views of the NPU's memory, and those that mind the order of names.
_VIEWS, _ORDERED = ("0.1.3rc0",), ("0.1.3.rc3",)
_state = {"started": False}


def _vnpu() -> VNPUType:
    node = board_root() / "proc/ax_proc/npu/vnpu"
    text = node.read_text(encoding="ascii").strip() if node.is_file() else "disable"
    return VNPUType.ENABLED if text == "enable" else VNPUType.DISABLED


def _start_engine() -> None:
    """Print what the real package prints once per process, when the engine starts."""
    if _state["started"]:
        return
    if script is not None and not script.replay.starts():
        raise RuntimeError("Failed to initialize ax sys engine.")
    print(f"[INFO] Chip type: {ChipType.MC50}")
    print(f"[INFO] VNPU type: {_vnpu()}")
    print(f"[INFO] Engine version: {runtime_facts()['engine_version']}")
    _state["started"] = True


@atexit.register
def _finalize_engine() -> None:
    """Take the libraries away, so that a session that lives on complains as the real one does."""
    globals()["engine_lib"] = None


class AXEngineSession:
    """One model, ready to run."""

    _handle: Handle | None = None

    def __init__(self, path: Path) -> None:
        _start_engine()
        self._build = runtime_facts()["axengine"]
        try:
            model = read_model(path)
        except LoadError as error:
            raise RuntimeError("Failed to load model.") from error
        kind = ModelType(model.npu_mode)
        vnpu = _vnpu()
        print(f"[INFO] Model type: {kind.value} ({_CORES[kind]})")
        if vnpu is VNPUType.ENABLED and kind is not ModelType.SINGLE:
            raise ValueError(f"Model type '{kind}' is not allowed when vnpu is inited as {vnpu}.")
        self._model: SimulatedModel = model
        self._handle = self._load(path)
        self._groups = [(model.inputs, model.outputs)]
        print(f"[INFO] Compiler version: {model.pulsar2_version} {model.pulsar2_commit}")
        self._io = Buffers(
            inputs=[_allocate(node, "input") for node in model.inputs],
            outputs=[_allocate(node, "output") for node in model.outputs],
        )

    def _load(self, path: Path) -> Handle:
        if script is not None and script.kind == "truncated":
            raise RuntimeError("Failed to load model.")
        if not take_memory(path.stat().st_size):
            raise RuntimeError("Failed to load model.")
        try:
            return Handle(self._model, self._model.open())
        except LoadError as error:
            raise RuntimeError("Failed to load model.") from error

    def __del__(self) -> None:
        # Also after a failed load, with the null pointer.
        engine_lib.AX_ENGINE_DestroyHandle(self._handle)

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
        """The outputs; of the oldest build as views of memory that the next run overwrites.

        With `output_names` the newest build fails when a name is left out and permutes by the
        inverse of the order that was asked for; older ones give the model's order.
        """
        self._check_names(output_names, input_feed)
        if not 0 <= shape_group < len(self._groups):
            raise ValueError(f"Invalid shape group: {shape_group}")
        if script is not None:
            script.begin_call()
        for node, memory in zip(self._model.inputs, self._io.inputs, strict=True):
            _copy_in(node, input_feed[node.name], memory)
            sys_lib.AX_SYS_MflushCache(0, memory, memory.nbytes)
        code = engine_lib.AX_ENGINE_RunSyncV2(self._handle, None, self._io)
        ranks = self._ranks(output_names)
        if code != 0:
            raise RuntimeError("Failed to run model.")
        outputs = []
        for rank in ranks:
            memory = self._io.outputs[rank]
            sys_lib.AX_SYS_MinvalidateCache(0, memory, memory.nbytes)
            outputs.append(memory if self._build in _VIEWS else memory.copy())
        if script is not None:
            script.end_call()
        return outputs

    def _ranks(self, output_names: list[str] | None) -> list[int]:
        known = [node.name for node in self._model.outputs]
        asked = known if output_names is None else output_names
        if self._build in _ORDERED:
            return [asked.index(name) for name in known]
        return [rank for rank, name in enumerate(known) if name in asked]

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


def _allocate(node: NodeArg, way: str) -> NDArray[Any]:
    memory: NDArray[Any] = np.zeros(node.shape, node.dtype)
    if not take_memory(memory.nbytes):
        raise RuntimeError(f"Failed to allocate memory for {way}.")
    return memory


def _copy_in(node: NodeArg, array: NDArray[Any], memory: NDArray[Any]) -> None:
    """Copy an input to where the NPU reads it: its bytes in the order in which they lie.

    A Fortran-ordered array is therefore read wrongly, as it is by the real package.
    """
    assert list(array.shape) == node.shape and array.dtype == node.dtype, (  # noqa: S101, PT018 - as there: gone under -O
        f"model inputs({node.name}) expect shape {node.shape} and dtype {node.dtype}, "
        f"however gets input with shape {array.shape} and dtype {array.dtype}"
    )
    if not array.flags.f_contiguous:
        array = np.ascontiguousarray(array)
    np.copyto(memory, np.frombuffer(array.tobytes(order="A"), node.dtype).reshape(node.shape))
