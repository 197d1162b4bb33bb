"""A user's build config → one whose every file lies in the action's work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain import Json, Target
from orchestrator.pulsar2.build_config import MODEL
from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
from orchestrator.pulsar2.config.origin import Origin, below
from orchestrator.pulsar2.config.rules import target_of
from orchestrator.pulsar2.config.types import (
    BuildConfig,
    CompilerConfig,
    ConstProcessor,
    InputQuantConfig,
    QuantConfig,
)
from orchestrator.pulsar2.versions import newest_version

#: Decided by orch: where a build writes.
_DROPPED = ("output_dir", "output_name", "work_dir")


@dataclass(frozen=True, slots=True)
class StagedConfig:
    """A config that runs in any work folder.

    Attributes:
        config: every path in it is relative to the work folder.
        model: the ONNX file on this machine; it goes to `input/model.onnx`.
        files: path in the work folder → file or folder on this machine.
        notes: what was changed besides the paths, each a sentence.
    """

    config: dict[str, Json]
    model: Path
    files: Mapping[str, Path]
    target: Target
    notes: tuple[str, ...]


def stage_config(
    config: Mapping[str, Json],
    base_dir: Path,
    version: str | None = None,
    source: str | Origin = "config",
    onnx: Path | None = None,
) -> StagedConfig:
    """Check a config and bring its paths into a work folder.

    Args:
        config: as its author wrote it.
        base_dir: what relative paths begin at; the toolchain's rule is the current folder.
        version: of the toolchain that will read it; None is the newest.
        source: what messages call the config.
        onnx: the model, in place of the config's `input`.

    Raises:
        ConfigError: the toolchain would refuse it, or a file is missing.
    """
    origin = source if isinstance(source, Origin) else Origin(source)
    typed = config_from_json(config, version or newest_version(), origin)
    notes = [f"{key} is left out: orch decides it" for key in _DROPPED if getattr(typed, key)]
    shelf = _Shelf(base_dir, origin, {})
    model = onnx or _named_model(typed, shelf)
    if onnx is not None and typed.input and typed.input != str(onnx):
        notes.append(f"input is {onnx}, not {typed.input}")
    staged = replace(
        typed,
        input=MODEL,
        output_dir=None,
        output_name=None,
        work_dir=None,
        quant=typed.quant and _quant(typed.quant, shelf),
        const_processors=_consts(typed, shelf),
        compiler=typed.compiler and _compiler(typed.compiler, shelf, "compiler"),
    )
    return StagedConfig(config_to_json(staged), model, shelf.files, target_of(typed), tuple(notes))


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Gives each file its place in the work folder; the same file has one place."""

    base_dir: Path
    origin: Origin
    files: dict[str, Path]

    def find(self, key: str, name: str, fits: Callable[[Path], bool], kind: str) -> Path:
        found = self.base_dir / name
        try:
            fit, there = fits(found), found.exists()
        except OSError as error:
            raise self.origin.error(key, f"{found}: {error.strerror}") from error
        if "://" in name:
            hint = "fetch it first: only files of this machine are copied into the build"
            raise self.origin.error(key, f"{name}: an address is no {kind}", hint)
        if not fit:
            what = f"is no {kind}" if there else f"no such {kind}"
            hint = f"relative paths begin at {self.base_dir}; paths are those of this machine"
            if name.startswith("~"):
                hint = f"~ is not expanded: write {Path.home()}"
            raise self.origin.error(key, f"{found}: {what}", hint)
        return found

    def file(self, key: str, name: str, stem: str) -> str:
        source = self.find(key, name, Path.is_file, "file")
        suffixes = "".join(source.suffixes[-2:])
        is_double = suffixes.lower() == ".tar.gz"
        return self._place(source, stem, suffixes if is_double else source.suffix)

    def folder(self, key: str, name: str | None) -> str | None:
        if not name:
            return None
        return self._place(self.find(key, name, Path.is_dir, "folder"), "samples", "")

    def _place(self, source: Path, stem: str, suffix: str) -> str:
        for place, known in self.files.items():
            if known.resolve() == source.resolve() and place.endswith(suffix):
                return place
        place = f"input/{stem}-{len(self.files)}{suffix}"
        self.files[place] = source
        return place


def _named_model(config: BuildConfig, shelf: _Shelf) -> Path:
    """Find the model that the config names."""
    if not config.input:
        hint = "name it there, or on the command line"
        raise shelf.origin.error("input", "no model is named", hint)
    return shelf.find("input", config.input, Path.is_file, "file")


def _quant(quant: QuantConfig, shelf: _Shelf) -> QuantConfig:
    inputs: list[InputQuantConfig] = []
    for index, one in enumerate(quant.input_configs):
        key = below(below("quant.input_configs", index), "calibration_dataset")
        place = shelf.file(key, one.calibration_dataset, "calibration")
        inputs.append(replace(one, calibration_dataset=place))
    samples = shelf.folder("quant.input_sample_dir", quant.input_sample_dir)
    return replace(quant, input_configs=tuple(inputs), input_sample_dir=samples)


def _consts(config: BuildConfig, shelf: _Shelf) -> tuple[ConstProcessor, ...]:
    staged: list[ConstProcessor] = []
    for index, one in enumerate(config.const_processors):
        key = below(below("const_processors", index), "data_path")
        place = shelf.file(key, one.data_path, "constant") if one.data_path else None
        staged.append(replace(one, data_path=place))
    return tuple(staged)


def _compiler(compiler: CompilerConfig, shelf: _Shelf, path: str) -> CompilerConfig:
    samples = shelf.folder(below(path, "input_sample_dir"), compiler.input_sample_dir)
    parts = enumerate(compiler.sub_configs)
    subs = [_compiler(one, shelf, below(below(path, "sub_configs"), i)) for i, one in parts]
    return replace(compiler, input_sample_dir=samples, sub_configs=tuple(subs))
