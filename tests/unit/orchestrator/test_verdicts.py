from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from orchestrator.domain import Json, Judged, Measurement, RunSpec
from orchestrator.verdicts import judge

MIB = 1024 * 1024
STEADY = (1_000_000,) * 100
Reading = Mapping[str, Json]


def measured(
    samples_ns: Sequence[int] = STEADY,
    before: Reading | None = None,
    after: Reading | None = None,
    readings: Sequence[Reading] = (),
) -> Measurement:
    """With readings, the samples are in as many blocks as there are readings after the first."""
    blocks = max(len(readings) - 1, 0)
    sizes = (len(samples_ns) // blocks,) * blocks if blocks else ()
    plain = Measurement("b", 1, 1, (), tuple(samples_ns), {}, before or {}, after or {})
    return replace(plain, block_sizes=sizes, readings=tuple(readings))


def said(judged: Judged) -> list[str]:
    return [str(one) for one in judged.evidence]


def steps(*ms_of_blocks: float, each: int = 10) -> list[int]:
    """Samples in blocks, each block of one latency."""
    return [round(ms * 1_000_000) for ms in ms_of_blocks for _ in range(each)]


# ------------------------------------------------------------------------------------- INVALID
@pytest.mark.parametrize(
    ("samples", "evidence"),
    [
        ([], "there are no samples"),
        ([5, 0, 5], "sample 2 of 3 is 0 ns"),
        ([5, -1, -2], "sample 2 of 3 is -1 ns, and 1 more like it"),
        ([float("nan")], "sample 1 of 1 is nan ns"),
    ],
)
def test_no_samples_or_times_that_cannot_be_are_invalid(samples: list[int], evidence: str) -> None:
    judged = judge(measured(samples))

    assert (judged.verdict, said(judged)) == ("INVALID", [evidence])


@pytest.mark.parametrize(
    ("n", "seconds", "verdict"),
    [
        (100, None, "VALID"),
        (99, None, "INVALID"),
        (101, None, "INVALID"),
        (101, 2.0, "VALID"),
        (99, 2.0, "INVALID"),
    ],
)
def test_another_count_than_was_asked_for_is_invalid(
    n: int, seconds: float | None, verdict: str
) -> None:
    asked = RunSpec(None, 100, 60.0, seconds)

    judged = judge(measured([1_000_000] * n), asked)

    assert judged.verdict == verdict
    assert verdict == "VALID" or f"{n} samples came back, 100" in said(judged)[0]


def test_parts_or_blocks_that_do_not_fit_the_samples_are_invalid() -> None:
    one = replace(measured(), block_sizes=(50, 49), parts_ns={"npu": (1,) * 99})

    assert said(judge(one)) == [
        "npu has 99 times, there are 100 samples",
        "2 blocks hold 99 samples, 100 came back",
    ]


def test_nothing_is_found_of_what_is_no_measurement() -> None:
    judged = judge(measured([0], {"npu_load_percent": 90}))

    assert {one.verdict for one in judged.evidence} == {"INVALID"}


# ------------------------------------------------------------------------------------ THROTTLED
def test_a_clock_that_fell_is_throttled() -> None:
    judged = judge(measured(STEADY, {"npu_clock_mhz": 800}, {"npu_clock_mhz": 400}))

    assert judged.verdict == "THROTTLED"
    assert "from 800 to 400 MHz, seen after the measurement" in said(judged)[0]


def test_a_clock_that_fell_between_two_blocks_and_came_back_is_throttled() -> None:
    clocks: list[Reading] = [{"npu_clock_mhz": mhz} for mhz in (800, 800, 600, 500, 800, 800)]

    judged = judge(measured(STEADY, clocks[0], clocks[-1], clocks))

    (found,) = judged.evidence
    assert (judged.verdict, found.sensor) == ("THROTTLED", "npu_clock_mhz")
    assert (found.block, found.value, found.bound) == (1, 500, 800)
    assert str(found) == (
        "the NPU clock fell from 800 to 500 MHz, seen after block 2 and in 2 of 6 readings"
    )


def test_a_clock_that_was_low_for_all_of_the_steady_state_fell_before_it() -> None:
    low: Reading = {"npu_clock_mhz": 400}

    judged = judge(measured(STEADY, {"npu_clock_mhz": 800}, low, [low] * 6))

    assert judged.verdict == "THROTTLED"
    assert "before the first block" in said(judged)[0]


def test_a_clock_that_rises_with_the_load_has_not_fallen() -> None:
    high: Reading = {"npu_clock_mhz": 800}

    assert judge(measured(STEADY, {"npu_clock_mhz": 400}, high, [high] * 6)).verdict == "VALID"


def test_heat_with_a_slope_is_throttled_where_the_clock_is_not_told() -> None:
    hot: list[Reading] = [{"temperature_c": 60 + 6 * step} for step in range(6)]
    slower = steps(1.0, 1.01, 1.02, 1.03, 1.04, each=20)

    judged = judge(measured(slower, hot[0], hot[-1], hot))

    assert judged.verdict == "THROTTLED"
    assert (judged.evidence[0].sensor, judged.evidence[0].value) == ("temperature_c", 90)
    assert said(judged)[0] == "90 °C is above 85 °C, and the model became 3.9% slower meanwhile"


def test_heat_that_did_its_work_in_the_warm_up_is_seen_there() -> None:
    hot: Reading = {"temperature_c": 95}
    one = replace(measured(STEADY, {}, hot, [hot] * 6), warmup_ns=(800_000,) * 10)

    assert judge(one).verdict == "THROTTLED"


@pytest.mark.parametrize(
    ("temperature_c", "ms"),
    [(95, (1.0, 1.0, 1.0, 1.0, 1.0)), (80, (1.0, 1.01, 1.02, 1.03, 1.04))],
)
def test_neither_heat_nor_a_slope_alone_is_throttling(
    temperature_c: float, ms: tuple[float, ...]
) -> None:
    reading: Reading = {"temperature_c": temperature_c}

    judged = judge(measured(steps(*ms, each=20), reading, reading, [reading] * 6))

    assert judged.verdict == "VALID"


# ------------------------------------------------------------------------------------ CONTENDED
def test_a_busy_npu_before_the_measurement_is_contended() -> None:
    judged = judge(measured(STEADY, {"npu_load_percent": 40}))

    assert judged.verdict == "CONTENDED"
    assert "40 %" in said(judged)[0]


def holding(**mib: float) -> Reading:
    held: dict[str, Json] = {name: round(size * MIB) for name, size in mib.items()}
    return {"cmm_holders": held, "cmm_used_bytes": round(sum(mib.values()) * MIB)}


OURS = holding(vdec_ko=20, PyEngine=8)


@pytest.mark.parametrize(
    ("readings", "evidence", "block"),
    [
        (
            [OURS, OURS, holding(vdec_ko=20, PyEngine=8, isp=50), OURS],
            "'isp' took 50.0 MiB of the NPU's memory in block 2",
            1,
        ),
        (
            [holding(vdec_ko=20, PyEngine=8, isp=50)] * 4,
            "'isp' took 50.0 MiB of the NPU's memory in the warm-up",
            None,
        ),
    ],
)
def test_memory_that_another_takes_is_contended(
    readings: list[Reading], evidence: str, block: int | None
) -> None:
    one = replace(measured([1_000_000] * 99, holding(vdec_ko=20), OURS, readings), after_first=OURS)

    judged = judge(one)

    assert judged.verdict == "CONTENDED"
    assert (judged.evidence[0].sensor, judged.evidence[0].block) == ("cmm_holders", block)
    assert said(judged)[0] == evidence


def test_memory_that_the_model_takes_at_load_is_its_own() -> None:
    one = measured([1_000_000] * 99, holding(vdec_ko=20), OURS, [OURS] * 4)

    assert judge(one).verdict == "VALID"
    assert judge(replace(one, after_first=OURS)).verdict == "VALID"


def test_memory_that_is_given_back_meanwhile_was_anothers() -> None:
    both = holding(vdec_ko=20, PyEngine=8, isp=50)
    one = measured([1_000_000] * 99, holding(vdec_ko=20), OURS, [both, both, OURS, OURS])

    judged = judge(one)

    assert judged.verdict == "CONTENDED"
    assert "'isp' gave back 50.0 MiB of the NPU's memory in block 2" in said(judged)


def test_memory_that_jumps_is_anothers_where_nobody_is_named() -> None:
    used: list[Reading] = [{"cmm_used_bytes": MIB * mib} for mib in (28, 28, 40, 40)]

    judged = judge(measured([1_000_000] * 99, readings=used))

    assert judged.verdict == "CONTENDED"
    assert said(judged) == ["another took 12.0 MiB of the NPU's memory in block 2"]


def test_memory_that_grows_in_every_block_is_a_leak_and_the_latency_valid() -> None:
    used: list[Reading] = [{"cmm_used_bytes": MIB * mib} for mib in (28, 30, 32, 34)]
    one = replace(measured([1_000_000] * 99, readings=used), left_cmm_bytes=6 * MIB)

    judged = judge(one)

    assert judged.verdict == "VALID"
    assert said(judged) == [
        "the NPU's memory in use grew in most blocks, by 6.00 MiB in all",
        "6.0 MiB of the NPU's memory did not come back after the process",
    ]


def test_memory_that_only_a_known_tenant_takes_is_no_leak_of_the_model() -> None:
    grown: list[Reading] = [holding(vdec_ko=20 + more, PyEngine=8) for more in (0, 2, 4, 6)]
    one = replace(measured([1_000_000] * 99, holding(vdec_ko=20), {}, grown), after_first=OURS)

    judged = judge(one)

    assert judged.verdict == "CONTENDED"
    assert said(judged) == ["others took 6.0 MiB more of the NPU's memory, from block 1 on"]
    assert judged.evidence[0].block == 0


def test_memory_that_the_model_takes_is_its_leak_whatever_others_give_back() -> None:
    grown: list[Reading] = [holding(vdec_ko=20 - more, PyEngine=8 + more) for more in (0, 2, 4, 6)]
    one = replace(measured([1_000_000] * 99, holding(vdec_ko=20), {}, grown), after_first=OURS)

    judged = judge(one)

    assert judged.verdict == "VALID"
    assert said(judged) == ["the NPU's memory in use grew in most blocks, by 6.00 MiB in all"]


def test_a_jump_under_the_models_own_name_is_another_process_of_its_kind() -> None:
    grown: list[Reading] = [holding(vdec_ko=20, PyEngine=mib) for mib in (8, 8, 16, 16)]
    one = replace(measured([1_000_000] * 99, holding(vdec_ko=20), {}, grown), after_first=OURS)

    assert said(judge(one)) == ["another took 8.0 MiB of the NPU's memory in block 2"]


def test_blocks_of_two_kinds_with_the_load_of_another_are_contended() -> None:
    loads: list[Reading] = [{"npu_load_percent": load} for load in (60, 60, 60, 95, 95, 60)]

    judged = judge(measured(steps(1, 1, 1.5, 1.5, 1, each=20), readings=loads))

    assert judged.verdict == "CONTENDED"
    assert judged.evidence[0].block == 2
    assert "95 % busy in block 3" in said(judged)[0]
    # All that was found is kept, the worst first.
    assert [one.verdict for one in judged.evidence] == ["CONTENDED", "NOISY", "NOISY"]


def test_a_slower_model_makes_the_npu_busier_by_itself() -> None:
    loads: list[Reading] = [{"npu_load_percent": load} for load in (60, 60, 60, 70, 70, 60)]

    judged = judge(measured(steps(1, 1, 1.5, 1.5, 1, each=20), readings=loads))

    assert judged.verdict == "NOISY"


# ---------------------------------------------------------------------------------------- NOISY
def test_a_drifting_steady_state_is_noisy_and_says_in_which_blocks() -> None:
    judged = judge(measured([1_000_000] * 80 + [1_200_000] * 20))

    assert judged.verdict == "NOISY"
    assert (judged.evidence[0].block, judged.evidence[0].bound) == (4, 0.1)
    assert said(judged)[0] == (
        "block medians lie 20.0% apart, more than 10%: 1.000 ms in block 1, 1.200 in block 5"
    )


def test_a_second_state_that_no_median_shows_is_noisy() -> None:
    judged = judge(measured([1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_500_000] * 20))

    assert judged.verdict == "NOISY"
    assert "a tenth of the samples takes 50.0% longer" in said(judged)[0]


def test_one_late_sample_makes_no_block_noisy() -> None:
    late = [1_000_000] * 4 + [3_000_000]
    ten_blocks: list[Reading] = [{}] * 11

    assert judge(measured([*late, *STEADY[:5]], readings=ten_blocks)).verdict == "VALID"


# ---------------------------------------------------------------------------------------- VALID
@pytest.mark.parametrize(("n", "told"), [(1, True), (9, True), (10, False)])
def test_too_few_samples_to_compare_are_valid_and_it_says_so(n: int, *, told: bool) -> None:
    judged = judge(measured([1_000_000] * n))

    assert judged.verdict == "VALID"
    assert ["too few to tell whether it was steady" in one for one in said(judged)] == [True] * told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),
        ({"npu_load_percent": 5, "npu_clock_mhz": 800}, {"npu_clock_mhz": 800}),
        ({"npu_load_percent": None, "npu_clock_mhz": "fast"}, {"npu_clock_mhz": None}),
        ({"npu_clock_mhz": float("nan"), "temperature_c": True}, {"npu_clock_mhz": 700}),
        ({"npu_clock_mhz": 400}, {"npu_clock_mhz": 800}),
        ({"cmm_holders": {"a": "much"}}, {"cmm_holders": ["a"]}),
    ],
)
def test_a_steady_measurement_is_valid(before: dict[str, Json], after: dict[str, Json]) -> None:
    judged = judge(measured([*STEADY, 90_000_000], before, after, [after, after]))

    assert (judged.verdict, judged.evidence) == ("VALID", ())


def test_the_worst_finding_is_the_verdict_and_the_others_are_kept() -> None:
    readings: list[Reading] = [{"npu_clock_mhz": mhz} for mhz in (800, 800, 800, 800, 400, 400)]
    one = measured(steps(1, 1, 1, 2, 2, each=20), {"npu_load_percent": 50}, {}, readings)

    judged = judge(one)

    assert judged.verdict == "CONTENDED"
    assert [one.verdict for one in judged.evidence] == ["CONTENDED", "THROTTLED", "NOISY", "NOISY"]


@pytest.mark.parametrize(
    ("mean_ms", "verdict"), [(2.5, "VALID"), (0.0, "INVALID"), (-1, "INVALID")]
)
def test_an_instrument_without_samples_is_judged_by_what_it_says(
    mean_ms: float, verdict: str
) -> None:
    told: dict[str, Json] = {
        "instrument": "ax_run_model",
        "summary": {"iterations": 9, "mean_ms": mean_ms},
    }
    asked = RunSpec(None, 100, 60.0)

    judged = judge(Measurement("b", None, None, (), (), told, {}, {}), asked)

    assert judged.verdict == verdict
    assert "ax_run_model" in said(judged)[0]
