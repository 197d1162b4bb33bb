"""From a recipe to something that can be deployed: four cached stages and a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.actions import (
    Sources,
    Task,
    Workshop,
    check_action,
    compile_action,
    export_action,
    optimize_action,
)
from orchestrator.cache import Cache, Wanted
from orchestrator.checkpoint import find_checkpoint
from orchestrator.clock import now
from orchestrator.domain import ActionRecord, KeptRelease, Recipe, Release
from orchestrator.errors import GateFailed
from orchestrator.images import fingerprint
from orchestrator.plan import check_wanted, compile_wanted, export_wanted, optimize_wanted
from orchestrator.pulsar2.build_config import build_config
from orchestrator.release import keep_inputs, make_release
from orchestrator.seams import Toolchain


@dataclass(frozen=True, slots=True)
class Built:
    """The finished actions, and what is deployed; `checked` is None where it is left out."""

    exported: ActionRecord
    optimized: ActionRecord
    compiled: ActionRecord
    checked: ActionRecord | None
    hits: Mapping[str, bool]
    release: Release

    @property
    def actions(self) -> tuple[ActionRecord, ...]:
        """All of them, in the order of the work."""
        checked = () if self.checked is None else (self.checked,)
        return (self.exported, self.optimized, self.compiled, *checked)


def find_sources(recipe: Recipe, toolchain: Toolchain) -> Sources:
    """Find all inputs of a build. Raises ConfigError, ToolchainError: nothing was begun."""
    identity = toolchain.identity()
    build_config(recipe, identity.version)
    return Sources(
        checkpoint=find_checkpoint(recipe.checkpoint),
        evaluation=fingerprint(recipe.evaluation, "evaluation"),
        calibration=fingerprint(recipe.compile.calibration, "calibration"),
        toolchain=identity,
    )


def build(recipe: Recipe, shop: Workshop, run_id: str) -> Built:
    """Give the release of a recipe; each stage is done only when its key is new."""
    task = Task(recipe, find_sources(recipe, shop.toolchain), shop, run_id)
    exported, had_onnx = export_action(task)
    optimized, had_graph = optimize_action(task, exported)
    compiled, had_axmodel = compile_action(task, optimized)
    hits = {"export": had_onnx, "optimize": had_graph, "compile": had_axmodel}
    checked = None
    if recipe.check.images:
        checked, hits["check"] = check_action(task, optimized, compiled)
        hold_to_gates(recipe, checked)
    actions = [one for one in (exported, optimized, compiled, checked) if one is not None]
    release = _keep_release(recipe, shop, compiled, tuple(one.key for one in actions))
    return Built(exported, optimized, compiled, checked, hits, release)


def walk_stages(
    recipe: Recipe, sources: Sources, cache: Cache
) -> Iterator[tuple[Wanted, ActionRecord | None]]:
    """Give what each stage has to make, with the finished action; do nothing.

    A stage behind one that is not finished has no key yet, so the first such is the last.
    """
    made_by = sources.toolchain
    export = export_wanted(recipe, sources.checkpoint, sources.evaluation)
    yield export, (exported := cache.find(export))
    if exported is None:
        return
    optimize = optimize_wanted(recipe, exported.outputs["onnx"].sha256, sources.evaluation)
    yield optimize, (optimized := cache.find(optimize))
    if optimized is None:
        return
    onnx = optimized.outputs["onnx"].sha256
    build_it = compile_wanted(recipe, onnx, sources.calibration, made_by)
    yield build_it, (compiled := cache.find(build_it))
    if compiled is not None and recipe.check.images:
        axmodel = compiled.outputs["axmodel"].sha256
        check = check_wanted(recipe, onnx, axmodel, sources.evaluation, made_by)
        yield check, cache.find(check)


def find_built(recipe: Recipe, sources: Sources, cache: Cache) -> Built | None:
    """Give what `build` would, where nothing is left to be done; write nothing down."""
    walked = [action for _, action in walk_stages(recipe, sources, cache)]
    found = {action.stage: action for action in walked if action is not None}
    if len(found) < (4 if recipe.check.images else 3):
        return None
    compiled = found["compile"]
    release = make_release(recipe, compiled, keep_inputs(recipe, cache.blobs))
    hits = dict.fromkeys(found, True)
    return Built(found["export"], found["optimize"], compiled, found.get("check"), hits, release)


def _keep_release(
    recipe: Recipe, shop: Workshop, compiled: ActionRecord, keys: tuple[str, ...]
) -> Release:
    """Give the release, and write down what it needs, so that the cache keeps it."""
    with shop.cache.steady():
        inputs = keep_inputs(recipe, shop.blobs)
        release = make_release(recipe, compiled, inputs)
        kept = KeptRelease(release.release_id, recipe.name, keys, inputs, now())
        shop.cache.ledger.record_release(kept)
    return release


def hold_to_gates(recipe: Recipe, checked: ActionRecord) -> None:
    """Ship nothing that the recipe's `check` does not allow. Raises GateFailed."""
    rules = recipe.check
    for label, value, least in (
        ("agreement", checked.facts["agreement"], rules.min_agreement),
        ("mIoU", checked.facts["miou"], rules.min_miou),
        ("cosine", checked.facts["cosine"], rules.min_cosine),
    ):
        if least is not None and isinstance(value, float) and value < least:
            raise GateFailed(
                f"{recipe.name}: under pulsar2 run its {label} with the float model is "
                f"{value:.4f}, the recipe's check wants {least}",
                "nothing was shipped; compile.precision_analysis names the layers that lose most",
            )
