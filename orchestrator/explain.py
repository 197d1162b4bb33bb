"""Why each stage would hit or miss, without doing any of it."""

from __future__ import annotations

from orchestrator.actions import Sources
from orchestrator.cache import Cache, Explanation
from orchestrator.domain import Recipe
from orchestrator.plan import check_wanted, compile_wanted, export_wanted, optimize_wanted


def explain_stages(recipe: Recipe, sources: Sources, cache: Cache) -> list[Explanation]:
    """Explain export, optimize, compile and check, as far as their inputs are known.

    A stage behind one that misses has no key yet, so the list ends with the first miss.
    """
    export = export_wanted(recipe, sources.checkpoint, sources.evaluation)
    explained = [cache.explain(export)]
    exported = cache.find(export)
    if exported is None:
        return explained
    optimize = optimize_wanted(recipe, exported.outputs["onnx"].sha256, sources.evaluation)
    explained.append(cache.explain(optimize))
    optimized = cache.find(optimize)
    if optimized is None:
        return explained
    onnx = optimized.outputs["onnx"].sha256
    compiled = compile_wanted(recipe, onnx, sources.calibration, sources.toolchain)
    explained.append(cache.explain(compiled))
    made = cache.find(compiled)
    if made is not None and recipe.check.images:
        axmodel = made.outputs["axmodel"].sha256
        check = check_wanted(recipe, onnx, axmodel, sources.evaluation, sources.toolchain)
        explained.append(cache.explain(check))
    return explained


def in_words(explanation: Explanation) -> str:
    """Say it in one line: `hit`, or `miss` and what has changed since the last run."""
    if explanation.hit:
        return f"hit ({explanation.key[:12]})"
    if explanation.last_key is None:
        return "miss: it has never run for this recipe"
    if not explanation.changed:
        return "miss: its files are no longer among the artifacts"
    changes = [
        f"{name}: {_short(before)} → {_short(now)}"
        for name, (before, now) in explanation.changed.items()
    ]
    return "miss: " + "; ".join(changes)


def _short(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= 48 else f"{value[:20]}…{value[-12:]}"  # noqa: PLR2004 - one line
