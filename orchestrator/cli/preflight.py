"""`orch preflight MODEL`: what a build would fail on, before it is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.domain import Json, Target
    from orchestrator.pulsar2.preflight import Finding

_FORMATS = {".npy": "Numpy", ".bin": "Binary"}


def preflight(
    model: Annotated[Path, typer.Argument(help="An ONNX file.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="The build config: JSON, YAML or TOML.")
    ] = None,
    target_hardware: Annotated[
        str | None, typer.Option(help="The chip; default: the config's, else AX650.")
    ] = None,
    npu_mode: Annotated[
        str | None, typer.Option(help="The NPU mode; default: the config's, else NPU1.")
    ] = None,
    pulsar2_version: Annotated[
        str | None, typer.Option(help="The version that will build; default: the newest known.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="The calibration archive, in place of the config's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a model, its config and its calibration for what `pulsar2 build` would refuse."""
    from orchestrator.domain import Target
    from orchestrator.pulsar2.preflight import preflight as look
    from orchestrator.pulsar2.preflight import refused
    from orchestrator.pulsar2.versions import newest_version

    version = pulsar2_version or newest_version()
    given = _config(config, calibration, version)
    target = Target(
        target_hardware or str(given.get("target_hardware", "AX650")),
        npu_mode or str(given.get("npu_mode", "NPU1")),
    )
    findings = look(model, target, version, given, {})
    if json:
        _print_json(model, target, version, findings)
    else:
        _print(model, target, version, findings)
    if refused(findings):
        raise typer.Exit(1)


def _config(file: Path | None, calibration: Path | None, version: str) -> dict[str, Json]:
    """Read the config, and put the archive of the command line into it."""
    if file is None:
        return {} if calibration is None else {"quant": {"input_configs": [_entry(calibration)]}}
    from orchestrator.errors import ConfigError
    from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
    from orchestrator.pulsar2.config.file import read_config
    from orchestrator.pulsar2.preflight.config import rows_at

    text = read_config(file)
    config = config_to_json(config_from_json(text.data, version, text.origin))
    if calibration is None:
        return config
    rows = rows_at(config, "quant", "input_configs")
    if len(rows) > 1:
        message = f"{file}: has {len(rows)} quant.input_configs; --calibration stands for one"
        raise ConfigError(message, "write the archives into the config")
    row = {**rows[0], "calibration_dataset": str(calibration)} if rows else _entry(calibration)
    quant = config.get("quant")
    config["quant"] = {**(quant if isinstance(quant, dict) else {}), "input_configs": [row]}
    return config


def _entry(archive: Path) -> dict[str, Json]:
    """Describe an archive that no config describes: its first file tells the format."""
    from orchestrator.pulsar2.preflight.archive import BrokenArchive, entries_of

    try:
        first = next((entry.name for entry in entries_of(archive)), "")
    except BrokenArchive:
        first = ""  # the check then says how it is broken
    row: dict[str, Json] = {"tensor_name": "DEFAULT", "calibration_dataset": str(archive)}
    row["calibration_format"] = _FORMATS.get(Path(first).suffix, "Image")
    return row


def _print_json(model: Path, target: Target, version: str, findings: Sequence[Finding]) -> None:
    from orchestrator.cli.console import print_json
    from orchestrator.hashing import as_json
    from orchestrator.pulsar2.preflight import refused

    print_json(
        {
            "model": str(model),
            "target": str(target),
            "pulsar2": version,
            "refused": bool(refused(findings)),
            "findings": [as_json(finding) for finding in findings],
        }
    )


def _print(model: Path, target: Target, version: str, findings: Sequence[Finding]) -> None:
    from orchestrator.cli.console import out, print_table
    from orchestrator.pulsar2.preflight import COLUMNS, preflight_rows, refused

    console = out()
    if findings:
        print_table("", COLUMNS, preflight_rows(findings), console=console)
    bad = len(refused(findings))
    counts = f"{bad} would fail the build, {len(findings) - bad} to think about"
    summary = counts if findings else "nothing speaks against the build"
    console.print(f"{model} for {target} by pulsar2 {version}: {summary}", markup=False)
