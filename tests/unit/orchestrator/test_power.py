"""Watts from a hook: read in the steady state, never a reason to fail, never left running."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import power
from orchestrator.domain import Board, Json, Measurement, Power, PowerHook
from orchestrator.power import PowerMeter, power_of, sampled
from orchestrator.power_hook import Sample, environment_of, watts_of
from tests.unit.orchestrator.processes import ends

MS = 1_000_000
#: 100 inferences of 20 ms: a steady state of 2 s.
STEADY = Measurement("b1", 1, 1, (), (20 * MS,) * 100, {}, {}, {})


def board(*command: str, **environment: str) -> Board:
    hook = PowerHook(command, 0.05, environment)
    return Board("ax-1", "10.0.0.1", 22, "root", power=hook)


def shell(text: str, **environment: str) -> Board:
    return board("sh", "-c", text, **environment)


def heard(
    one: Board, enough: Callable[[PowerMeter], bool], call_s: float = power.CALL_S
) -> PowerMeter:
    """Sample until there is enough."""
    ends = time.monotonic() + 30
    with sampled(one, call_s) as meter:
        while not enough(meter):
            assert time.monotonic() < ends, meter.samples
            time.sleep(0.005)
    return meter


def first(one: Board) -> Sample:
    return heard(one, lambda meter: len(meter.samples) > 0).samples[0]


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("6.25", 6.25),
        ("6.25 W\n", 6.25),
        ("ax-1 draws 12 W", 12.0),
        ("power=3.5W", 3.5),
        ("0", 0.0),
        ("", None),
        ("off", None),
        ("-3", None),
        ("nan", None),
    ],
)
def test_the_first_number_is_the_watts(text: str, watts: float | None) -> None:
    assert watts_of(text) == watts


def test_the_samples_in_the_steady_state_make_the_mean_and_the_energy() -> None:
    samples = [Sample(at / 10, 2.0 if at < 70 else 6.0) for at in range(100)]

    found = power_of(samples, STEADY, ended_s=9.9, simulated=False)

    assert found.mean_w == 6.0
    assert found.energy_mj == pytest.approx(6.0 * 20)
    assert found.calls == 100
    assert len(found.watts) == pytest.approx(20, abs=1)
    assert (found.failures, found.remark, found.simulated) == (0, "", False)


def test_the_time_between_blocks_belongs_to_the_steady_state() -> None:
    readings: tuple[dict[str, Json], ...] = ({"at_ns": 0}, {"at_ns": 4_000 * MS})
    slow = replace(STEADY, readings=readings)
    samples = [Sample(at / 10, 5.0) for at in range(100)]

    assert len(power_of(samples, slow, 9.9, simulated=False).watts) > 38


def test_an_instrument_without_samples_is_timed_by_its_own_figures() -> None:
    summary: dict[str, Json] = {"iterations": 100, "mean_ms": 20.0}
    told = Measurement(
        "b1", None, None, (), (), {"instrument": "ax_run_model", "summary": summary}, {}, {}
    )
    samples = [Sample(at / 10, 5.0) for at in range(100)]

    assert power_of(samples, told, 9.9, simulated=False).energy_mj == pytest.approx(100)


def test_no_sample_in_the_steady_state_is_an_empty_cell_and_a_remark() -> None:
    found = power_of([Sample(1.0, 5.0)], STEADY, ended_s=50.0, simulated=False)

    assert (found.mean_w, found.energy_mj, found.watts) == (None, None, ())
    assert "min_duration" in found.remark


def test_a_hook_that_never_answered_is_not_told_of_as_if_it_had() -> None:
    assert "no call ended" in power_of([], STEADY, ended_s=50.0, simulated=False).remark


def test_a_board_without_a_hook_has_no_power() -> None:
    with sampled(Board("ax-1", "10.0.0.1", 22, "root")) as meter:
        pass

    assert meter.samples == []
    assert meter.read(STEADY) is None


def test_a_hook_is_called_again_and_again_and_knows_its_board() -> None:
    one = shell('test "$ORCH_BOARD $ORCH_HOST" = "ax-1 10.0.0.1" && echo 7')

    found = heard(one, lambda meter: len(meter.samples) >= 3)

    assert {sample.watts for sample in found.samples} == {7.0}
    assert [s.at_s for s in found.samples] == sorted(s.at_s for s in found.samples)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (shell("echo no access >&2; exit 3"), "ended with 3, saying: no access"),
        (shell("echo soon"), "no number of watts: soon"),
        (shell("kill -9 $$"), "ended with -9"),
        (board("/nowhere/power"), "/nowhere/power: No such file"),
        (shell("echo 1", PDU_USER="env:ORCH_TEST_IS_NOT_SET"), "ORCH_TEST_IS_NOT_SET is not set"),
    ],
)
def test_a_hook_that_fails_is_a_remark(one: Board, says: str) -> None:
    sample = first(one)
    found = power_of([sample], STEADY, sample.at_s, simulated=False)

    assert sample.watts is None
    assert says in sample.remark
    assert found.failures == 1
    assert found.remark.startswith("power: 1 of 1 calls failed: ")


def test_a_secret_gets_to_the_hook_by_its_environment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_PDU", "somebody")
    one = shell('test "$PDU_USER" = "$LAB_PDU" && echo 4', PDU_USER="env:LAB_PDU")

    assert first(one).watts == 4.0
    assert one.power is not None
    assert "somebody" not in repr(one)
    found = environment_of(one, one.power, {"LAB_PDU": "somebody"})
    assert isinstance(found, dict)
    assert found["PDU_USER"] == "somebody"


def test_a_hook_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path,
) -> None:
    note = tmp_path / "pid"

    one = shell(f"sleep 600 & echo $! >{shlex.quote(str(note))}; wait")

    sample = heard(one, lambda meter: len(meter.samples) > 0, call_s=0.3).samples[0]

    assert sample.remark == "killed: it came to no end in 0.3 s or 65536 bytes"
    assert ends(note)


def test_the_call_that_is_under_way_ends_with_the_measurement(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    one = shell(f"echo $$ >{shlex.quote(str(note))}; exec sleep 600")

    meter = heard(one, lambda _: note.exists() and note.read_text() != "")

    assert meter.samples == []  # being told to stop is no failure
    assert ends(note)


def test_a_flood_of_words_is_stopped() -> None:
    assert "65536 bytes" in first(shell("while :; do echo words; done")).remark


def test_what_it_says_is_one_short_line() -> None:
    sample = first(shell("i=0; while [ $i -lt 900 ]; do echo words; i=$((i+1)); done"))

    assert sample.remark.startswith("it printed no number of watts: words words")
    assert len(sample.remark) < 300


def test_a_warning_on_stderr_costs_no_reading() -> None:
    assert first(shell("echo try 2 of 3 >&2; echo 5 W")).watts == 5.0


@pytest.mark.parametrize(("text", "simulated"), [("5 W", False), ("5 W (simulated)", True)])
def test_simulated_power_says_so(text: str, simulated: bool) -> None:  # noqa: FBT001 - a table's column
    found: Power = power_of([first(shell(f"echo '{text}'"))], STEADY, 0, simulated=False)

    assert found.simulated is simulated
