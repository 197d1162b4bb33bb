"""A small grid of ways to quantize one model, each built and checked, and which are best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from orchestrator.actions import (
    Task,
    Workshop,
    check_action,
    compile_action,
    export_action,
    optimize_action,
)
from orchestrator.building import find_sources
from orchestrator.domain import ActionRecord, Json, Recipe, Target
from orchestrator.errors import CompileError, ConfigError, DeadlineError
from orchestrator.pulsar2.build_config import merge
from orchestrator.pulsar2.precision import read_precision_table, worst

#: What a build is asked for to learn which layers lose most.
_ANALYSIS = "PerLayer"
#: How the table calls activations that can be raised to 16 bits.
_8_BITS = frozenset({"U8", "S8"})


@dataclass(frozen=True, slots=True)
class Point:
    """One way to quantize: the `u16_layers` worst layers get 16-bit activations."""

    npu_mode: str
    calibration_method: str
    smooth_quant: bool
    u16_layers: int


@dataclass(frozen=True, slots=True)
class Tried:
    """A point and what came of it; the figures are None where it failed with `error`.

    Attributes:
        agreement: with the float model under `pulsar2 run`, share of pixels, 0..1.
        keys: what the point puts over `compile.pulsar2` of the recipe.
        max_cycle: as the compiler predicts; None also where its log does not say.
        best: no other point is at least as good in everything and better in something.
    """

    point: Point
    agreement: float | None = None
    miou: float | None = None
    size_bytes: int | None = None
    max_cycle: int | None = None
    keys: Mapping[str, Json] = field(default_factory=dict)
    error: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """The values to combine."""

    npu_modes: tuple[str, ...]
    calibration_methods: tuple[str, ...]
    smooth_quant: tuple[bool, ...]
    u16_layers: tuple[int, ...]

    def points(self) -> list[Point]:
        """Give every combination, in the order in which they are tried."""
        axes = (self.npu_modes, self.calibration_methods, self.smooth_quant, self.u16_layers)
        return [Point(*values) for values in product(*axes)]


def tune(recipe: Recipe, grid: Grid, shop: Workshop, run_id: str) -> Iterator[Tried]:
    """Build and check every point; each is a cached action, so a second time costs nothing.

    Raises:
        ConfigError: the recipe leaves the check out, or the worst layers cannot be told.
    """
    if not recipe.check.images:
        raise ConfigError(
            f"{recipe.name}: check.images is 0, so no point can be judged",
            "give the check some images",
        )
    task = Task(recipe, find_sources(recipe, shop.toolchain), shop, run_id)
    exported, _ = export_action(task)
    optimized, _ = optimize_action(task, exported)
    wanted = max(grid.u16_layers)
    layers = _worst_layers(task, optimized)[:wanted] if wanted else []
    if len(layers) < wanted:
        raise ConfigError(
            f"{recipe.name}: it has {len(layers)} layers of 8 bits, --u16 asks for {wanted}"
        )
    for point in grid.points():
        chosen = replace(task, recipe=variant(recipe, point, layers))
        yield replace(_try(chosen, optimized, point), keys=keys_of(recipe, point, layers))


def _worst_layers(task: Task, optimized: ActionRecord) -> list[str]:
    """Build the recipe as it is with precision analysis; name its 8-bit layers, the worst first."""
    plain = replace(task.recipe.compile, precision_analysis=_ANALYSIS)
    analysing = replace(task, recipe=replace(task.recipe, compile=plain))
    analysed, _ = compile_action(analysing, optimized)
    if "precision" not in analysed.outputs:
        return []
    with task.shop.blobs.open(analysed.outputs["precision"].sha256) as path:
        table = read_precision_table(path.read_text(encoding="utf-8"))
    names = [one.operator for one in worst(table, len(table.rows)) if one.qdtype in _8_BITS]
    return list(dict.fromkeys(names))


def variant(recipe: Recipe, point: Point, layers: Sequence[str]) -> Recipe:
    """Give the recipe that asks for this point; `layers` are the worst ones, in order."""
    plan = recipe.compile
    compiled = replace(
        plan,
        target=Target(plan.target.hardware, point.npu_mode),
        calibration_method=point.calibration_method,
        pulsar2=merge(dict(plan.pulsar2), keys_of(recipe, point, layers)),
    )
    return replace(recipe, compile=compiled)


def keys_of(recipe: Recipe, point: Point, layers: Sequence[str]) -> dict[str, Json]:
    """Give the raw keys of the build config that a point needs over the recipe's own."""
    quant: dict[str, Json] = {}
    if point.smooth_quant:
        quant["enable_smooth_quant"] = True
    if point.u16_layers:
        names: list[Json] = list(layers[: point.u16_layers])
        own = recipe.compile.pulsar2.get("quant")
        before = own.get("layer_configs") if isinstance(own, dict) else None
        raised: Json = {"layer_names": names, "data_type": "U16"}
        quant["layer_configs"] = [*(before if isinstance(before, list) else []), raised]
    return {"quant": quant} if quant else {}


def _try(task: Task, optimized: ActionRecord, point: Point) -> Tried:
    try:
        compiled, _ = compile_action(task, optimized)
        checked, _ = check_action(task, optimized, compiled)
    except (CompileError, DeadlineError) as error:
        return Tried(point, error=error.message)
    cycles = compiled.facts.get("max_cycle")
    return Tried(
        point,
        agreement=float(str(checked.facts["agreement"])),
        miou=float(str(checked.facts["miou"])),
        size_bytes=compiled.outputs["axmodel"].size_bytes,
        max_cycle=cycles if isinstance(cycles, int) else None,
    )


def mark_best(tried: Sequence[Tried]) -> list[Tried]:
    """Mark the Pareto front: agreement up, size and predicted cycles down."""
    costs = {id(one): _cost(one) for one in tried if one.agreement is not None}
    return [
        replace(
            one,
            best=id(one) in costs
            and not any(_dominates(other, costs[id(one)]) for other in costs.values()),
        )
        for one in tried
    ]


def _cost(one: Tried) -> tuple[float, float, float]:
    """Give what should be small, in steps that matter: 0.01 % of agreement, 1 kB, one cycle."""
    lost = round((1 - (one.agreement or 0.0)) * 1e4)
    return (lost, round((one.size_bytes or 0) / 1e3), one.max_cycle or 0)


def _dominates(other: tuple[float, ...], cost: tuple[float, ...]) -> bool:
    return other != cost and all(a <= b for a, b in zip(other, cost, strict=True))
