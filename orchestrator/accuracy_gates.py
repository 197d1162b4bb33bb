"""The gates of accuracy: which of them an outcome breaks, and how sure that is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain import Agreement, BoardOutcome, Gates
from orchestrator.resampling import MIN_IMAGES, Interval


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure that a gate is held against, with its interval, over so many images."""

    label: str
    value: float
    interval: Interval | None
    images: int

    def __str__(self) -> str:
        """`mIoU 0.9123 (95 % interval 0.9011 to 0.9230 over 16 images)`."""
        if self.interval is None:
            few = "1 image" if self.images == 1 else f"{self.images} images"
            return f"{self.label} {self.value:.4f} ({few}, an interval takes {MIN_IMAGES})"
        low, high = self.interval
        over = f"95 % interval {low:.4f} to {high:.4f} over {self.images} images"
        return f"{self.label} {self.value:.4f} ({over})"

    def unsure_of(self, bound: float) -> str:
        """Say whether other images might have ended on the other side of the bound."""
        if self.interval is None or not self.interval[0] <= bound <= self.interval[1]:
            return ""
        return "; the interval includes it: more images would tell"


def broken_accuracy_gates(outcome: BoardOutcome, gates: Gates) -> list[str]:
    """Say of each gate of accuracy that a board breaks by how much; the figure itself decides."""
    broken = []
    for figure, least in (
        (_share(outcome.agreement), gates.min_agreement),
        (_miou(outcome.agreement, "mIoU"), gates.min_miou),
        (_miou(outcome.accuracy, "mIoU against the masks"), gates.min_mask_miou),
    ):
        if figure is not None and least is not None and figure.value < least:
            text = f"{outcome.board}: {figure} is under {least}{figure.unsure_of(least)}"
            broken.append(text)
    loss, most = _loss(outcome.accuracy), gates.max_mask_miou_loss
    if loss is not None and most is not None and loss.value > most:
        broken.append(f"{outcome.board}: {loss} is over {most}{loss.unsure_of(most)}")
    return broken


def _share(found: Agreement | None) -> _Figure | None:
    if found is None:
        return None
    return _Figure("agreement", found.share, found.interval, found.images)


def _miou(found: Agreement | None, label: str) -> _Figure | None:
    if found is None or found.miou is None:
        return None
    return _Figure(label, found.miou, found.miou_interval, found.images)


def _loss(found: Agreement | None) -> _Figure | None:
    figures = {} if found is None else found.figures
    if found is None or "miou_loss" not in figures:
        return None
    bounds = figures.get("miou_loss_low"), figures.get("miou_loss_high")
    known = None if bounds[0] is None or bounds[1] is None else (bounds[0], bounds[1])
    label = f"loss of mIoU against the masks, from float's {figures['float_miou']:.4f}, of"
    return _Figure(label, figures["miou_loss"], known, found.images)
