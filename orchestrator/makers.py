"""Who answered in a run, and how right: what a run's summary and its outcomes say of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.domain import Agreement, BoardOutcome, Json, RunRecord
from orchestrator.resampling import Interval

#: More names than these do not go over a column.
_NAMES = 2


@dataclass(frozen=True, slots=True)
class Maker:
    """Somebody who answers: the float model, `pulsar2 run`, boards with the same answers.

    Attributes:
        agreement: with the float model; None: it is the float model.
        accuracy: against the masks; None: there are none.
    """

    title: str
    images: int
    agreement: Agreement | None
    accuracy: Agreement | None
    output_sha256: str = ""
    cosine: float | None = None


def makers_of(run: RunRecord, outcomes: Iterable[BoardOutcome]) -> tuple[Maker, ...]:
    """Give the float model, `pulsar2 run` where it ran, and the boards by what they answered."""
    kept = _object(run.summary.get("accuracy"))
    reference, simulator = _object(kept.get("float")), _object(kept.get("pulsar2_run"))
    makers = [_on_host("float ONNX", reference)]
    if simulator:
        simulated = " (simulated)" if simulator.get("simulated") is True else ""
        makers.append(_on_host(f"pulsar2 run{simulated}", simulator))
    alike: dict[str, list[BoardOutcome]] = {}
    for one in outcomes:
        if one.agreement is not None:
            alike.setdefault(one.output_sha256 or one.board, []).append(one)
    return (*makers, *(_boards(group, alone=len(alike) == 1) for group in alike.values()))


def _on_host(title: str, kept: dict[str, Json]) -> Maker:
    images = kept.get("images")
    return Maker(
        title,
        images if isinstance(images, int) else 0,
        read_agreement(kept.get("agreement")),
        read_agreement(kept.get("accuracy")),
        str(kept.get("output_sha256") or ""),
        _float(kept.get("cosine")),
    )


def _boards(group: Sequence[BoardOutcome], *, alone: bool) -> Maker:
    """Put boards with the same answers into one column."""
    first, names = group[0], [one.board for one in group]
    title = " ".join(names)
    if len(names) > _NAMES:
        title = f"{len(names)} boards" if alone else f"{names[0]} and {len(names) - 1} more"
    if any(one.simulated for one in group):
        title += " (simulated)"
    images = 0 if first.agreement is None else first.agreement.images
    return Maker(title, images, first.agreement, first.accuracy, first.output_sha256)


def image_names(run: RunRecord) -> list[str]:
    """Name the evaluation images of a run, in order."""
    names = _object(run.summary.get("accuracy")).get("images")
    return [str(name) for name in names] if isinstance(names, list) else []


def read_agreement(kept: Json) -> Agreement | None:
    """Give an agreement that a run's summary holds; None where it holds none."""
    values = _object(kept)
    share, images, per_image = (values.get(key) for key in ("share", "images", "per_image"))
    if not isinstance(share, int | float) or not isinstance(images, int):
        return None
    return Agreement(
        share=share,
        miou=_float(values.get("miou")),
        per_image=_floats(per_image),
        images=images,
        interval=_interval(values.get("interval")),
        per_class=_by_name(values.get("per_class")),
        figures=_by_name(values.get("figures")),
        miou_interval=_interval(values.get("miou_interval")),
    )


def _object(kept: Json) -> dict[str, Json]:
    return kept if isinstance(kept, dict) else {}


def _float(kept: Json) -> float | None:
    return float(kept) if isinstance(kept, int | float) else None


def _floats(kept: Json) -> tuple[float, ...]:
    values = kept if isinstance(kept, list) else []
    return tuple(float(one) for one in values if isinstance(one, int | float))


def _interval(kept: Json) -> Interval | None:
    bounds = _floats(kept)
    return (bounds[0], bounds[1]) if len(bounds) == 2 else None  # noqa: PLR2004 - low and high


def _by_name(kept: Json) -> dict[str, float]:
    return {name: float(one) for name, one in _object(kept).items() if isinstance(one, int | float)}
