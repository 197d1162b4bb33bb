from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.accuracy_gates import broken_accuracy_gates
from orchestrator.domain import Agreement, BoardOutcome, Gates

NO_GATES = Gates(None, None, None)
AGREED = Agreement(0.97, 0.9, (0.97,) * 16, 16, (0.96, 0.98), miou_interval=(0.88, 0.91))
LOSS = {"float_miou": 0.8, "miou_loss": 0.02, "miou_loss_low": 0.01, "miou_loss_high": 0.03}
RIGHT = Agreement(
    0.92, 0.78, (0.92,) * 16, 16, (0.9, 0.93), figures=LOSS, miou_interval=(0.76, 0.79)
)
JUDGED = BoardOutcome("b1", False, {}, agreement=AGREED, accuracy=RIGHT)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"min_agreement": 0.97}, ""),
        (
            {"min_agreement": 0.99},
            "agreement 0.9700 (95 % interval 0.9600 to 0.9800 over 16 images) is under 0.99",
        ),
        (
            {"min_agreement": 0.975},
            (
                "agreement 0.9700 (95 % interval 0.9600 to 0.9800 over 16 images) is under 0.975; "
                "the interval includes it: more images would tell"
            ),
        ),
        ({"min_miou": 0.9}, ""),
        (
            {"min_miou": 0.95},
            "mIoU 0.9000 (95 % interval 0.8800 to 0.9100 over 16 images) is under 0.95",
        ),
        ({"min_mask_miou": 0.78}, ""),
        (
            {"min_mask_miou": 0.8},
            (
                "mIoU against the masks 0.7800 (95 % interval 0.7600 to 0.7900 over 16 images) is "
                "under 0.8"
            ),
        ),
        ({"max_mask_miou_loss": 0.02}, ""),
        (
            {"max_mask_miou_loss": 0.005},
            (
                "loss of mIoU against the masks, from float's 0.8000, of 0.0200 (95 % interval "
                "0.0100 to 0.0300 over 16 images) is over 0.005"
            ),
        ),
    ],
)
def test_a_gate_that_is_broken_names_the_figure_and_its_interval(
    rule: Mapping[str, float], said: str
) -> None:
    expected = [f"b1: {said}"] if said else []

    assert broken_accuracy_gates(JUDGED, replace(NO_GATES, **rule)) == expected


def test_a_figure_that_is_not_there_breaks_no_gate() -> None:
    every = Gates(1, 1, 1, 1, 1, 1, 0)
    depth = replace(AGREED, miou=None, share=1.0)

    assert broken_accuracy_gates(BoardOutcome("b1", False, {}), every) == []
    assert broken_accuracy_gates(BoardOutcome("b1", False, {}, agreement=depth), every) == []


def test_without_an_interval_it_is_said_that_images_are_few() -> None:
    few = replace(JUDGED, agreement=replace(AGREED, images=4, interval=None))

    assert broken_accuracy_gates(few, replace(NO_GATES, min_agreement=0.99)) == [
        "b1: agreement 0.9700 (4 images, an interval takes 10) is under 0.99"
    ]
