"""How long it takes to refuse a model: whole processes, beside onnx.checker as the peer.

    python benchmarks/preflight.py

The peer only says whether a file is valid ONNX; it knows nothing of Pulsar2.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 5
TARGET_S = 2.0
_CHECK = "import sys, onnx; onnx.checker.check_model(sys.argv[1], full_check=True)"


def refused_model(path: Path, weights_mb: int) -> None:
    """Save a model with an op that AX650 has not, and so much weight in front of it."""
    rows = max(1, weights_mb * 250)
    weights = numpy_helper.from_array(np.ones((1000, rows), np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["wide"], name="wide"),
            helper.make_node("IsNaN", ["wide"], ["y"], name="strange"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1000])],
        [helper.make_tensor_value_info("y", TensorProto.BOOL, [1, rows])],
        [weights],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def seconds(argv: list[str], expected: int) -> float:
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, check=False)
    took = time.perf_counter() - start
    assert done.returncode == expected, done.stderr.decode()
    return took


def main() -> int:
    """Print the table; 1 when a refusal takes longer than the target."""
    orch = str(Path(sys.executable).with_name("orch"))
    print("| model | weights MB | command | median s | target s |")
    print("| --- | ---: | --- | ---: | ---: |")
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        for weights_mb in (1, 100, 1000):
            path = Path(folder) / f"{weights_mb}.onnx"
            refused_model(path, weights_mb)
            runs: dict[str, list[float]] = {"orch preflight": [], "onnx.checker": []}
            for _ in range(ROUNDS):
                runs["orch preflight"].append(seconds([orch, "preflight", str(path)], 1))
                checking = [sys.executable, "-c", _CHECK, str(path)]
                runs["onnx.checker"].append(seconds(checking, 0))
            for name, times in runs.items():
                median = statistics.median(times)
                ours = name == "orch preflight"
                slow = slow or (ours and median > TARGET_S)
                target = f"{TARGET_S:.1f}" if ours else "-"
                print(f"| `IsNaN` | {weights_mb} | {name} | {median:.2f} | {target} |", flush=True)
    print(f"\n{ROUNDS} runs each in turn, Python {sys.version.split()[0]}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
