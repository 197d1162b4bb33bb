"""Does a toolchain compile, and how closed may its container be: really build a tiny model.

The rooms that are asked for come from what users of Pulsar2 report: an image of 10 GB and more,
16 GB of memory for the larger models.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator.domain import Json, Target, ToolchainFact, ToolchainIdentity
from orchestrator.errors import OrchError, ToolchainMissing
from orchestrator.pulsar2.build_config import (
    AXMODEL,
    CALIBRATION,
    CONFIG,
    MODEL,
    OUTPUT,
    build_argv,
)
from orchestrator.pulsar2.header import read_header
from orchestrator.pulsar2.log import find_cause
from orchestrator.seams import Toolchain

#: The first target that Pulsar2 ever had; every version compiles for it.
_TARGET = Target("AX650", "NPU1")
_SHAPE = (1, 3, 32, 32)
_SAMPLES = 4
#: A real build of a few nodes takes less than a minute.
_BUILD_DEADLINE_S = 300.0
_DISK_BYTES = 10 * 10**9
_MEMORY_BYTES = 16 * 10**9
#: The step in which the vendor's licence is looked for, and what is said when it is not found.
_LICENCE_STEP = "assem"
_NO_LICENCE = "Sentinel key not found"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a toolchain."""

    level: str
    toolchain: Toolchain


@dataclass(frozen=True, slots=True)
class Trial:
    """How a build went.

    Attributes:
        reason: why it failed; empty when it passed.
        licence: True: the licence was found; None: the build did not come so far.
    """

    level: str
    passed: bool
    reason: str
    seconds: float
    licence: bool | None


def try_levels(
    candidates: Sequence[Candidate],
    identity: ToolchainIdentity,
    scratch: Path,
    said: Callable[[str, str], None],
) -> list[Trial]:
    """Build under one level after the other until one passes.

    Args:
        candidates: the strictest first.
        identity: who the axmodel has to be from.
        scratch: a folder that the toolchain can reach.
        said: told the level and how it went.

    Raises:
        ToolchainMissing: there is nothing to try.
    """
    trials = []
    scratch.mkdir(parents=True, exist_ok=True)
    for candidate in candidates:
        with TemporaryDirectory(dir=scratch, prefix="check-") as folder:
            trial = _try(candidate, identity, Path(folder))
        trials.append(trial)
        said(trial.level, f"passed in {trial.seconds:.1f} s" if trial.passed else trial.reason)
        if trial.passed:
            break
    return trials


def _try(candidate: Candidate, identity: ToolchainIdentity, folder: Path) -> Trial:
    _write_job(folder)
    started = time.monotonic()
    lines: list[str] = []
    try:
        result = candidate.toolchain.run(
            build_argv(_TARGET), folder, lines.append, _BUILD_DEADLINE_S
        )
        reason = "" if result.returncode == 0 else f"exit code {result.returncode}: "
        if result.returncode == 0:
            reason = _wrong(folder / AXMODEL, identity)
        else:
            reason += find_cause("\n".join(lines))
    except ToolchainMissing:
        raise
    except OrchError as error:
        reason = error.message
    seconds = time.monotonic() - started
    return Trial(candidate.level, not reason, reason, seconds, _licence(lines, passed=not reason))


def _wrong(axmodel: Path, identity: ToolchainIdentity) -> str:
    """Say what is wrong with an axmodel; empty when it is the one that was asked for."""
    if not axmodel.is_file():
        return "exit code 0, and no axmodel"
    header = read_header(axmodel)
    found = (header.target, header.pulsar2_version, header.pulsar2_commit)
    if found == (_TARGET, identity.version, identity.commit):
        return ""
    return f"an axmodel for {found[0]} by pulsar2 {found[1]} ({found[2]})"


def _licence(lines: Sequence[str], *, passed: bool) -> bool | None:
    if any(_NO_LICENCE in line for line in lines):
        return False
    return True if passed or any(_LICENCE_STEP in line for line in lines) else None


def room_facts(home: Path, engine_root: Path | None, memory_bytes: int) -> list[ToolchainFact]:
    """Say how much disk and memory there is for builds.

    Args:
        home: where the work folders are.
        engine_root: the Docker engine's data folder, where it is on this machine.
        memory_bytes: of the machine that builds.
    """
    places = {"free disk, work": home, "free disk, engine": engine_root}
    facts = [
        _room(name, shutil.disk_usage(_existing(place)).free, _DISK_BYTES)
        for name, place in places.items()
        if place is not None
    ]
    return [*facts, _room("memory", memory_bytes, _MEMORY_BYTES)]


def _room(name: str, there: int, wanted: int) -> ToolchainFact:
    return ToolchainFact(name, f"{there / 1e9:.1f} GB, wanted {wanted / 1e9:g}", there >= wanted)


def _existing(path: Path) -> Path:
    """Give the nearest folder that is there."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def _write_job(folder: Path) -> None:
    """Lay out a build as a recipe's is: a model of three nodes, four samples, a config."""
    for name in ("input", OUTPUT):
        (folder / name).mkdir()
    _write_model(folder / MODEL)
    with tarfile.open(folder / CALIBRATION, "w") as tar:
        for name, content in _samples():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    calibration: dict[str, Json] = {
        "tensor_name": "x",
        "calibration_dataset": CALIBRATION,
        "calibration_format": "Numpy",
        "calibration_size": _SAMPLES,
    }
    quant: dict[str, Json] = {
        "input_configs": [calibration],
        "calibration_method": "MinMax",
    }
    (folder / CONFIG).write_text(json.dumps({"quant": quant}, indent=2))


def _write_model(path: Path) -> None:
    """Write a convolution between two others' kinds of nodes that every version compiles."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    first = generator.normal(0, 0.2, (8, 3, 3, 3)).astype(np.float32)
    second = generator.normal(0, 0.2, (4, 8, 1, 1)).astype(np.float32)
    batch, _, height, width = _SHAPE
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w1"], ["a"], name="conv1", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"], name="relu"),
            helper.make_node("Conv", ["b", "w2"], ["y"], name="conv2"),
        ],
        "check",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, _SHAPE)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (batch, 4, height, width))],
        [numpy_helper.from_array(first, "w1"), numpy_helper.from_array(second, "w2")],
    )
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=7), path)


def _samples() -> Iterator[tuple[str, bytes]]:
    """Give the calibration files: normal noise, the same each time."""
    import numpy as np

    generator = np.random.default_rng(1)
    for number in range(_SAMPLES):
        buffer = io.BytesIO()
        np.save(buffer, generator.normal(size=_SHAPE).astype(np.float32))
        yield f"{number}.npy", buffer.getvalue()
