"""A stand-in for the vendor's `ax_run_model`: same options, same three layouts of its output.

It runs the INT8 network of a simulated axmodel on one core of the CPU, so no latency it prints is
that of an NPU, and its `tool ver` says that it is simulated.
"""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from containers.board_sim.axengine._axmodel import SimulatedModel

#: Where a test says what is to go wrong: `rc <number>`, or `silent`.
FAULT = "etc/orch-ax-run-model-fault"
_TOOL = "0.0.0 (simulated by orch)"
#: The mask of all cores.
_ALL_CORES = 0b111
_HELP = """\
usage: ax_run_model --model=string [options] ...
options:
  -m, --model                path to a model file (string)
  -r, --repeat               repeat times running a model (int [=1])
  -w, --warmup               repeat times before running a model to warming up (int [=1])
  -a, --affinity             npu affinity when running a model (int [=1])
  -v, --vnpu                 type of Visual-NPU inited {0=Disable, 1=STD, 2=BigLittle} (int [=0])
  -b, --batch                the batch will running (int [=0])
  -i, --input-folder         the folder of each inputs (folders) located (string [=])
  -o, --output-folder        the folder of each outputs (folders) will saved in (string [=])
  -l, --list                 the list of inputs which will test (string [=])
      --inputs-is-folder     each time model running needs inputs stored in each input folders
      --outputs-is-folder    each time model running saved outputs stored in each output folders
      --use-tensor-name      using tensor names instead of indexes when loading & saving io files
      --verify               verify outputs after running model
      --save-benchmark       save benchmark result(min, max, avg) as a json file
  -?, --help                 print this message
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line program."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or {"-?", "--help"} & set(words):
        print(_HELP, end="")
        return 0
    options = _options(words)
    fault = _board() / FAULT
    kind, _, number = (fault.read_text("ascii").strip() if fault.exists() else "").partition(" ")
    if kind == "rc":
        sys.stderr.write("[Engine] Create handle from memory {size: 0x0 bytes} failed.\n")
        return int(number)
    if kind == "silent":
        return 0
    if not 1 <= options.affinity <= _ALL_CORES:
        mask, mode = f"{{ 0b{options.affinity:03b} }}", "{ Disable }"
        _fail(f"[ERROR] Model affinity cannot be set as {mask} with visual npu mode {mode}")
    model, session = _load(options.model)
    if options.list:
        samples = _run_list(options, model, session)
    else:
        zeros = {node.name: np.zeros(node.shape, node.dtype) for node in model.inputs}
        _run(session, zeros, options.warmup)
        samples = _run(session, zeros, options.repeat)
        print("\n".join(_about(options, model)))
    print("\n".join(_figures(samples)))
    return 0


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("ax_run_model", add_help=False)
    parser.add_argument("-m", "--model", type=Path, required=True)
    for long, value in (("repeat", 1), ("warmup", 1), ("batch", 0), ("affinity", 1), ("vnpu", 0)):
        parser.add_argument(f"-{long[0]}", f"--{long}", type=int, default=value)
    for short, long in (("-i", "--input-folder"), ("-o", "--output-folder"), ("-l", "--list")):
        parser.add_argument(short, long, type=Path)
    for flag in ("--inputs-is-folder", "--outputs-is-folder", "--use-tensor-name", "--verify"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(words)


def _board() -> Path:
    return Path(os.environ.get("ORCH_SYSROOT", "/"))


def _runtime(name: str = "_axmodel") -> ModuleType:
    """A module of the look-alike; it takes a second to import, and prints meanwhile."""
    with redirect_stdout(io.StringIO()):
        return import_module(f"containers.board_sim.axengine.{name}")


def _load(path: Path) -> tuple[SimulatedModel, Any]:
    runtime = _runtime()
    try:
        model: SimulatedModel = runtime.read_model(path)
        session = model.open()
    except (runtime.LoadError, OSError, ValueError):
        size = path.stat().st_size if path.exists() else 0
        _fail(f"[Engine] Create handle from memory {{size: 0x{size:x} bytes}} failed.")
    split = _board() / "proc/ax_proc/npu/vnpu"
    if model.npu_mode and split.exists() and split.read_text("ascii").strip() == "enable":
        _fail(f"[Engine] The model type {{{model.npu_mode}}} is not allowed with npu mode {{1}}.")
    return model, session


def _fail(message: str) -> NoReturn:
    sys.stderr.write(message + "\n")
    sys.exit(255)


def _run(session: Any, feed: Mapping[str, NDArray[Any]], times: int) -> list[int]:
    return [_time(session, None, feed)[1] for _ in range(times)]


def _time(
    session: Any, outputs: list[str] | None, feed: Mapping[str, NDArray[Any]]
) -> tuple[list[NDArray[Any]], int]:
    """One inference and its ns; on a board with a trace what that says of the NPU alone."""
    start = time.perf_counter_ns()
    results: list[NDArray[Any]] = session.run(outputs, feed)
    taken = time.perf_counter_ns() - start
    script = _runtime("_axe_capi").script
    return results, taken if script is None else script.run_tool()


def _run_list(options: argparse.Namespace, model: SimulatedModel, session: Any) -> list[int]:
    """Run each folder of the list: raw tensors in, raw tensors out."""
    folders = options.list.read_text("ascii").split()
    print(f" total found {{{len(folders)}}} input drive folders.")
    named = options.use_tensor_name or _generation() == "new"
    outputs = [node.name for node in model.outputs]
    samples = []
    for folder in folders:
        feed = {}
        for at, node in enumerate(model.inputs):
            file = options.input_folder / folder / f"{node.name if named else at}.bin"
            data = file.read_bytes() if file.exists() else b""
            if len(data) != math.prod(node.shape) * node.dtype.itemsize:
                _fail(f"input {file.name} size {len(data)} does not match the model's")
            feed[node.name] = np.frombuffer(data, node.dtype).reshape(node.shape)
        results, taken = _time(session, outputs, feed)
        samples.append(taken)
        target = options.output_folder / folder
        target.mkdir(parents=True, exist_ok=True)
        for at, (node, result) in enumerate(zip(model.outputs, results, strict=True)):
            name = f"{node.name if named else at}.bin"
            (target / name).write_bytes(np.ascontiguousarray(result, node.dtype).tobytes())
    print(f" infer model, total {len(folders)}/{len(folders)}. Done.")
    return samples


def _generation() -> str:
    """Which layout the board's SDK prints: `old`, `mid` or `new`."""
    major, minor = _runtime().runtime_facts()["engine_version"].split(".")[:2]
    if int(major) < 2:  # noqa: PLR2004 - engine 1 came with SDK V1.13 to V1.27
        return "old"
    return "new" if int(minor) >= 10 else "mid"  # noqa: PLR2004 - engine 2.10 and later: SDK V3


def _about(options: argparse.Namespace, model: SimulatedModel) -> list[str]:
    generation, engine = _generation(), _runtime().runtime_facts()["engine_version"]
    cores = model.npu_mode + 1
    if generation == "old":
        rows = [
            ("type", f"NPU{cores}"),
            ("vnpu", "Disable"),
            ("affinity", f"0b{options.affinity:03b}"),
            ("repeat", options.repeat),
            ("warmup", options.warmup),
            ("batch", 1),
        ]
        engine = f"[Axera version]: libax_engine.so V1.27.0_P3_20230627143603 {engine}"
    else:
        rows = [
            ("type", f"{cores} Core"),
            ("vnpu", "Disable"),
            ("affinity", f"0b{options.affinity:03b}"),
            ("warmup", options.warmup),
            ("repeat", options.repeat),
            ("batch", f"{{ auto: {1 if generation == 'mid' else 0} }}"),
            ("parallel", "false"),
        ]
    rows = [
        ("model", options.model),
        *rows,
        ("pulsar2 ver", f"{model.pulsar2_version} {model.pulsar2_commit}"),
        ("engine ver", engine),
        ("tool ver", _TOOL),
        ("cmm size", f"{options.model.stat().st_size} Bytes"),
    ]
    indent = "   " if generation == "new" else ""
    lines = [f"{name:>11}: {value}" for name, value in rows]
    return [f"{indent}Run AxModel:", *(f"{indent}{line}" for line in lines)]


def _figures(samples_ns: Sequence[int]) -> list[str]:
    ordered = [sample / 1e6 for sample in sorted(samples_ns)]

    def figure(name: str, value: float) -> str:
        return f"{name} = {value:7.3f} ms"

    def rank(percent: int) -> float:
        return ordered[max(math.ceil(percent * len(ordered) / 100), 1) - 1]

    mean = sum(ordered) / len(ordered)
    first = [figure("min", ordered[0]), figure("max", ordered[-1]), figure("avg", mean)]
    if _generation() != "new":
        rule = "-" * 54
        return [rule, "   ".join(first), rule]
    rule = "  " + "-" * 75
    second = [figure(f"{percent}%", rank(percent)) for percent in (5, 90, 95, 99)]
    return [
        rule,
        "  " + "   ".join(first) + "  " + figure("median", rank(50)),
        "   " + "   ".join(second[:3]) + "     " + second[3],
        rule,
    ]


if __name__ == "__main__":
    sys.exit(main())
