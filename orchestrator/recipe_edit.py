"""A recipe file with a few keys changed; its comments and its order stay."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ruamel.yaml import YAML

from orchestrator.domain import Json

#: Sections that name folders relative to the recipe file.
_FOLDERS = (("compile", "calibration"), ("evaluation",))


def write_choice(
    source: Path,
    target: Path,
    npu_mode: str,
    calibration_method: str,
    keys: Mapping[str, Json],
) -> None:
    """Write `source` to `target` with another way to quantize; `keys` go under compile.pulsar2."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 100
    recipe = yaml.load(source.read_text(encoding="utf-8"))
    if source.resolve().parent != target.resolve().parent:
        _anchor_folders(recipe, source.resolve().parent)
    chosen = recipe.setdefault("compile", {})
    chosen["npu_mode"] = npu_mode
    chosen["calibration_method"] = calibration_method
    if keys:
        _put(chosen.setdefault("pulsar2", {}), keys)
    part = target.with_name(f".{target.name}.part")
    with part.open("w", encoding="utf-8") as stream:
        yaml.dump(recipe, stream)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(target)


def _anchor_folders(recipe: MutableMapping[str, object], parent: Path) -> None:
    """Make relative folders absolute: the new file lies elsewhere."""
    for path in _FOLDERS:
        section: object = recipe
        for name in path:
            section = section.get(name) if isinstance(section, MutableMapping) else None
        if isinstance(section, MutableMapping) and isinstance(section.get("folder"), str):
            section["folder"] = str((parent / Path(section["folder"]).expanduser()).resolve())


def _put(below: MutableMapping[str, object], keys: Mapping[str, Json]) -> None:
    for name, value in keys.items():
        inner = below.get(name)
        if isinstance(inner, MutableMapping) and isinstance(value, Mapping):
            _put(inner, value)
        else:
            below[name] = value
