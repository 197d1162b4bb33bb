from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.conditions import CONDITION_COLUMNS, condition_rows, findings
from orchestrator.domain import Attempt, BoardOutcome, Evidence, Json, Judged, Measurement

MIB = 1024 * 1024
PLAIN = Measurement("b1", 1, 1, (9,) * 30, (1_000_000,) * 50 + (1_020_000,) * 50, {}, {}, {})
HOT = Judged("THROTTLED", (Evidence("THROTTLED", "temperature_c", "too hot"),))


def outcome(measurement: Measurement | None = PLAIN, *, simulated: bool = False) -> BoardOutcome:
    return BoardOutcome("b1", simulated, {}, measurement=measurement, judged=Judged("VALID"))


def cells(one: BoardOutcome) -> dict[str, str]:
    (row,) = condition_rows([one])
    return dict(zip([name for name, _ in CONDITION_COLUMNS], row, strict=True))


def test_what_no_sensor_told_is_empty() -> None:
    assert cells(outcome()) == {
        "board": "b1",
        "°C": "-",
        "NPU MHz": "-",
        "CMM MiB": "-",
        "drift": "+2.0%",
        "blocks": "-",
        "warm-up": "30",
        "overhead µs": "-",
        "tries": "1",
        "judged": "VALID",
    }


def reading(temperature_c: float, mhz: int, mib: int) -> dict[str, Json]:
    return {"temperature_c": temperature_c, "npu_clock_mhz": mhz, "cmm_used_bytes": mib * MIB}


@pytest.mark.parametrize(
    ("temperatures", "shown"),
    [
        ((50, 55, 60), "50.0 → 60.0"),
        ((50, 71.5, 60), "50.0 → 71.5 → 60.0"),
        ((50, 45, 60), "50.0 → 45.0 → 60.0"),
        ((50, 50, 50), "50.0"),
    ],
)
def test_a_sensor_is_shown_before_and_after_and_what_lies_outside_of_both(
    temperatures: tuple[float, ...], shown: str
) -> None:
    readings = tuple(reading(one, 800, 18) for one in temperatures)
    measured = replace(
        PLAIN, before=readings[0], after=readings[-1], readings=readings, block_sizes=(50, 50)
    )

    assert cells(outcome(measured))["°C"] == shown


def test_clock_and_memory_and_the_warm_ups_end_are_shown() -> None:
    measured = replace(
        PLAIN,
        before=reading(50, 800, 18),
        after=reading(50, 400, 26),
        warmup_ended="steady",
        overhead_ns=1_540,
        block_sizes=(50, 50),
    )

    found = cells(outcome(measured))

    assert (found["NPU MHz"], found["CMM MiB"]) == ("800 → 400", "18.0 → 26.0")
    assert (found["warm-up"], found["overhead µs"], found["blocks"]) == ("steady, 30", "1.5", "2")


def test_boards_that_were_not_measured_have_no_row() -> None:
    assert condition_rows([outcome(None)]) == []


def test_earlier_attempts_are_told_before_what_counts() -> None:
    one = replace(outcome(), attempts=(Attempt(PLAIN, HOT),))

    assert findings([one]) == [("b1", "try 1, p50 1.000 ms: THROTTLED: too hot")]
    assert cells(one)["tries"] == "2"
    assert findings([replace(one, judged=HOT)])[-1] == ("b1", "THROTTLED: too hot")


def test_noise_of_this_machine_is_no_finding_but_a_scripted_boards_is() -> None:
    one = replace(outcome(simulated=True), judged=HOT)
    traced = replace(PLAIN, runtime={"trace": "thermal seed 1"})

    assert findings([one]) == []
    assert findings([replace(one, measurement=traced)]) == [("b1", "THROTTLED: too hot")]
