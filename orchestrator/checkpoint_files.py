"""What a checkpoint says of itself: its config and its image processor, without the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator import hub
from orchestrator.domain import Json
from orchestrator.errors import ConfigError

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
_NO_PROCESSOR = (
    "copy it from the model that yours was trained from, or write the recipe by hand: "
    "docs/how-to/own-checkpoint.md"
)


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """The two files of a checkpoint.

    Attributes:
        source: a hub id, or the absolute folder.
        revision: the hub's commit; None: it is a folder.
        processor: what transformers' image processor tells of itself, with its defaults.
    """

    source: str
    revision: str | None
    config: Mapping[str, Json]
    processor: Mapping[str, Json]


def read_checkpoint_files(source: str, revision: str | None) -> CheckpointFiles:
    """Read a folder, or a model on the hub. Raises ConfigError."""
    folder = Path(source).expanduser()
    if folder.suffix == ".onnx":
        raise ConfigError(
            f"{folder}: an ONNX file does not say how images are normalised, nor its classes",
            "write the recipe by hand: docs/how-to/own-checkpoint.md",
        )
    if folder.is_dir():
        where, name, commit = folder.resolve(), str(folder.resolve()), None
    elif hub.ID.fullmatch(source):
        where = _from_hub(source, revision)
        name, commit = source, where.name
    else:
        raise ConfigError(f"--checkpoint {source}: no such folder", "name a folder or a hub id")
    config = _read(where, CONFIG, "it should be what save_pretrained() writes")
    return CheckpointFiles(name, commit, config, _processor(where))


def _from_hub(source: str, revision: str | None) -> Path:
    """Fetch the two files, or find them in the hub's cache on this machine."""
    try:
        return hub.fetch(source, revision, (CONFIG, PROCESSOR))
    except ImportError as error:
        raise _missing() from error


def _read(folder: Path, name: str, hint: str) -> dict[str, Json]:
    path = folder / name
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"checkpoint {folder}: has no {name}", hint) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: is no JSON object", hint)
    return content


def _processor(folder: Path) -> dict[str, Json]:
    """Have transformers read the processor: what the file leaves out, its class knows."""
    _read(folder, PROCESSOR, _NO_PROCESSOR)
    try:
        from transformers import AutoImageProcessor
        from transformers.utils import logging
    except ImportError as error:
        raise _missing() from error
    logging.set_verbosity_error()
    try:
        found = AutoImageProcessor.from_pretrained(folder, use_fast=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"{folder / PROCESSOR}: {reason}", _NO_PROCESSOR) from error
    known: dict[str, Json] = json.loads(json.dumps(found.to_dict(), default=str))
    return known


def _missing() -> ConfigError:
    return ConfigError(
        "reading a checkpoint's files needs transformers",
        "pip install 'orch[export]', or write the recipe by hand: docs/how-to/own-checkpoint.md",
    )
