"""A build config of one's own on top of a recipe. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.domain import Json, Recipe, Target
from orchestrator.pulsar2.build_config import merge
from orchestrator.pulsar2.config_codec import config_from_json, config_to_json
from orchestrator.pulsar2.config_file import ConfigText
from orchestrator.pulsar2.config_types import BuildConfig, QuantConfig

#: The recipe says what is built, from what, and where it goes.
_RECIPES = ("input", "output_dir", "output_name", "work_dir", "model_type", "input_shapes")
_RECIPES_INPUT = (("quant", "input_configs"), ("input_processors",))


def overlay(recipe: Recipe, text: ConfigText, version: str) -> tuple[Recipe, tuple[str, ...]]:
    """Put the keys of a config file over a recipe; give it with notes on what was left out.

    The model, its input with mean, std and layout, and the calibration images stay the recipe's.

    Raises:
        ConfigError: the toolchain would refuse the file, or it is for a model with other inputs.
    """
    typed = config_from_json(text.data, version, text.origin)
    _check_tensors(recipe, typed, text)
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
    analysis = plan.precision_analysis
    if quant.precision_analysis is not None:
        method = quant.precision_analysis_method or "PerLayer"
        analysis = method if quant.precision_analysis else None
    for name in ("calibration_method", "precision_analysis", "precision_analysis_method"):
        _take(keys, ("quant", name))
    compiled = replace(
        plan,
        target=target,
        calibration_method=quant.calibration_method or plan.calibration_method,
        precision_analysis=analysis,
        pulsar2=merge(dict(plan.pulsar2), keys),
    )
    return replace(recipe, compile=compiled), tuple(notes)


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


def _take(keys: dict[str, Json], path: tuple[str, ...]) -> bool:
    """Take a key away; say whether it was there."""
    holder: Json = keys
    for name in path[:-1]:
        holder = holder.get(name) if isinstance(holder, Mapping) else None
    if not isinstance(holder, dict):
        return False
    return holder.pop(path[-1], None) is not None
