"""ONNX + calibration + target → axmodel, its sidecar and its log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from orchestrator.build_inputs import sidecar_of, write_calibration
from orchestrator.domain import AxmodelHeader, Json, Recipe, Target, ToolchainIdentity
from orchestrator.errors import CompileError
from orchestrator.images import NamedImage
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
from orchestrator.seams import Bench, Progress

#: SIGKILL, as a program's return code and as a container's.
_KILLED_CODES = (-9, 137)
_KILLED = "it was killed from outside, most likely for want of memory; "


@dataclass(frozen=True, slots=True)
class Order:
    """One `pulsar2 build`: `subject` is what messages call it."""

    subject: str
    target: Target
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Made:
    """An axmodel that is what was asked for."""

    axmodel: Path
    header: AxmodelHeader
    facts: BuildFacts


@dataclass(frozen=True, slots=True)
class Compiled:
    """The same, with what boards must know of it."""

    made: Made
    sidecar: Path


def compile_model(
    recipe: Recipe, onnx: Path, calibration: Iterable[NamedImage], bench: Bench
) -> Compiled:
    """Build a recipe's model.

    Raises:
        CompileError: no axmodel, or another one than was asked for; the message names the cause.
        PreflightError: the toolchain would refuse the model or its calibration.
        DeadlineError, ToolchainError: from the toolchain.
    """
    config = build_config(recipe, bench.identity.version)
    _lay_out(bench.folder, onnx, config)
    count = write_calibration(recipe, calibration, bench.folder / CALIBRATION)
    bench.progress.event("compile", f"calibrating on {count} images")
    order = Order(recipe.name, recipe.compile.target, recipe.compile.timeout_s)
    made = _build(order, bench)
    sidecar = bench.folder / OUTPUT / "model.json"
    sidecar.write_text(json.dumps(sidecar_of(recipe, made.header), indent=2) + "\n")
    return Compiled(made, sidecar)


def compile_files(
    order: Order, onnx: Path, config: Mapping[str, Json], files: Mapping[str, Path], bench: Bench
) -> Made:
    """Build any model by any config; `files` are copied to where the config names them.

    Raises as `compile_model`.
    """
    _lay_out(bench.folder, onnx, config)
    for name, source in files.items():
        target = bench.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    return _build(order, bench)


def _lay_out(folder: Path, onnx: Path, config: Mapping[str, Json]) -> None:
    """Write the model and the config, and make the empty output folder."""
    (folder / OUTPUT).mkdir()
    (folder / MODEL).parent.mkdir()
    shutil.copyfile(onnx, folder / MODEL)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _build(order: Order, bench: Bench) -> Made:
    argv = build_argv(order.target)
    identity = bench.identity
    bench.progress.event("compile", f"{identity.name} {identity.version}: {' '.join(argv)}")
    bench.log.parent.mkdir(parents=True, exist_ok=True)
    with bench.log.open("w", encoding="utf-8") as stream:
        keep = partial(_keep_line, stream, bench.progress)
        result = bench.toolchain.run(argv, bench.folder, keep, order.timeout_s)
    text = result.stdout.decode(errors="replace")
    if result.returncode != 0:
        raise CompileError(
            f"{order.subject}: pulsar2 {identity.version} exited with {result.returncode} for "
            f"{order.target}: {find_cause(text)}",
            f"{_KILLED if result.returncode in _KILLED_CODES else ''}the whole log: {bench.log}",
        )
    header = _read_back(order, identity, bench.folder / AXMODEL, bench.log)
    return Made(bench.folder / AXMODEL, header, read_facts(text))


def _keep_line(stream: IO[str], progress: Progress, line: str) -> None:
    """Put a line into the log at once, and show what the build is at."""
    stream.write(line + "\n")
    stream.flush()
    progress.advance("compile", plain_lines(line)[0][:60], 0, 0)


def _read_back(
    order: Order, identity: ToolchainIdentity, axmodel: Path, log: Path
) -> AxmodelHeader:
    """Read the header and refuse what was not asked for."""
    if not axmodel.is_file() or axmodel.stat().st_size == 0:
        raise CompileError(
            f"{order.subject}: pulsar2 {identity.version} exited with 0 and left no axmodel",
            f"the whole log: {log}",
        )
    header = read_header(axmodel)
    wanted = (str(order.target), identity.version, identity.commit)
    found = (str(header.target), header.pulsar2_version, header.pulsar2_commit)
    if wanted != found:
        raise CompileError(
            f"{order.subject}: the axmodel is for {found[0]} by pulsar2 {found[1]} ({found[2]}), "
            f"asked was {wanted[0]} by {wanted[1]} ({wanted[2]})",
            "does the config override the target?",
        )
    return header
