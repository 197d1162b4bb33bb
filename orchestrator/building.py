"""From a recipe to something that can be deployed: three cached stages and a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.checkpoint import FoundCheckpoint, find_checkpoint
from orchestrator.domain import ActionRecord, Json, Recipe, Release, ToolchainIdentity
from orchestrator.errors import ConfigError
from orchestrator.images import fingerprint, load_images
from orchestrator.plan import compile_wanted, export_wanted, optimize_wanted
from orchestrator.pulsar2.targets import check_target
from orchestrator.release import evaluation_images, keep_inputs, make_release
from orchestrator.seams import Blobs, Progress, Toolchain
from orchestrator.stages.compile import compile_model
from orchestrator.stages.export import export
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
class Built:
    """The three finished actions, and what is deployed of them."""

    exported: ActionRecord
    optimized: ActionRecord
    compiled: ActionRecord
    hits: Mapping[str, bool]
    release: Release


@dataclass(frozen=True, slots=True)
class Workshop:
    """What building needs of the world."""

    cache: Cache
    blobs: Blobs
    toolchain: Toolchain
    progress: Progress
    logs: Path


def find_sources(recipe: Recipe, toolchain: Toolchain) -> Sources:
    """Find all inputs of a build. Raises ConfigError, ToolchainError: nothing was begun."""
    check_target(recipe.compile.target)
    return Sources(
        checkpoint=find_checkpoint(recipe.checkpoint),
        evaluation=fingerprint(recipe.evaluation, "evaluation"),
        calibration=fingerprint(recipe.compile.calibration, "calibration"),
        toolchain=toolchain.identity(),
    )


def build(recipe: Recipe, shop: Workshop, run_id: str) -> Built:
    """Give the release of a recipe; each stage is done only when its key is new."""
    sources = find_sources(recipe, shop.toolchain)
    exported, had_onnx = _export(recipe, sources, shop, run_id)
    optimized, had_graph = _optimize(recipe, sources, exported, shop, run_id)
    compiled, had_axmodel = _compile(recipe, sources, optimized, shop, run_id)
    hits = {"export": had_onnx, "optimize": had_graph, "compile": had_axmodel}
    release = make_release(recipe, compiled, keep_inputs(recipe, shop.blobs))
    return Built(exported, optimized, compiled, hits, release)


def _do(
    wanted: Wanted, shop: Workshop, run_id: str, make: Callable[[Path], Produced]
) -> tuple[ActionRecord, bool]:
    """Have an action, and say how it went."""
    action, hit = shop.cache.do(wanted, run_id, shop.progress, make)
    how = "cached" if hit else f"done in {action.seconds:.1f} s"
    shop.progress.event(wanted.stage, f"{how}: {action.facts.get('summary')}")
    return action, hit


def _export(
    recipe: Recipe, sources: Sources, shop: Workshop, run_id: str
) -> tuple[ActionRecord, bool]:
    def make(folder: Path) -> Produced:
        _need("torch", "transformers", "onnxruntime", stage="export")
        shop.progress.event("export", f"{recipe.checkpoint.source} at opset {recipe.export.opset}")
        commit, revision = sources.checkpoint.commit, recipe.checkpoint.revision
        if commit is not None and commit != revision:
            moving = f"revision {revision or 'main'} may move; it is commit {commit} now"
            shop.progress.event("export", f"{moving}: pin it with checkpoint.revision")
        images = list(islice(evaluation_images(recipe), CHECK_IMAGES))
        done = export(recipe, sources.checkpoint.folder, images, folder)
        facts: dict[str, Json] = {
            "summary": f"{_megabytes(done.path)}, against torch on {done.images} images: "
            f"max abs difference {done.max_abs_diff:.1e}, ArgMax agreement {done.agreement:.2%}",
            "max_abs_diff": done.max_abs_diff,
            "agreement": done.agreement,
            "ops": dict(done.ops),
            "commit": sources.checkpoint.commit,
        }
        return Produced({"onnx": done.path}, facts)

    wanted = export_wanted(recipe, sources.checkpoint, sources.evaluation)
    return _do(wanted, shop, run_id, make)


def _optimize(
    recipe: Recipe, sources: Sources, exported: ActionRecord, shop: Workshop, run_id: str
) -> tuple[ActionRecord, bool]:
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
            "ops_before": dict(done.ops_before),
            "ops_after": dict(done.ops_after),
        }
        return Produced({"onnx": done.path, "reference": done.reference}, facts)

    wanted = optimize_wanted(recipe, source, sources.evaluation)
    return _do(wanted, shop, run_id, make)


def _compile(
    recipe: Recipe, sources: Sources, optimized: ActionRecord, shop: Workshop, run_id: str
) -> tuple[ActionRecord, bool]:
    source = optimized.outputs["onnx"].sha256
    log = shop.logs / run_id / "compile.log"

    def make(folder: Path) -> Produced:
        _, _, height, width = recipe.export.shape
        images = load_images(recipe.compile.calibration, "calibration", height, width)
        with shop.blobs.open(source) as onnx:
            done = compile_model(
                recipe,
                onnx,
                images,
                shop.toolchain,
                sources.toolchain,
                shop.progress,
                folder=folder,
                log=log,
            )
        header, made_by = done.header, sources.toolchain
        simulated = ", SIMULATED" if header.simulated else ""
        facts: dict[str, Json] = {
            "summary": f"{_megabytes(done.axmodel)} axmodel for {header.target} by pulsar2 "
            f"{header.pulsar2_version} ({header.pulsar2_commit}){simulated}",
            "hardware": header.target.hardware,
            "npu_mode": header.target.npu_mode,
            "pulsar2_version": header.pulsar2_version,
            "pulsar2_commit": header.pulsar2_commit,
            "toolchain_digest": made_by.digest,
            "simulated": header.simulated,
            "macs": done.facts.macs,
            "max_cycle": done.facts.max_cycle,
            "subgraphs": done.facts.subgraphs,
            "log": str(log),
        }
        return Produced({"axmodel": done.axmodel, "sidecar": done.sidecar, "log": log}, facts)

    wanted = compile_wanted(recipe, source, sources.calibration, sources.toolchain)
    return _do(wanted, shop, run_id, make)


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


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.2f} MB"
