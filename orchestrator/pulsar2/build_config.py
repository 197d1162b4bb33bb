"""A recipe → the `pulsar2 build` command and its config file. Pure.

Every path is relative to the action's work folder, which is the current folder of the build in
every toolchain; so the same recipe gives the same config everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from orchestrator.domain import Json, Recipe, Target
from orchestrator.pulsar2.config.codec import config_from_json, config_to_json
from orchestrator.pulsar2.config.origin import Origin
from orchestrator.pulsar2.config.types import (
    BuildConfig,
    CompilerConfig,
    InputProcessor,
    InputQuantConfig,
    QuantConfig,
)
from orchestrator.pulsar2.config.values import AnalysisMethod, CalibrationMethod, Hardware, NpuMode
from orchestrator.pulsar2.targets import check_target
from orchestrator.pulsar2.versions import newest_version

MODEL = "input/model.onnx"
CALIBRATION = "input/calibration.tar"
CONFIG = "input/config.json"
OUTPUT = "output"
AXMODEL = "output/compiled.axmodel"
PRECISION_TABLE = "output/quant/debug/precision_analysis_table.txt"
#: Where a recipe's own keys for the build config stand.
RAW_KEYS = "compile.pulsar2"


def build_config(recipe: Recipe, version: str | None = None) -> dict[str, Json]:
    """Give the BuildConfig: 8-bit NHWC images in, mean and std inside the compiled model.

    The calibration arrays are already normalised (format Numpy); mean and std then only reach the
    input processor, which the toolchain takes from the quantization section.

    Args:
        recipe: its `compile.pulsar2` is merged over what orch sets.
        version: of the toolchain that will read it; None is the newest.

    Raises:
        ConfigError: the toolchain would refuse it; the message names the recipe's key.
    """
    check_target(recipe.compile.target, version)
    origin = Origin(recipe.name, within=RAW_KEYS)
    return vendor_config(config_to_json(_own(recipe)), recipe.compile.pulsar2, version, origin)


def vendor_config(
    config: Mapping[str, Json],
    over: Mapping[str, Json],
    version: str | None = None,
    source: str | Origin = "config",
) -> dict[str, Json]:
    """Merge `over` on a build config and check the whole; only what is set is kept, in order.

    Lists are replaced whole: which of two entries for the same tensor holds, the vendor does not
    say, so none is made up. Null takes a key away.

    Raises:
        ConfigError: the toolchain would refuse it.
    """
    merged = merge(dict(config), dict(over))
    return config_to_json(config_from_json(merged, version or newest_version(), source))


def _own(recipe: Recipe) -> BuildConfig:
    """Give what orch sets itself; the recipe's file allows only what these types name."""
    name, how, plan = recipe.export.input_name, recipe.preprocess, recipe.compile
    analysis = cast("AnalysisMethod | None", plan.precision_analysis)
    return BuildConfig(
        model_type="ONNX",
        target_hardware=cast("Hardware", plan.target.hardware),
        npu_mode=cast("NpuMode", plan.target.npu_mode),
        quant=QuantConfig(
            input_configs=(
                InputQuantConfig(
                    tensor_name=name,
                    calibration_dataset=CALIBRATION,
                    calibration_format="Numpy",
                    calibration_size=plan.calibration.count,
                    calibration_mean=how.mean,
                    calibration_std=how.std,
                ),
            ),
            calibration_method=cast("CalibrationMethod", plan.calibration_method),
            precision_analysis=analysis is not None,
            precision_analysis_method=analysis,
        ),
        input_processors=(
            InputProcessor(
                tensor_name=name,
                tensor_format=how.colour,
                tensor_layout="NCHW",
                src_format=how.colour,
                src_layout="NHWC",
                src_dtype="U8",
            ),
        ),
        compiler=CompilerConfig(check=0),
    )


def build_argv(target: Target) -> list[str]:
    """Give the command line of the build."""
    return [
        "pulsar2",
        "build",
        "--input",
        MODEL,
        "--output_dir",
        OUTPUT,
        "--config",
        CONFIG,
        "--target_hardware",
        target.hardware,
        "--npu_mode",
        target.npu_mode,
    ]


def merge(base: dict[str, Json], over: dict[str, Json]) -> dict[str, Json]:
    """Put `over` on `base`: objects are merged key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
