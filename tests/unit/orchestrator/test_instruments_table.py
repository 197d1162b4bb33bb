"""Other instruments, contention and power have cells and tables of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.domain import (
    BoardOutcome,
    Contender,
    Contention,
    Judged,
    Measurement,
    Power,
    ToolMeasurement,
)
from orchestrator.instruments_table import (
    TOOL_COLUMNS,
    Table,
    instrument_tables,
    power_cells,
    tool_cell,
)

MS = 1_000_000
PLAIN = BoardOutcome(
    "b1",
    simulated=False,
    facts={},
    measurement=Measurement("b1", 1, 1, (), (5 * MS,) * 20, {}, {}, {}),
    judged=Judged("VALID"),
)
TOOL = ToolMeasurement(
    iterations=50,
    min_ms=4.0,
    max_ms=4.5,
    mean_ms=4.25,
    median_ms=4.2,
    percentiles_ms={"90": 4.4, "99": 4.5},
    runtime={"model_type": "3 Core", "cmm_bytes": 10 * 1024 * 1024, "tool_version": "2.5.1a"},
)
POWER = Power(6.25, 31.25, (6.0, 6.5), 9, 0, simulated=False)


def by_name(table: Table, row: int = 0) -> dict[str, str]:
    return dict(zip([name for name, _ in table.columns], table.rows[row], strict=True))


def test_a_plain_run_has_none_of_them() -> None:
    assert instrument_tables([PLAIN]) == []
    assert (tool_cell(PLAIN), power_cells(PLAIN)) == ("-", ("-", "-"))


def test_the_npu_and_python_are_never_in_one_column() -> None:
    (table,) = instrument_tables([replace(PLAIN, tool=TOOL)])

    found = by_name(table)
    assert (found["Python p50 ms"], found["NPU median ms"]) == ("5.000", "4.200")
    assert (found["NPU p90 ms"], found["n"], found["type"]) == ("4.400", "50", "3 Core")
    assert (found["CMM MiB"], found["tool"], found["engine"]) == ("10.0", "2.5.1a", "-")
    assert all(name.startswith(("NPU", "Python")) for name, _ in TOOL_COLUMNS if "ms" in name)


@pytest.mark.parametrize(
    ("tool", "cell"),
    [
        (TOOL, "4.200"),
        (replace(TOOL, median_ms=None), "4.250 mean"),
        (ToolMeasurement(error_code="NO_RUNTIME", error="x"), "-"),
    ],
)
def test_the_cell_of_the_tool_says_when_it_is_a_mean(tool: ToolMeasurement, cell: str) -> None:
    assert tool_cell(replace(PLAIN, tool=tool)) == cell


def test_a_tool_that_failed_says_so_in_its_own_table() -> None:
    failed = replace(PLAIN, tool=ToolMeasurement(error_code="NO_RUNTIME", error="x"))

    (table,) = instrument_tables([failed, PLAIN])

    assert by_name(table)["NPU median ms"] == "failed: NO_RUNTIME"
    assert len(table.rows) == 1


def test_a_contention_has_a_row_for_each_process_and_one_for_all() -> None:
    one = Contender("r1", None, "p50", 10.0, 15.0, 60.0)
    contention = Contention(
        "axengine", (one, replace(one, release_id="r2", affinity=6)), 0.97, {}, {}, Judged("VALID")
    )

    (table,) = instrument_tables([replace(PLAIN, contention=contention)])

    first, second, total = (by_name(table, row) for row in range(3))
    assert (first["alone ms"], first["together ms"], first["slowdown"]) == (
        "10.000",
        "15.000",
        "1.50x",
    )
    assert (first["cores"], second["cores"], second["release"]) == ("-", "0b110", "r2")
    assert (total["process"], total["per s"], total["overlap"], total["verdict"]) == (
        "all",
        "120.0",
        "97%",
        "VALID",
    )


def test_a_contention_that_failed_says_why() -> None:
    failed = Contention("axengine", error_code="CMM_FULL", error="x")

    (table,) = instrument_tables([replace(PLAIN, contention=failed)])

    assert by_name(table)["verdict"] == "failed: CMM_FULL"


def test_simulated_power_says_so_in_its_cells() -> None:
    assert power_cells(replace(PLAIN, power=POWER)) == ("6.25", "31.2")
    pretended = replace(PLAIN, power=replace(POWER, simulated=True))
    assert power_cells(pretended) == ("6.25 simulated", "31.2 simulated")


def test_a_hook_that_gave_nothing_leaves_empty_cells() -> None:
    nothing = replace(POWER, mean_w=None, energy_mj=None, watts=(), failures=9)

    (table,) = instrument_tables([replace(PLAIN, power=nothing)])

    assert power_cells(replace(PLAIN, power=nothing)) == ("-", "-")
    assert (by_name(table)["samples"], by_name(table)["failed"]) == ("0", "9")
