from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from orchestrator.errors import CompileError
from orchestrator.pulsar2.precision import (
    HEADER,
    LayerPrecision,
    display_rows,
    read_precision_table,
    worst,
)

LOGS = Path(__file__).parent / "logs"
TABLES = sorted(LOGS.glob("precision-*.txt"))
WHOLE = (LOGS / "precision-perlayer.txt").read_text()

CONV = LayerPrecision(
    operator="/enc/Conv_0",
    op_type="AxQuantizedConv",
    tensor="/enc/Conv_0_output_0",
    shape=(1, 32, 16, 24),
    dtype="FP32",
    qdtype="U8",
    cosine=0.99993,
    mse=0.00003,
)
NAMES = [
    *("/enc/Conv_0", "/enc/MatMul_1", "/enc/Softmax"),
    *("/head/Zero", "/head/Bad", "logits_DequantizeLinear"),
]


def test_a_table_becomes_values() -> None:
    table = read_precision_table(WHOLE)

    assert (table.method, table.mode) == ("PerLayer", "Reference")
    assert table.rows[0] == CONV
    assert [row.operator for row in table.rows] == NAMES


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_every_shape_of_table_gives_the_same_layers(path: Path) -> None:
    table = read_precision_table(path.read_text())

    assert [row.operator for row in table.rows] == NAMES
    assert [row.cosine for row in table.rows[:3]] == [0.99993, 0.9701, 0.9125]


@pytest.mark.parametrize("name", ["precision-folded.txt", "precision-folded-without-rules.txt"])
def test_folded_cells_are_put_together(name: str) -> None:
    table = read_precision_table((LOGS / name).read_text())

    assert table.rows[0] == CONV
    assert table.rows[2].shape == (1, 2, 384, 384)


def test_the_title_tells_method_and_mode() -> None:
    table = read_precision_table((LOGS / "precision-folded.txt").read_text())

    assert (table.method, table.mode) == ("EndToEnd", "NPUBackend")


def test_missing_columns_are_empty() -> None:
    row = read_precision_table((LOGS / "precision-without-mse.txt").read_text()).rows[0]

    assert (row.op_type, row.shape, row.qdtype) == ("AxQuantizedConv", (), "")
    assert math.isnan(row.mse)


def test_a_table_without_a_title_is_read() -> None:
    table = read_precision_table("\n".join(WHOLE.splitlines()[1:]))

    assert (table.method, table.mode, len(table.rows)) == ("", "", 6)


def test_further_outputs_of_a_layer_have_its_name() -> None:
    text = (
        "│ Operator │ Type    │ Tensor │ Cosin   │\n├──────────┼─────────┼────────┼─────────┤\n"
        "│ Split_0  │ AxSplit │ a      │ 0.99000 │\n│          │         │ b      │ 0.98000 │\n"
    )

    rows = read_precision_table(text).rows

    assert [(row.operator, row.op_type, row.tensor, row.cosine) for row in rows] == [
        ("Split_0", "AxSplit", "a", 0.99),
        ("Split_0", "AxSplit", "b", 0.98),
    ]


def test_unknown_columns_are_passed_over() -> None:
    text = "| Operator | Mood | Cosine |\n|-------|------|-----|\n| Conv_0 | good | 0.5 |\n"

    assert read_precision_table(text).rows[0].cosine == 0.5


def test_what_a_narrow_terminal_cut_off_is_not_made_up() -> None:
    text = (
        "┃ Oper… ┃ Outp… ┃ Shape  ┃ Cosin ┃\n"
        "┃       ┃ Tens… ┃        ┃       ┃\n"
        "┡━━━━━━━╇━━━━━━━╇━━━━━━━━╇━━━━━━━┩\n"
        "│ Conv… │ t     │ (1, 2… │ 0.99… │\n"
        "└───────┴───────┴────────┴───────┘\n"
    )

    (row,) = read_precision_table(text).rows

    assert (row.operator, row.shape, row.cosine) == ("Conv…", (), 0.99)


def test_the_table_is_found_in_a_log() -> None:
    text = (LOGS / "success-7.0.log").read_bytes().decode(errors="replace")

    assert len(read_precision_table(text).rows) == 6


def test_the_first_table_counts() -> None:
    table = read_precision_table(WHOLE + "\n" + WHOLE.replace("/enc/Conv_0", "/other"))

    assert [row.operator for row in table.rows] == NAMES


def test_the_worst_layers_come_first() -> None:
    table = read_precision_table(WHOLE)

    assert [row.operator for row in worst(table, 3)] == [
        "/head/Bad",
        "/enc/Softmax",
        "/enc/MatMul_1",
    ]


def test_a_tensor_of_zeros_that_stayed_zeros_is_the_best() -> None:
    assert worst(read_precision_table(WHOLE))[-1].operator == "/head/Zero"


def test_layers_are_shown_under_the_header() -> None:
    rows = display_rows([CONV])

    assert rows == [
        [
            *("/enc/Conv_0", "AxQuantizedConv", "/enc/Conv_0_output_0", "1x32x16x24"),
            *("FP32", "U8", "0.99993", "0.00003"),
        ]
    ]
    assert len(rows[0]) == len(HEADER)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no header with the columns operator and cosine in its 0 lines"),
        ("a line\nanother\n", "no header with the columns operator and cosine in its 2 lines"),
        (
            "| Operator | Cosin |\n|-----|-----|\n| a | high |\n",
            "line 3 has the cosine 'high', not a number",
        ),
        (
            "| Operator | Cosin |\n|-----|-----|\n| a | 0.5 |\n| b |\n",
            "line 4 has 1 cells, its header has 2",
        ),
    ],
)
def test_bad_text_is_refused_by_its_line(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        read_precision_table(text)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_a_table_cut_anywhere_is_read_or_refused(path: Path) -> None:
    content = path.read_bytes()

    for cut in random.Random(8).sample(range(len(content)), 200):  # noqa: S311 - no secret
        try:
            table = read_precision_table(content[:cut].decode(errors="replace"))
        except CompileError as error:
            assert "precision table" in error.message  # noqa: PT017 - either end is fine
        else:
            assert len(table.rows) <= len(NAMES)
