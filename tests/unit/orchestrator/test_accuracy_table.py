from __future__ import annotations

from dataclasses import replace

from orchestrator.accuracy_table import (
    AccuracyTable,
    accuracy_table,
    accuracy_tables,
    class_table,
    worst_table,
)
from orchestrator.domain import Agreement, BoardOutcome, Json, RunRecord
from orchestrator.hashing import as_json

RUN = RunRecord("r", "deploy", "f", "small", "t", None, None, {})
PER_IMAGE = (0.99, 0.91, 0.97, 0.98, 0.96, 0.95, 0.9, 0.99, 0.99, 0.99)
AGREED = Agreement(
    0.963,
    0.9,
    PER_IMAGE,
    10,
    (0.94, 0.98),
    {"road": 0.95, "sky": 0.85},
    miou_interval=(0.88, 0.92),
)
LOSS = {"float_miou": 0.8, "miou_loss": 0.01, "miou_loss_low": 0.002, "miou_loss_high": 0.02}
RIGHT = replace(AGREED, share=0.92, miou=0.79, figures=LOSS, per_class={"road": 0.7, "sky": 0.88})
SIMULATOR = Agreement(0.98, 0.95, (0.99, 0.97), 2, per_class={"road": 0.96, "sky": 0.94})


def run_of(*, masks: bool = False) -> RunRecord:
    kept: dict[str, Json] = {
        "images": [f"street-{number}" for number in range(10)],
        "float": {
            "images": 10,
            "accuracy": as_json(replace(RIGHT, miou=0.8, figures={})) if masks else None,
            "output_sha256": "f" * 64,
        },
        "pulsar2_run": {
            "images": 2,
            "agreement": as_json(SIMULATOR),
            "accuracy": None,
            "output_sha256": "e" * 64,
            "cosine": 0.9991,
            "simulated": True,
        },
    }
    return replace(RUN, summary={"accuracy": kept})


def board(name: str, sha256: str = "a" * 64, *, masks: bool = False) -> BoardOutcome:
    return BoardOutcome(
        name,
        False,
        {},
        agreement=AGREED,
        accuracy=RIGHT if masks else None,
        output_sha256=sha256,
    )


def cells(table: AccuracyTable | None) -> dict[str, tuple[str, ...]]:
    """The rows by their names; an interval's name is that of the row above it, with `±`."""
    assert table is not None
    found: dict[str, tuple[str, ...]] = {}
    above = ""
    for name, *row in table.rows:
        above = above if "interval" in name else name.strip()
        found[f"{above} ±" if "interval" in name else above] = tuple(row)
    return found


def test_float_and_pulsar2_run_and_boards_stand_beside_each_other() -> None:
    table = accuracy_table(run_of(), [board("b1"), board("b2")])

    assert table is not None
    assert table.header == ("", "float ONNX", "pulsar2 run (simulated)", "b1 b2")
    assert cells(table) == {
        "images": ("10", "2", "10"),
        "agreement with float": ("reference", "98.00%", "96.30%"),
        "agreement with float ±": ("-", "takes 10 images", "94.00 to 98.00%"),
        "mIoU against float": ("-", "0.950", "0.900"),
        "mIoU against float ±": ("-", "takes 10 images", "0.880 to 0.920"),
        "cosine": ("-", "0.99910", "-"),
        "answers": ("f" * 12, "e" * 12, "a" * 12),
    }


def test_masks_add_what_is_right_and_how_far_float_is_ahead() -> None:
    found = cells(accuracy_table(run_of(masks=True), [board("b1", masks=True)]))

    assert found["mIoU against masks"] == ("0.800", "-", "0.790")
    assert found["mIoU against masks ±"] == ("0.880 to 0.920", "-", "0.880 to 0.920")
    assert found["less than float by"] == ("-", "-", "0.0100")
    assert found["less than float by ±"] == ("-", "-", "0.0020 to 0.0200")
    assert found["pixels right, by masks"] == ("92.00%", "-", "92.00%")


def test_boards_with_other_answers_have_a_column_of_their_own() -> None:
    alike = [board(f"b{number}") for number in range(1, 5)]

    one = accuracy_table(run_of(), alike)
    two = accuracy_table(run_of(), [*alike, board("odd", "b" * 64)])

    assert one is not None
    assert two is not None
    assert one.header[3:] == ("4 boards",)
    assert two.header[3:] == ("b1 and 3 more", "odd")


def test_a_ledger_from_before_hashes_shows_every_board_by_itself() -> None:
    table = accuracy_table(RUN, [board("b1", ""), board("b2", "")])

    assert table is not None
    assert table.header == ("", "float ONNX", "b1", "b2")
    assert "answers" not in cells(table)


def test_figures_of_other_tasks_have_their_rows() -> None:
    depth = replace(AGREED, miou=None, figures={"rmse": 0.01234}, per_class={}, miou_interval=None)
    outcome = replace(board("b1"), agreement=depth, simulated=True)

    found = cells(accuracy_table(RUN, [outcome]))

    assert found["rmse"] == ("-", "0.0123")
    assert "mIoU against float" not in found
    assert class_table(RUN, [outcome]) is None


def test_classes_stand_in_the_order_of_their_loss_on_the_boards() -> None:
    against_float = class_table(run_of(), [board("b1")])
    against_masks = class_table(run_of(masks=True), [board("b1", masks=True)])

    assert against_float is not None
    assert against_masks is not None
    assert against_float.title == "IoU of each class against the float model"
    assert against_float.rows == (("sky", "0.940", "0.850"), ("road", "0.960", "0.950"))
    assert against_masks.title == "IoU of each class against the masks"
    assert against_masks.header == ("class", "float ONNX", "b1")
    assert [row[0] for row in against_masks.rows] == ["road", "sky"]


def test_the_images_that_agree_least_are_named() -> None:
    table = worst_table(run_of(), [board("b1")])

    assert table is not None
    assert table.rows[:2] == (("street-6", "-", "90.00%"), ("street-1", "97.00%", "91.00%"))
    assert len(table.rows) == 5


def test_where_nothing_was_compared_there_is_no_accuracy() -> None:
    lost = BoardOutcome("b1", False, {}, error_code="UNREACHABLE", error="gone")

    assert accuracy_tables(RUN, [lost]) == []


def test_what_pulsar2_run_says_is_shown_where_no_board_answers() -> None:
    lost = BoardOutcome("b1", False, {}, error_code="UNREACHABLE", error="gone")

    assert [table.title for table in accuracy_tables(run_of(), [lost])] == [
        "Accuracy",
        "IoU of each class against the float model",
        "The 2 images that agree least with float",
    ]
