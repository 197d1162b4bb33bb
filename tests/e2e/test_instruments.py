"""A second instrument, company on the NPU and watts, as a user asks for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[2] / "orchestrator/recipes/segformer-tiny.yaml"
INVENTORY = """\
boards:
  sim-01:
    simulated: true
    power: {command: [sh, -c, 'echo "$ORCH_BOARD draws 6.25 W"'], interval_s: 0.05}
fleets:
  sim: {boards: [sim-01], recipe: tiny.yaml, toolchain: sim}
"""


@dataclass(frozen=True, slots=True)
class Measured(Desk):
    def board(self, *argv: str) -> dict[str, Any]:
        code, out, err = self.orch(*argv, "--fleet", "sim", "--iterations", "30", "--json")
        assert code == 0, err
        outcome: dict[str, Any] = json.loads(out)["boards"][0]["outcome"]
        return outcome


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "inventory.yaml").write_text(INVENTORY)
    text = RECIPE.read_text().replace("run:", "run:\n  instruments: [axengine, ax_run_model]")
    (folder / "tiny.yaml").write_text(text)
    return Measured(folder)


def test_the_tool_and_the_watts_stand_beside_the_latency(desk: Measured) -> None:
    found = desk.board("deploy")

    assert len(found["measurement"]["samples_ns"]) == 30
    tool, power = found["tool"], found["power"]
    assert (tool["error_code"], tool["iterations"]) == ("", 30)
    assert 0 < tool["min_ms"] <= tool["median_ms"] <= tool["max_ms"]
    assert "simulated by orch" in tool["runtime"]["tool_version"]
    assert (power["failures"], power["simulated"]) == (0, True)
    assert {power["mean_w"], *power["watts"]} == {6.25}
    assert power["energy_mj"] > 0
    table = desk.orch("report")[1]
    assert "NPU (ax_run_model) beside Python end to end" in table
    assert "6.25 simulated" in table


@pytest.mark.parametrize(
    ("options", "instrument", "count"),
    [
        (("--contend", "2"), "axengine", 2),
        (("--contend-with", "tiny"), "axengine", 2),
        (("--affinity", "1,6"), "ax_run_model", 2),
    ],
)
def test_company_slows_a_board_down_and_leaves_its_latency_alone(
    desk: Measured, options: tuple[str, ...], instrument: str, count: int
) -> None:
    desk.board("deploy")  # nothing is new but in the first test that runs

    found = desk.board("run", *options)

    contention = found["contention"]
    assert (contention["instrument"], contention["error_code"]) == (instrument, "")
    assert len(contention["contenders"]) == count
    assert all(one["together_ms"] > 0 for one in contention["contenders"])
    assert 0 < contention["overlap"] <= 1
    assert len(found["measurement"]["samples_ns"]) == 30
    assert "slowdown" in desk.orch("report")[1]


def test_company_that_was_never_deployed_is_an_error_before_anything_is_built(
    desk: Measured,
) -> None:
    code, _, err = desk.orch("run", "--fleet", "sim", "--contend-with", "nobody")

    assert code == 2
    assert "nobody: neither a release nor a recipe that was deployed" in err
