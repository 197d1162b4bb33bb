"""ONNX + calibration + target → axmodel, its sidecar and its log."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

from orchestrator.build_inputs import sidecar_of, write_calibration
from orchestrator.domain import AxmodelHeader, Json, Recipe, Target, ToolchainIdentity
from orchestrator.errors import CompileError, DeadlineError
from orchestrator.images import NamedImage
from orchestrator.pulsar2.build_config import (
    AXMODEL,
    CALIBRATION,
    CONFIG,
    MODEL,
    OUTPUT,
    PRECISION_TABLE,
    build_argv,
    build_config,
)
from orchestrator.pulsar2.failures import AxmodelState, compile_error, diagnose
from orchestrator.pulsar2.header import UNKNOWN_HARDWARE, read_header
from orchestrator.pulsar2.log import BuildFacts, LogReader
from orchestrator.pulsar2.preflight import preflight, preflight_rows, refuse
from orchestrator.pulsar2.terminal import as_written
from orchestrator.seams import Bench, Progress


@dataclass(frozen=True, slots=True)
class Order:
    """One `pulsar2 build`: `subject` is what messages call it."""

    subject: str
    target: Target
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Made:
    """An axmodel that is what was asked for, and the precision table where one was made."""

    axmodel: Path
    header: AxmodelHeader
    facts: BuildFacts
    precision: Path | None


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
    made = _build(order, config, bench)
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
    return _build(order, config, bench)


def _lay_out(folder: Path, onnx: Path, config: Mapping[str, Json]) -> None:
    """Write the model and the config, and make the empty output folder."""
    (folder / OUTPUT).mkdir()
    (folder / MODEL).parent.mkdir()
    shutil.copyfile(onnx, folder / MODEL)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def _look_before(order: Order, config: Mapping[str, Json], bench: Bench) -> None:
    """Say what speaks against the build, and refuse what would fail. Raises PreflightError."""
    inputs = (bench.folder / MODEL).parent
    files = {str(path.relative_to(bench.folder)): path for path in inputs.rglob("*")}
    version = bench.identity.version
    findings = preflight(bench.folder / MODEL, order.target, version, config, files)
    for level, _, where, message, advice in preflight_rows(findings):
        if level == "warn":
            hint = f" ({advice})" if advice else ""
            bench.progress.event("preflight", f"{where}: {message}{hint}")
    refuse(findings, order.subject)


def _build(order: Order, config: Mapping[str, Json], bench: Bench) -> Made:
    _look_before(order, config, bench)
    argv = build_argv(order.target)
    identity = bench.identity
    bench.progress.event("compile", f"{identity.name} {identity.version}: {' '.join(argv)}")
    bench.log.parent.mkdir(parents=True, exist_ok=True)
    reader = LogReader(time.monotonic)
    started = time.time()
    with bench.log.open("w", encoding="utf-8") as stream:
        keep = partial(_keep_line, stream, reader, bench.progress)
        try:
            result = bench.toolchain.run(argv, bench.folder, keep, order.timeout_s)
        except DeadlineError as error:
            message = f"{order.subject}: {error.message}; it was at {reader.phase}"
            raise DeadlineError(message, f"{error.hint}; the log so far: {bench.log}") from error
    reader.close()
    facts = reader.facts()
    axmodel = bench.folder / AXMODEL
    state = _state_of(axmodel, started)
    if result.returncode != 0 or state is not AxmodelState.GOOD or not facts.complete:
        text = result.stdout.decode(errors="replace")
        what = f"{order.subject}: pulsar2 {identity.version} exited with {result.returncode}"
        failure = diagnose(text, result.returncode, axmodel_state=state)
        raise compile_error(f"{what} for {order.target}", failure, bench.log)
    for warning in facts.warnings:
        bench.progress.event("compile", f"pulsar2: {warning}")
    table = bench.folder / PRECISION_TABLE
    return Made(axmodel, _read_back(order, identity, axmodel), facts, _existing(table))


def _keep_line(stream: IO[str], reader: LogReader, progress: Progress, line: str) -> None:
    """Put a line into the log at once, and show what the build is at."""
    stream.write(as_written(line))
    stream.flush()
    for step in reader.feed(as_written(line)):
        progress.advance("compile", step.shown[:60], step.overall, 1.0)


def _state_of(axmodel: Path, started: float) -> AxmodelState:
    """Look what is in the place of the axmodel; `started` is when the build began."""
    try:
        found = axmodel.stat()
    except FileNotFoundError:
        return AxmodelState.MISSING
    if found.st_size == 0:
        return AxmodelState.EMPTY
    # A file system may keep whole seconds.
    return AxmodelState.STALE if found.st_mtime < int(started) else AxmodelState.GOOD


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _read_back(order: Order, identity: ToolchainIdentity, axmodel: Path) -> AxmodelHeader:
    """Read the header and refuse what was not asked for."""
    header = read_header(axmodel)
    if header.target.hardware.startswith(UNKNOWN_HARDWARE):
        # Its number is not published: what was asked for is taken for what was made.
        target = Target(order.target.hardware, header.target.npu_mode)
        header = replace(header, target=target)
    wanted = (str(order.target), identity.version, identity.commit)
    found = (str(header.target), header.pulsar2_version, header.pulsar2_commit)
    if wanted != found:
        raise CompileError(
            f"{order.subject}: the axmodel is for {found[0]} by pulsar2 {found[1]} ({found[2]}), "
            f"asked was {wanted[0]} by {wanted[1]} ({wanted[2]})",
            "does the config override the target?",
            "WRONG_AXMODEL",
        )
    return header
