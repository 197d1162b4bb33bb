"""How long a night will take, in what order its boards are visited, and what fits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.domain import Board, Caps, Figures, Recipe

#: Beside its inferences a round loads the model and warms up; a visit connects, checks and hears.
_ROUND_S = 4.0
_VISIT_S = 6.0
#: A round of a model that nobody has measured yet.
_UNKNOWN_ROUND_S = 20.0
#: Of a budget so much is planned for; the rest is for what nobody expects.
_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to be done, as far as one can know.

    Attributes:
        boards: in the order of their visits, the least known first.
        rounds: of each recipe on each board.
        left_out: boards that the budget has no time for.
        seconds: how long it will take.
        unknown: boards and recipes without history, whose time is a guess.
    """

    boards: tuple[str, ...]
    rounds: int
    seconds: float
    left_out: tuple[str, ...] = ()
    unknown: int = 0
    recipes: tuple[str, ...] = ()
    budget_s: float | None = None
    visit_s: Mapping[str, float] = field(default_factory=dict)


def plan(
    boards: Sequence[Board],
    recipes: Sequence[Recipe],
    known: Mapping[tuple[str, str], Sequence[Figures]],
    rounds: int,
    caps: Caps,
    budget_s: float | None = None,
) -> Plan:
    """Plan a night; `known` holds the figures of nights before, by board and recipe."""
    order = sorted(boards, key=lambda one: (_known(one, recipes, known), one.name))
    names = tuple(one.name for one in recipes)
    unknown = sum(not known.get((b.name, r.name)) for b in boards for r in recipes)

    def made(rounds: int, chosen: Sequence[Board]) -> Plan:
        visits = {one.name: _visit_s(one, recipes, known, rounds) for one in chosen}
        left = tuple(one.name for one in order if one not in chosen)
        seconds = _together_s(chosen, visits, caps)
        in_order = tuple(one.name for one in chosen)
        return Plan(in_order, rounds, seconds, left, unknown, names, budget_s, visits)

    found = made(rounds, order)
    if budget_s is None:
        return found
    while found.seconds > budget_s * _SHARE and found.rounds > 1:
        found = made(found.rounds - 1, order)
    while found.seconds > budget_s * _SHARE and len(found.boards) > 1:
        fewer = max(1, int(len(found.boards) * min(0.9, budget_s * _SHARE / found.seconds)))
        found = made(1, order[:fewer])
    return found


def in_words(plan: Plan) -> str:
    """Say it in a line: `40 boards, 3 recipes, 5 rounds each: about 1 h 12 min of 2 h`."""
    counts = (
        f"{_count(len(plan.boards), 'board')}, {_count(len(plan.recipes), 'recipe')}, "
        f"{_count(plan.rounds, 'round')} each"
    )
    guess = " (times of what was never measured are a guess)" if plan.unknown else ""
    within = "" if plan.budget_s is None else f" of {duration(plan.budget_s)}"
    left = ""
    if plan.left_out:
        left = f"; no time for {_count(len(plan.left_out), 'board')}: {' '.join(plan.left_out)}"
    return f"{counts}: about {duration(plan.seconds)}{within}{guess}{left}"


def duration(seconds: float) -> str:
    """Write seconds for people: `40 s`, `12 min`, `1 h 12 min`."""
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _known(
    board: Board, recipes: Sequence[Recipe], known: Mapping[tuple[str, str], Sequence[Figures]]
) -> tuple[int, str]:
    """Give how little is known of a board: its fewest usable nights, then how long ago."""
    nights = [
        [one for one in known.get((board.name, recipe.name), ()) if one.usable]
        for recipe in recipes
    ]
    newest = [max((one.at for one in of_recipe), default="") for of_recipe in nights]
    return min(map(len, nights), default=0), min(newest, default="")


def _visit_s(
    board: Board,
    recipes: Sequence[Recipe],
    known: Mapping[tuple[str, str], Sequence[Figures]],
    rounds: int,
) -> float:
    return _VISIT_S + sum(
        rounds * _round_s(recipe, known.get((board.name, recipe.name), ())) for recipe in recipes
    )


def _round_s(recipe: Recipe, nights: Sequence[Figures]) -> float:
    medians = [one.p50_ms for one in nights if one.p50_ms is not None]
    if not medians:
        return recipe.run.min_duration_s or _UNKNOWN_ROUND_S
    # Warm-up and images take about as long again as a tenth of the samples.
    timed = 1.1 * recipe.run.iterations * medians[0] / 1000
    return _ROUND_S + max(timed, recipe.run.min_duration_s or 0.0)


def _together_s(boards: Sequence[Board], visits: Mapping[str, float], caps: Caps) -> float:
    """Give how long visits take side by side: no slot, site or switch does two things at once."""
    if not boards:
        return 0.0
    bounds = [max(visits.values()), sum(visits.values()) / min(caps.in_all, len(boards))]
    for name, most in caps.sites.items():
        bounds.append(sum(visits[one.name] for one in boards if one.site == name) / most)
    for name, most in caps.switches.items():
        bounds.append(sum(visits[one.name] for one in boards if one.switch == name) / most)
    return max(bounds)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
