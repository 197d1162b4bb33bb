"""What each cached stage depends on: the fields of its key. Pure but for package versions."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from orchestrator.cache import NOT_INSTALLED, Wanted
from orchestrator.checkpoint import FoundCheckpoint
from orchestrator.domain import Json, Preprocess, Recipe, Target, ToolchainIdentity
from orchestrator.hashing import canonical_json
from orchestrator.pulsar2.build_config import build_argv, build_config

#: The stages whose results are kept, in order. Raise a number when its stage works differently.
STAGE_VERSIONS = {"export": 1, "optimize": 1, "compile": 1, "check": 2}


def export_wanted(recipe: Recipe, checkpoint: FoundCheckpoint, evaluation: str) -> Wanted:
    """Say what the exported ONNX depends on; `evaluation` names the images of its check."""
    spec, own = recipe.export, recipe.checkpoint.kind == "onnx"
    made = {} if own else {"opset": str(spec.opset), "max_abs_diff": str(spec.max_abs_diff)}
    fields = {
        "stage_version": str(STAGE_VERSIONS["export"]),
        **({"kind": "onnx"} if own else {"min_agreement": str(spec.min_agreement)}),
        "checkpoint": checkpoint.fingerprint,
        "shape": "x".join(map(str, spec.shape)),
        "input": spec.input_name,
        "output": spec.output_name,
        **made,
        "classes": str(len(recipe.classes)),
        "evaluation": evaluation,
        **_task(recipe),
        **_preprocess(recipe.preprocess),
        **(_versions("onnx") if own else _versions("torch", "transformers", "onnx")),
    }
    return Wanted("export", recipe.name, fields)


def optimize_wanted(recipe: Recipe, onnx_sha256: str, evaluation: str) -> Wanted:
    """Say what the optimized ONNX and its class maps depend on."""
    head, layers = recipe.head, recipe.layers
    fields = {
        "stage_version": str(STAGE_VERSIONS["optimize"]),
        **({"layers": str(layers)} if layers else {}),
        "onnx": onnx_sha256,
        "head": f"{head.op} axis={head.axis} keepdims={int(head.keepdims)} as {head.output_name}",
        "evaluation": evaluation,
        **_task(recipe),
        **_preprocess(recipe.preprocess),
        **_versions("onnx", "onnxsim", "onnx-graphsurgeon", "onnxruntime"),
    }
    return Wanted("optimize", recipe.name, fields)


def compile_wanted(
    recipe: Recipe, onnx_sha256: str, calibration: str, toolchain: ToolchainIdentity
) -> Wanted:
    """Say what the axmodel depends on: the model, the images, the very command and config."""
    fields = {
        "stage_version": str(STAGE_VERSIONS["compile"]),
        "onnx": onnx_sha256,
        "calibration": calibration,
        "argv": " ".join(build_argv(recipe.compile.target)),
        "config": canonical_json(build_config(recipe, toolchain.version)),
        "toolchain_version": toolchain.version,
        "toolchain_commit": toolchain.commit,
        "toolchain_digest": toolchain.digest,
        **_task(recipe),
        **_preprocess(recipe.preprocess),
    }
    return Wanted("compile", recipe.name, fields)


def files_wanted(
    name: str,
    onnx_sha256: str,
    config: Mapping[str, Json],
    target: Target,
    files: Mapping[str, str],
    toolchain: ToolchainIdentity,
) -> Wanted:
    """Say what an axmodel by a config file depends on; `files` maps each place to its sha256."""
    fields = {
        "stage_version": str(STAGE_VERSIONS["compile"]),
        "onnx": onnx_sha256,
        "argv": " ".join(build_argv(target)),
        "config": canonical_json(dict(config)),
        "toolchain_version": toolchain.version,
        "toolchain_commit": toolchain.commit,
        "toolchain_digest": toolchain.digest,
        **{f"file {place}": sha256 for place, sha256 in files.items()},
    }
    return Wanted("compile", name, fields)


def check_wanted(
    recipe: Recipe,
    onnx_sha256: str,
    axmodel_sha256: str,
    evaluation: str,
    toolchain: ToolchainIdentity,
) -> Wanted:
    """Say what the comparison of the axmodel with the float model depends on."""
    fields = {
        "stage_version": str(STAGE_VERSIONS["check"]),
        "onnx": onnx_sha256,
        "axmodel": axmodel_sha256,
        "evaluation": evaluation,
        "images": str(recipe.check.images),
        "axis": str(recipe.head.axis),
        "toolchain_version": toolchain.version,
        "toolchain_commit": toolchain.commit,
        "toolchain_digest": toolchain.digest,
        **_task(recipe),
        **_preprocess(recipe.preprocess),
        **_versions("onnxruntime"),
    }
    return Wanted("check", recipe.name, fields)


def _task(recipe: Recipe) -> dict[str, str]:
    """Name the task, but the one that was the only one when keys were first made."""
    task = recipe.checkpoint.task
    return {} if task == "semantic-segmentation" else {"task": task}


def _preprocess(how: Preprocess) -> dict[str, str]:
    fields = {"mean": str(how.mean), "std": str(how.std), "colour": how.colour}
    fit = f"{how.fit} {how.crop_edge} {how.resample}"
    return fields if fit == "stretch None bilinear" else {**fields, "fit": fit}


def _versions(*packages: str) -> dict[str, str]:
    return {f"version_{name}": installed_version(name) for name in packages}


def installed_version(package: str) -> str:
    """Give the version of a package, or NOT_INSTALLED."""
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED
