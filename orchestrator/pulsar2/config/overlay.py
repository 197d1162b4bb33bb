"""A build config of one's own on top of a recipe. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace

from orchestrator.domain import Json, Recipe, Target
from orchestrator.pulsar2.build_config import merge
from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
from orchestrator.pulsar2.config.file import ConfigText
from orchestrator.pulsar2.config.origin import below
from orchestrator.pulsar2.config.types import BuildConfig, CompilerConfig, QuantConfig

#: The recipe says what is built, from what, and where it goes.
_RECIPES = ("input", "output_dir", "output_name", "work_dir", "model_type", "input_shapes")
_RECIPES_INPUT = (("quant", "input_configs"), ("input_processors",))
#: Keys of the file that become the recipe's own.
_METHOD = ("quant", "calibration_method")
_ANALYSIS = (("quant", "precision_analysis"), ("quant", "precision_analysis_method"))


def overlay(recipe: Recipe, text: ConfigText, version: str) -> tuple[Recipe, tuple[str, ...]]:
    """Put the keys of a config file over a recipe; give it with notes on what does not count.

    The model, its input with mean, std and layout, and the calibration images stay the recipe's.

    Raises:
        ConfigError: the toolchain would refuse the file, it is for a model with other inputs, or it
            names files.
    """
    typed = config_from_json(text.data, version, text.origin)
    _check_tensors(recipe, typed, text)
    _check_files(typed, text)
    keys = config_to_json(typed)
    notes = [f"{name} is left out: the recipe decides it" for name in _RECIPES if keys.pop(name, 0)]
    notes += [
        f"{'.'.join(path)} is left out: input and images are the recipe's"
        for path in _RECIPES_INPUT
        if _take(keys, path)
    ]
    plan, quant = recipe.compile, typed.quant or QuantConfig()
    target = Target(
        str(keys.pop("target_hardware", plan.target.hardware)),
        str(keys.pop("npu_mode", plan.target.npu_mode)),
    )
    raw = deepcopy(dict(plan.pulsar2))
    taken = [path for path in (_METHOD, *_ANALYSIS) if _take(keys, path)]
    # The recipe's raw keys stand over its own ones: left in, they would hide the file's.
    for path in (*taken, *(_ANALYSIS if set(_ANALYSIS) & set(taken) else ())):
        _take(raw, path)
    notes += [
        f"the recipe's {path} is left out: the file has it too" for path in _hidden(raw, keys)
    ]
    compiled = replace(
        plan,
        target=target,
        calibration_method=quant.calibration_method or plan.calibration_method,
        precision_analysis=_analysis(recipe, quant),
        pulsar2=merge(raw, keys),
    )
    return replace(recipe, compile=compiled), tuple(notes)


def _analysis(recipe: Recipe, quant: QuantConfig) -> str | None:
    """Give the method of the precision analysis: the file's, or what it leaves to the recipe."""
    method = quant.precision_analysis_method
    if quant.precision_analysis is None:
        kept = recipe.compile.precision_analysis
        return kept and (method or kept)
    return (method or "PerLayer") if quant.precision_analysis else None


def _check_tensors(recipe: Recipe, typed: BuildConfig, text: ConfigText) -> None:
    """Refuse a config whose inputs are not the recipe's: it was written for another model."""
    known = {recipe.export.input_name, "DEFAULT"}
    inputs = typed.quant.input_configs if typed.quant is not None else ()
    named = [(f"quant.input_configs[{i}]", one.tensor_name) for i, one in enumerate(inputs)]
    named += [
        (f"input_processors[{i}]", one.tensor_name) for i, one in enumerate(typed.input_processors)
    ]
    for key, name in named:
        if name not in known:
            raise text.origin.error(
                f"{key}.tensor_name",
                f"{name!r} is no input of recipe {recipe.name}: {recipe.export.input_name}",
                "a config for another model: name its ONNX file with --onnx",
            )


def _check_files(typed: BuildConfig, text: ConfigText) -> None:
    """Refuse paths: a recipe's build has no file but its own, and fails minutes later."""
    consts = enumerate(typed.const_processors)
    named = [(f"const_processors[{i}].data_path", one.data_path) for i, one in consts]
    named += _sample_folders(typed.compiler, "compiler")
    if typed.quant is not None:
        named.append(("quant.input_sample_dir", typed.quant.input_sample_dir))
    for key, name in named:
        if name:
            message = f"{name} is not brought into the build of a recipe"
            raise text.origin.error(key, message, "build by the config alone, with --onnx")


def _sample_folders(part: CompilerConfig | None, path: str) -> list[tuple[str, str | None]]:
    if part is None:
        return []
    found = [(below(path, "input_sample_dir"), part.input_sample_dir)]
    for index, sub in enumerate(part.sub_configs):
        found += _sample_folders(sub, below(below(path, "sub_configs"), index))
    return found


def _hidden(under: Mapping[str, Json], over: Mapping[str, Json], path: str = "") -> Iterator[str]:
    """Give the path of every value that another one takes the place of."""
    for key in sorted(under.keys() & over.keys()):
        old, new, here = under[key], over[key], below(path, key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _hidden(old, new, here)
        elif old is not None and old != new:
            yield here


def _take(keys: dict[str, Json], path: tuple[str, ...]) -> bool:
    """Take a key away; say whether it was there."""
    holder: Json = keys
    for name in path[:-1]:
        holder = holder.get(name) if isinstance(holder, Mapping) else None
    if not isinstance(holder, dict):
        return False
    return holder.pop(path[-1], None) is not None
