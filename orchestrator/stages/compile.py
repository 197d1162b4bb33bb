"""ONNX + calibration images + target → axmodel, its sidecar and its log."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from orchestrator.domain import AxmodelHeader, Json, Recipe, ToolchainIdentity
from orchestrator.errors import CompileError
from orchestrator.images import NamedImage, normalise
from orchestrator.pulsar2.build_config import (
    AXMODEL,
    CALIBRATION,
    CONFIG,
    MODEL,
    OUTPUT,
    build_argv,
    build_config,
)
from orchestrator.pulsar2.header import read_header
from orchestrator.pulsar2.log import BuildFacts, find_cause, plain_lines, read_facts
from orchestrator.seams import Progress, Toolchain

#: SIGKILL, as a program's return code and as a container's.
_KILLED_CODES = (-9, 137)
_KILLED = "it was killed from outside, most likely for want of memory; "


@dataclass(frozen=True, slots=True)
class Compiled:
    """An axmodel that is what was asked for."""

    axmodel: Path
    sidecar: Path
    header: AxmodelHeader
    facts: BuildFacts


def compile_model(  # noqa: PLR0913 - the stage's inputs, each of its own kind
    recipe: Recipe,
    onnx: Path,
    calibration: Iterable[NamedImage],
    toolchain: Toolchain,
    identity: ToolchainIdentity,
    progress: Progress,
    *,
    folder: Path,
    log: Path,
) -> Compiled:
    """Run `pulsar2 build` in a fresh folder and read back what it made.

    Raises:
        CompileError: no axmodel, or another one than was asked for; the message names the cause.
        DeadlineError, ToolchainError: from the toolchain.
    """
    count = _write_inputs(recipe, onnx, calibration, folder)
    argv = build_argv(recipe)
    progress.event("compile", f"{identity.name} {identity.version}: {' '.join(argv)}")
    progress.event("compile", f"calibrating on {count} images")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        keep = partial(_keep_line, stream, progress)
        result = toolchain.run(argv, folder, keep, recipe.compile.timeout_s)
    text = result.stdout.decode(errors="replace")
    if result.returncode != 0:
        raise CompileError(
            f"{recipe.name}: pulsar2 {identity.version} exited with {result.returncode} for "
            f"{recipe.compile.target}: {find_cause(text)}",
            f"{_KILLED if result.returncode in _KILLED_CODES else ''}the whole log: {log}",
        )
    header = _read_back(recipe, identity, folder / AXMODEL, log)
    sidecar = folder / OUTPUT / "model.json"
    sidecar.write_text(json.dumps(_sidecar(recipe, header), indent=2) + "\n")
    return Compiled(folder / AXMODEL, sidecar, header, read_facts(text))


def _keep_line(stream: IO[str], progress: Progress, line: str) -> None:
    """Put a line into the log at once, and show what the build is at."""
    stream.write(line + "\n")
    stream.flush()
    progress.advance("compile", plain_lines(line)[0][:60], 0, 0)


def _write_inputs(
    recipe: Recipe, onnx: Path, calibration: Iterable[NamedImage], folder: Path
) -> int:
    """Lay out what the build reads, and its empty output folder; give the number of images."""
    (folder / OUTPUT).mkdir()
    (folder / MODEL).parent.mkdir()
    (folder / MODEL).write_bytes(onnx.read_bytes())
    (folder / CONFIG).write_text(json.dumps(build_config(recipe), indent=2) + "\n")
    return _write_calibration(recipe, calibration, folder / CALIBRATION)


def _write_calibration(recipe: Recipe, images: Iterable[NamedImage], archive: Path) -> int:
    """Write the normalised arrays as .npy files at the root of a tar; give their number."""
    count = 0
    staging = archive.with_name("sample.npy")
    with tarfile.open(archive, "w") as tar:
        for image in images:
            np.save(staging, normalise(image.pixels, recipe.preprocess))
            entry = tarfile.TarInfo(f"{count:05d}.npy")
            entry.size = staging.stat().st_size
            with staging.open("rb") as stream:
                tar.addfile(entry, stream)
            count += 1
    staging.unlink(missing_ok=True)
    return count


def _read_back(
    recipe: Recipe, identity: ToolchainIdentity, axmodel: Path, log: Path
) -> AxmodelHeader:
    """Read the header and refuse what was not asked for."""
    if not axmodel.is_file() or axmodel.stat().st_size == 0:
        raise CompileError(
            f"{recipe.name}: pulsar2 {identity.version} exited with 0 and left no axmodel",
            f"the whole log: {log}",
        )
    header = read_header(axmodel)
    wanted = (str(recipe.compile.target), identity.version, identity.commit)
    found = (str(header.target), header.pulsar2_version, header.pulsar2_commit)
    if wanted != found:
        raise CompileError(
            f"{recipe.name}: the axmodel is for {found[0]} by pulsar2 {found[1]} ({found[2]}), "
            f"asked was {wanted[0]} by {wanted[1]} ({wanted[2]})",
            "does compile.pulsar2 in the recipe override the target?",
        )
    return header


def _sidecar(recipe: Recipe, header: AxmodelHeader) -> dict[str, Json]:
    """Say what cannot be read from an axmodel on a board (docs/reference/agent-protocol.md)."""
    how = recipe.preprocess
    meaning = "class ids" if recipe.head.op == "argmax" else "logits"
    return {
        "version": 1,
        "model": "model.axmodel",
        "target": {"hardware": header.target.hardware, "npu_mode": header.target.npu_mode},
        "pulsar2": {"version": header.pulsar2_version, "commit": header.pulsar2_commit},
        "simulated": header.simulated,
        "inputs": [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "layout": header.layouts.get(tensor.name, "NHWC"),
                "colour": how.colour,
                "mean": list(how.mean),
                "std": list(how.std),
            }
            for tensor in header.inputs
        ],
        "outputs": [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "meaning": meaning,
            }
            for tensor in header.outputs
        ],
    }
