"""What `import axengine` gives on a board with a trace, with no model and no onnxruntime.

For judges of measurements that go through hundreds of traces in one process:

    make_root(root, PROFILES["m4n-debian12"], identity_of("x"), Script("thermal", seed=7))
    axengine = ScriptedAxengine(root)
    session = axengine.InferenceSession("any.axmodel", providers="AxEngineExecutionProvider")
    session.run(None, feed)          # takes simulated time, the files below root follow
    axengine.simulated_clock_ns()
    axengine.close()                 # as at the end of the process

`hang` and `kill` do what they say to the process that runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from containers.board_sim.replaying import ScriptedBoard, scripted_board

#: What loading takes of the NPU's memory.
_MODEL_BYTES = 8 * 1024 * 1024


class Node(NamedTuple):
    """The vendor's `NodeArg`."""

    name: str
    dtype: np.dtype[Any]
    shape: list[int]


class ScriptedSession:
    """A session whose outputs are zeros, or no numbers where the trace says so."""

    def __init__(self, script: ScriptedBoard, provider: str) -> None:
        self._script, self._provider = script, provider

    def get_inputs(self) -> list[Node]:
        """One small picture."""
        return [Node("input", np.dtype(np.uint8), [1, 2, 3, 3])]

    def get_outputs(self) -> list[Node]:
        """One value for each of its pixels."""
        return [Node("output", np.dtype(np.float32), [1, 2, 3])]

    def get_providers(self) -> str:
        """One string, as the vendor's package gives."""
        return self._provider

    def run(
        self,
        output_names: None,  # noqa: ARG002 - taken as the real one does
        input_feed: Mapping[str, NDArray[Any]],  # noqa: ARG002 - taken as the real one does
    ) -> list[NDArray[np.float32]]:
        """Spend what the call takes."""
        self._script.begin_call()
        self._script.use_npu()
        fill = np.nan if self._script.spoilt else 0.0
        self._script.end_call()
        return [np.full((1, 2, 3), fill, np.float32)]


class ScriptedAxengine:
    """The package, begun by one process on the board below `root`. Raises ValueError: no trace."""

    def __init__(self, root: Path) -> None:
        script = scripted_board(root)
        if script is None:
            raise ValueError(f"{root}: a board without a trace")
        self._script = script
        self.simulated_clock_ns = script.replay.clock_ns
        self.simulated_sleep = script.sleep
        self.simulated_trace = str(script.script)
        self.close = script.close

    def InferenceSession(self, path: str, providers: str) -> ScriptedSession:  # noqa: N802, ARG002 - the vendor's name
        """Load a model. Raises RuntimeError, ValueError with the vendor's words."""
        script = self._script
        if not script.replay.starts():
            raise RuntimeError("Failed to initialize ax sys engine.")
        if script.kind == "wrong-vnpu":
            raise ValueError(
                "Model type 'ModelType.TRIPLE' is not allowed when vnpu is inited as "
                "VNPUType.ENABLED."
            )
        if script.kind == "truncated" or not script.take(_MODEL_BYTES):
            raise RuntimeError("Failed to load model.")
        return ScriptedSession(script, providers)
