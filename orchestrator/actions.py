"""Each stage as a cached action: what it depends on, how it is done, what is worth keeping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.checkpoint import FoundCheckpoint
from orchestrator.domain import ActionRecord, Json, Recipe, ToolchainIdentity
from orchestrator.errors import ConfigError
from orchestrator.images import load_images
from orchestrator.kept_facts import check_facts, keep_build, megabytes
from orchestrator.plan import check_wanted, compile_wanted, export_wanted, optimize_wanted
from orchestrator.release import evaluation_images
from orchestrator.seams import Bench, Blobs, Progress, Toolchain
from orchestrator.stages.check import check
from orchestrator.stages.compile import compile_model
from orchestrator.stages.export import export, take_onnx
from orchestrator.stages.optimize import optimize

#: Float inference is slow where models are large: the checks need not see every image.
CHECK_IMAGES = 4


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything a build starts from, found and named before any work is paid for."""

    checkpoint: FoundCheckpoint
    evaluation: str
    calibration: str
    toolchain: ToolchainIdentity


@dataclass(frozen=True, slots=True)
class Workshop:
    """What building needs of the world."""

    cache: Cache
    blobs: Blobs
    toolchain: Toolchain
    progress: Progress
    logs: Path


@dataclass(frozen=True, slots=True)
class Task:
    """One recipe to be built in one run."""

    recipe: Recipe
    sources: Sources
    shop: Workshop
    run_id: str


def do(
    shop: Workshop, run_id: str, wanted: Wanted, make: Callable[[Path], Produced]
) -> tuple[ActionRecord, bool]:
    """Have an action, say how it went, and give it with whether it was there already."""
    action, hit = shop.cache.do(wanted, run_id, shop.progress, make)
    how = "cached" if hit else f"done in {action.seconds:.1f} s"
    shop.progress.event(wanted.stage, f"{how}: {action.facts.get('summary')}")
    return action, hit


def export_action(task: Task) -> tuple[ActionRecord, bool]:
    """Have the ONNX file of the checkpoint, and say whether it was there already."""
    recipe, sources, shop = task.recipe, task.sources, task.shop

    def make(folder: Path) -> Produced:
        if recipe.checkpoint.kind == "onnx":
            return _take_onnx(task, folder)
        _need("torch", "transformers", "onnxruntime", stage="export")
        shop.progress.event("export", f"{recipe.checkpoint.source} at opset {recipe.export.opset}")
        commit, revision = sources.checkpoint.commit, recipe.checkpoint.revision
        if commit is not None and commit != revision:
            moving = f"revision {revision or 'main'} may move; it is commit {commit} now"
            shop.progress.event("export", f"{moving}: pin it with checkpoint.revision")
        images = evaluation_images(recipe, CHECK_IMAGES)
        done = export(recipe, sources.checkpoint.folder, images, folder)
        facts: dict[str, Json] = {
            "summary": f"{megabytes(done.path)}, against torch on {done.images} images: "
            f"max abs difference {done.max_abs_diff:.1e}, agreement {done.agreement:.2%}",
            "max_abs_diff": done.max_abs_diff,
            "agreement": done.agreement,
            "ops": dict(done.ops),
            "commit": sources.checkpoint.commit,
        }
        return Produced({"onnx": done.path}, facts)

    wanted = export_wanted(recipe, sources.checkpoint, sources.evaluation)
    return do(shop, task.run_id, wanted, make)


def _take_onnx(task: Task, folder: Path) -> Produced:
    """Take the recipe's ONNX file for the exported one."""
    _need("onnxruntime", stage="export")
    recipe, shop = task.recipe, task.shop
    shop.progress.event("export", f"nothing to do: {recipe.checkpoint.source} is ONNX already")
    images = evaluation_images(recipe, 1)
    done = take_onnx(recipe, task.sources.checkpoint.folder, images, folder)
    facts: dict[str, Json] = {
        "summary": f"{megabytes(done.path)} of your own, runs on {len(images)} image",
        "ops": dict(done.ops),
        "opset": done.opset,
        "commit": None,
    }
    return Produced({"onnx": done.path}, facts)


def optimize_action(task: Task, exported: ActionRecord) -> tuple[ActionRecord, bool]:
    """Have the simplified graph with its head."""
    recipe, sources, shop = task.recipe, task.sources, task.shop
    source = exported.outputs["onnx"].sha256

    def make(folder: Path) -> Produced:
        _need("onnxsim", "onnx_graphsurgeon", "onnxruntime", stage="optimize")
        shop.progress.event("optimize", f"onnxsim, head {recipe.head.op}")
        with shop.blobs.open(source) as onnx:
            done = optimize(recipe, onnx, evaluation_images(recipe), CHECK_IMAGES, folder)
        shop.progress.table(
            f"Operators of {recipe.name}",
            ("operator", "exported", "simplified"),
            op_rows(done.ops_before, done.ops_after),
        )
        facts: dict[str, Json] = {
            "summary": f"{sum(done.ops_before.values())} → {sum(done.ops_after.values())} nodes, "
            f"agreement {done.agreement:.2%} on {done.checked_images} images, "
            f"head {recipe.head.op}",
            "agreement": done.agreement,
            "difference": done.difference,
            "ops_before": dict(done.ops_before),
            "ops_after": dict(done.ops_after),
        }
        return Produced({"onnx": done.path, "reference": done.reference}, facts)

    wanted = optimize_wanted(recipe, source, sources.evaluation)
    return do(shop, task.run_id, wanted, make)


def compile_action(task: Task, optimized: ActionRecord) -> tuple[ActionRecord, bool]:
    """Have the axmodel."""
    recipe, sources, shop = task.recipe, task.sources, task.shop
    source = optimized.outputs["onnx"].sha256
    log = task.shop.logs / task.run_id / "compile.log"

    def make(folder: Path) -> Produced:
        _, _, height, width = recipe.export.shape
        how = recipe.preprocess
        images = load_images(recipe.compile.calibration, "calibration", height, width, how)
        with shop.blobs.open(source) as onnx:
            bench = Bench(shop.toolchain, sources.toolchain, shop.progress, folder, log)
            done = compile_model(recipe, onnx, images, bench)
        kept = keep_build(done.made, bench)
        return Produced({"sidecar": done.sidecar, **kept.files}, kept.facts)

    wanted = compile_wanted(recipe, source, sources.calibration, sources.toolchain)
    return do(shop, task.run_id, wanted, make)


def check_action(
    task: Task, optimized: ActionRecord, compiled: ActionRecord
) -> tuple[ActionRecord, bool]:
    """Have the comparison of the axmodel with the float model."""
    recipe, sources, shop = task.recipe, task.sources, task.shop
    onnx, axmodel = optimized.outputs["onnx"].sha256, compiled.outputs["axmodel"].sha256
    log = task.shop.logs / task.run_id / "check.log"

    def make(folder: Path) -> Produced:
        _need("onnxruntime", stage="check")
        images = evaluation_images(recipe, recipe.check.images)
        with shop.blobs.open(onnx) as graph, shop.blobs.open(axmodel) as model:
            bench = Bench(shop.toolchain, sources.toolchain, shop.progress, folder, log)
            done = check(recipe, graph, model, images, bench)
        facts = check_facts(done, sources.toolchain, log)
        return Produced({"answers": done.answers, "log": log}, facts)

    wanted = check_wanted(recipe, onnx, axmodel, sources.evaluation, sources.toolchain)
    return do(shop, task.run_id, wanted, make)


def op_rows(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Give the op table: every operator with its counts before and after."""
    names = sorted({*before, *after})
    return [(name, str(before.get(name, 0)), str(after.get(name, 0))) for name in names]


def _need(*modules: str, stage: str) -> None:
    """Refuse to start a stage whose packages are not installed. Raises ConfigError."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ConfigError(
            f"{stage} needs {', '.join(missing)}, which this host does not have",
            "pip install 'orch[export]', or use a ledger and blobs that a build host has filled",
        )
