"""Accuracy as tables: float ONNX, `pulsar2 run` and the boards beside each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.domain import Agreement, BoardOutcome, RunRecord
from orchestrator.makers import Maker, image_names, makers_of
from orchestrator.resampling import MIN_IMAGES, Interval

#: Where a cell has nothing to say.
_EMPTY = "-"
#: So many images are shown of those that agree least.
_WORST = 5
#: A hash as it is shown.
_SHOWN = 12
#: Figures of an accuracy that have rows of their own.
_OWN_ROWS = {"float_miou", "miou_loss", "miou_loss_low", "miou_loss_high"}


@dataclass(frozen=True, slots=True)
class AccuracyTable:
    """A table for people; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """Give the header, with whether the column holds figures."""
        return [(name, index > 0) for index, name in enumerate(self.header)]


def accuracy_tables(run: RunRecord, outcomes: Sequence[BoardOutcome]) -> list[AccuracyTable]:
    """Give all that can be said: figures, classes, and the images that agree least."""
    tables = (make(run, outcomes) for make in (accuracy_table, class_table, worst_table))
    return [table for table in tables if table is not None]


def accuracy_table(run: RunRecord, outcomes: Sequence[BoardOutcome]) -> AccuracyTable | None:
    """Give every figure of every maker; None where nothing was compared."""
    makers = makers_of(run, outcomes)
    if len(makers) == 1:
        return None
    kinds: list[tuple[str, Callable[[Maker], str]]] = [
        ("images", lambda one: str(one.images) if one.images else _EMPTY),
        ("agreement with float", _share),
        ("  95 % interval", lambda one: _share_interval(one.agreement)),
        ("mIoU against float", lambda one: _miou(one.agreement)),
        ("  95 % interval", lambda one: _miou_interval(one.agreement)),
        ("mIoU against masks", lambda one: _miou(one.accuracy)),
        ("  95 % interval", lambda one: _miou_interval(one.accuracy)),
        ("  less than float by", _loss),
        ("  95 % interval", _loss_interval),
        ("pixels right, by masks", lambda one: _percent(one.accuracy)),
        ("cosine", lambda one: _number(one.cosine, 5)),
        *((name, _figure(name)) for name in _figures(makers)),
        ("answers", lambda one: one.output_sha256[:_SHOWN] or _EMPTY),
    ]
    rows = [(label, *(cell(one) for one in makers)) for label, cell in kinds]
    told = tuple(row for row in rows if any(cell not in {_EMPTY, "reference"} for cell in row[1:]))
    return AccuracyTable("Accuracy", ("", *(one.title for one in makers)), told)


def class_table(run: RunRecord, outcomes: Sequence[BoardOutcome]) -> AccuracyTable | None:
    """Give the IoU of each class, the worst on the boards first; None: the task has no classes."""
    makers = makers_of(run, outcomes)
    masks = any(one.accuracy is not None for one in makers)
    found = [one.accuracy if masks else one.agreement for one in makers]
    kept = [
        (one.title, by.per_class) for one, by in zip(makers, found, strict=True) if by is not None
    ]
    names = list(dict.fromkeys(name for _, classes in kept for name in classes))
    if not names:
        return None
    last = kept[-1][1]
    names.sort(key=lambda name: last.get(name, 1.0))
    rows = tuple((name, *(_number(classes.get(name), 3) for _, classes in kept)) for name in names)
    against = "the masks" if masks else "the float model"
    return AccuracyTable(
        f"IoU of each class against {against}", ("class", *(title for title, _ in kept)), rows
    )


def worst_table(run: RunRecord, outcomes: Sequence[BoardOutcome]) -> AccuracyTable | None:
    """Give the images on which boards agree least with the float model; None: there are none."""
    makers = [one for one in makers_of(run, outcomes) if one.agreement is not None]
    shares = [one.agreement.per_image for one in makers if one.agreement is not None]
    names, count = image_names(run), max(map(len, shares), default=0)
    if not count:
        return None

    def least(index: int) -> float:
        return min(one[index] for one in shares if index < len(one))

    worst = sorted(range(count), key=lambda index: (least(index), index))[:_WORST]
    rows = tuple(
        (
            names[index] if index < len(names) else f"image {index}",
            *(f"{one[index]:.2%}" if index < len(one) else _EMPTY for one in shares),
        )
        for index in worst
    )
    title = f"The {len(rows)} images that agree least with float"
    return AccuracyTable(title, ("image", *(one.title for one in makers)), rows)


def _figures(makers: Iterable[Maker]) -> list[str]:
    """Name what a task compares beside share and mIoU."""
    found = (one.agreement.figures for one in makers if one.agreement is not None)
    return list(
        dict.fromkeys(name for figures in found for name in figures if name not in _OWN_ROWS)
    )


def _figure(name: str) -> Callable[[Maker], str]:
    return lambda one: _number(
        None if one.agreement is None else one.agreement.figures.get(name), 4
    )


def _share(one: Maker) -> str:
    return "reference" if one.agreement is None else f"{one.agreement.share:.2%}"


def _percent(found: Agreement | None) -> str:
    return _EMPTY if found is None else f"{found.share:.2%}"


def _miou(found: Agreement | None) -> str:
    return _EMPTY if found is None else _number(found.miou, 3)


def _share_interval(found: Agreement | None) -> str:
    if found is None or found.interval is None:
        return _no_interval(found)
    low, high = found.interval
    return f"{100 * low:.2f} to {high:.2%}"


def _miou_interval(found: Agreement | None) -> str:
    if found is None or found.miou is None:
        return _EMPTY
    return _no_interval(found) if found.miou_interval is None else _bounds(found.miou_interval)


def _no_interval(found: Agreement | None) -> str:
    return _EMPTY if found is None else f"takes {MIN_IMAGES} images"


def _bounds(interval: Interval) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def _loss(one: Maker) -> str:
    return _number(None if one.accuracy is None else one.accuracy.figures.get("miou_loss"), 4)


def _loss_interval(one: Maker) -> str:
    figures = {} if one.accuracy is None else one.accuracy.figures
    low, high = figures.get("miou_loss_low"), figures.get("miou_loss_high")
    return _EMPTY if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _number(value: float | None, digits: int) -> str:
    return _EMPTY if value is None else f"{value:.{digits}f}"
