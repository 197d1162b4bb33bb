"""A recipe → the `pulsar2 build` command and its config file. Pure.

Every path is relative to the action's work folder, which is the current folder of the build in
every toolchain; so the same recipe gives the same config everywhere.
"""

from __future__ import annotations

from orchestrator.domain import Json, Recipe, Target

MODEL = "input/model.onnx"
CALIBRATION = "input/calibration.tar"
CONFIG = "input/config.json"
OUTPUT = "output"
AXMODEL = "output/compiled.axmodel"


def build_config(recipe: Recipe) -> dict[str, Json]:
    """Give the BuildConfig: 8-bit NHWC images in, mean and std inside the compiled model.

    The calibration arrays are already normalised (format Numpy); mean and std then only reach the
    input processor, which the toolchain takes from the quantization section.
    """
    name, how = recipe.export.input_name, recipe.preprocess
    config: dict[str, Json] = {
        "model_type": "ONNX",
        "target_hardware": recipe.compile.target.hardware,
        "npu_mode": recipe.compile.target.npu_mode,
        "quant": {
            "input_configs": [
                {
                    "tensor_name": name,
                    "calibration_dataset": CALIBRATION,
                    "calibration_format": "Numpy",
                    "calibration_size": recipe.compile.calibration.count,
                    "calibration_mean": list(how.mean),
                    "calibration_std": list(how.std),
                }
            ],
            "calibration_method": recipe.compile.calibration_method,
            "precision_analysis": False,
        },
        "input_processors": [
            {
                "tensor_name": name,
                "tensor_format": how.colour,
                "tensor_layout": "NCHW",
                "src_format": how.colour,
                "src_layout": "NHWC",
                "src_dtype": "U8",
            }
        ],
        "compiler": {"check": 0},
    }
    return merge(config, dict(recipe.compile.pulsar2))


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
