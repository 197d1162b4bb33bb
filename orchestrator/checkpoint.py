"""Find a checkpoint: one that orch ships, a folder, or a model on the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator import hub
from orchestrator.domain import Checkpoint
from orchestrator.errors import ConfigError
from orchestrator.hashing import sha256_files
from orchestrator.onnx_graph import external_files
from orchestrator.recipe import SHIPPED

_WEIGHTS = ("*.safetensors", "*.bin")
_WANTED = ("config.json", "preprocessor_config.json", *_WEIGHTS)


@dataclass(frozen=True, slots=True)
class FoundCheckpoint:
    """A checkpoint on this machine; `fingerprint` changes with its weights and config.

    Attributes:
        folder: where it lies; for an ONNX file, the file.
        commit: the hub's commit, where it came from there.
    """

    folder: Path
    fingerprint: str
    commit: str | None


def find_checkpoint(checkpoint: Checkpoint) -> FoundCheckpoint:
    """Give the folder of a checkpoint, from the hub if need be; an ONNX file as it is.

    Raises:
        ConfigError: it is not there, or not complete.
    """
    if checkpoint.kind == "onnx":
        return _onnx_file(Path(checkpoint.source).expanduser())
    kind, _, name = checkpoint.source.partition(":")
    if kind == "package" and name:
        return _in_folder(SHIPPED / name, f"checkpoint {checkpoint.source}")
    folder = Path(checkpoint.source).expanduser()
    if folder.is_dir():
        return _in_folder(folder, f"checkpoint folder {folder}")
    if not hub.ID.fullmatch(checkpoint.source) or folder.exists():
        raise ConfigError(
            f"checkpoint folder {folder}: no such folder",
            "--checkpoint wants a folder with config.json and model.safetensors",
        )
    return _from_hub(checkpoint)


def _onnx_file(path: Path) -> FoundCheckpoint:
    """Give an ONNX file, named by its content and that of the files its tensors lie in."""
    if not path.is_file():
        raise ConfigError(f"checkpoint.onnx {path}: no such file", "name an ONNX file")
    files = [path, *external_files(path)]
    root = path.absolute().parent
    return FoundCheckpoint(path, sha256_files(root, [one.absolute() for one in files]), None)


def _in_folder(folder: Path, label: str, commit: str | None = None) -> FoundCheckpoint:
    files = [path for pattern in _WANTED for path in folder.glob(pattern)]
    weights = [path for path in files if path.suffix != ".json"]
    if not (folder / "config.json").is_file() or not weights:
        missing = "model.safetensors" if (folder / "config.json").is_file() else "config.json"
        raise ConfigError(
            f"{label}: has no {missing}",
            "it should be what save_pretrained() writes",
        )
    return FoundCheckpoint(folder, sha256_files(folder, files), commit)


def _from_hub(checkpoint: Checkpoint) -> FoundCheckpoint:
    """Fetch from the hub, or from its cache on this machine."""
    source, revision = checkpoint.source, checkpoint.revision
    try:
        folder = hub.fetch(source, revision, _WANTED)
    except ImportError as error:
        raise ConfigError(
            "fetching a checkpoint needs transformers and its hub client",
            "pip install 'orch[export]', or build on another host",
        ) from error
    return _in_folder(folder, hub.label(source, revision), commit=folder.name)
