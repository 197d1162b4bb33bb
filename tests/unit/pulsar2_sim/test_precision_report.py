"""What a build with precision analysis prints and leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from containers.pulsar2_sim.likeness import Likeness
from containers.pulsar2_sim.precision_analysis import Row
from containers.pulsar2_sim.precision_report import mermaid
from containers.pulsar2_sim.table import rich_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.pulsar2_sim.conftest import Bench

COLUMNS = ["Operator", "Type", "Output Tensor", "Shape", "DType", "QDType", "Cosin", "MSE"]


@pytest.mark.parametrize(
    ("left", "right", "cosine", "mse"),
    [
        ([0, 0], [0, 0], 1, 0),
        ([0, 0], [0, 2], 0, 2),
        ([1, 0], [0, 1], 0, 1),
        ([3, 4], [-3, -4], -1, 50),
    ],
)
def test_likeness_of_small_vectors(
    left: list[float], right: list[float], cosine: float, mse: float
) -> None:
    likeness = Likeness()

    likeness.add(np.array(left), np.array(right))

    assert (likeness.cosine, likeness.mse) == (cosine, mse)


def test_an_operator_with_quotes_does_not_break_the_graph() -> None:
    rows = [
        Row('a"b', "AxRelu", "t", (1,), "FP32", "U8", 0.5, 0.1, ()),
        Row("c", "AxAdd", "u", (1,), "FP32", "U8", 0.25, 0.1, ("t", "input")),
    ]

    assert mermaid(rows).splitlines() == [
        "graph TD",
        '    n0["a#quot;b<br/>AxRelu<br/>0.50000"]',
        '    n1["c<br/>AxAdd<br/>0.25000"]',
        "    n0 --> n1",
    ]


def test_a_narrow_table_fits_and_a_wide_one_keeps_every_word() -> None:
    rows = [["/model/stages.0/patch_embeddings/Reshape", "(1, 2, 3)"], ["b", "(4,)"]]

    narrow = rich_table("title", ["Operator", "Shape"], rows, 30).splitlines()
    wide = rich_table("title", ["Operator", "Shape"], rows).splitlines()

    assert {len(line) for line in narrow[1:]} == {30}
    assert any("…" in line for line in narrow)
    assert wide[2:5] == [
        "┃ Operator                                 ┃   Shape   ┃",
        "┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━┩",
        "│ /model/stages.0/patch_embeddings/Reshape │ (1, 2, 3) │",
    ]


def _table(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.replace("┃", "│").strip("│").split("│") for line in lines if line[0] in "┃│"]
    return [[cell.strip() for cell in row] for row in cells]


@pytest.mark.parametrize("method", ["PerLayer", "EndToEnd"])
def test_a_build_leaves_the_table_and_the_graph(bench: Bench, method: str) -> None:
    options = ("--quant.precision_analysis", "--quant.precision_analysis_method", method)

    ended = bench.build(None, *options)

    debug = bench.folder / "out" / "quant" / "debug"
    path = debug / "precision_analysis_table.txt"
    assert ended.code == 0, ended.err
    assert f"Quant Precision Table【{method} Reference】" in path.read_text(encoding="utf-8")
    assert f"Quant Precision Table【{method} Reference】" in ended.out
    header, *rows = _table(path)
    assert header == COLUMNS
    assert [row[:6] for row in rows] == [
        ["Conv_0", "AxQuantizedConv", "active", "(1, 8, 16, 24)", "FP32", "U8"],
        ["Conv_2", "AxQuantizedConv", "logits", "(1, 4, 16, 24)", "FP32", "U8"],
        ["ArgMax_3", "AxQuantizedArgMax", "classes", "(1, 16, 24)", "S64", "S32"],
    ]
    assert all(float(row[6]) > 0.99 for row in rows)
    assert (debug / "precision_analysis.mmd").read_text(encoding="utf-8").startswith("graph TD")
    for file, what in (("_table.txt", "table"), (".mmd", "graph")):
        line = f"save precision analysis {what} to [{debug}/precision_analysis{file}]"
        assert line in ended.err


def test_the_table_of_samples_is_that_of_the_samples(bench: Bench) -> None:
    folder = bench.folder / "samples"
    folder.mkdir()
    (folder / "pixel_values.npy").write_bytes(bench.samples(4)["0003.npy"])
    plain = ("--quant.precision_analysis",)
    table = bench.folder / "out" / "quant" / "debug" / "precision_analysis_table.txt"
    assert bench.build(None, *plain).code == 0
    first = _table(table)

    ended = bench.build(None, *plain, "--quant.input_sample_dir", str(folder))

    assert ended.code == 0, ended.err
    found = _table(table)
    assert [row[:6] for row in found] == [row[:6] for row in first]
    assert [row[7] for row in found] != [row[7] for row in first]


def test_npu_backend_is_said_to_be_simulated(bench: Bench) -> None:
    mode = ("--quant.precision_analysis_mode", "NPUBackend")

    ended = bench.build(None, "--quant.precision_analysis", *mode)

    assert "Quant Precision Table【PerLayer NPUBackend】" in ended.out
    assert "NPUBackend is simulated: its numbers are those of Reference" in ended.err


def test_without_the_option_there_is_no_table(bench: Bench) -> None:
    ended = bench.build()

    assert "Quant Precision Table" not in ended.out
    assert not (bench.folder / "out" / "quant" / "debug" / "precision_analysis_table.txt").exists()
