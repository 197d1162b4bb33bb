"""What a trace does to the calls and the sensors is what its truth says."""

from __future__ import annotations

from statistics import median

import pytest

from containers.board_sim.replay import OWN, Replay, Sensors
from containers.board_sim.traces import ERROR, FULL_CLOCK_MHZ, KINDS, TRUTH, Kind, draw

SEEDS = range(25)


def _lived(kind: Kind, seed: int, calls: int = 140) -> tuple[list[int], list[Sensors]]:
    """The ns of every call, and the sensors before the first and after each twentieth."""
    replay = Replay(draw(kind, seed))
    samples, readings = [], [replay.sensors()]
    for call in range(calls):
        samples.append(sum(replay.call()))
        if call % 20 == 19:
            readings.append(replay.sensors())
    return samples, readings


def test_every_kind_has_a_truth_and_a_failing_one_an_error() -> None:
    assert set(TRUTH) == set(KINDS)
    assert {TRUTH[kind] for kind in KINDS} == {
        "VALID",
        "NOISY",
        "THROTTLED",
        "CONTENDED",
        "INVALID",
    }
    assert all(TRUTH[kind] == "INVALID" for kind in ERROR)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_and_a_seed_are_one_story(kind: Kind) -> None:
    assert _lived(kind, 3) == _lived(kind, 3)
    assert draw(kind, 3) != draw(kind, 4)


def test_another_process_on_the_same_board_has_other_noise() -> None:
    first, second = (Replay(draw("clean", 1), process=number) for number in (0, 1))
    assert [first.call() for _ in range(5)] != [second.call() for _ in range(5)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clean_board_is_steady_after_its_first_call(seed: int) -> None:
    samples, readings = _lived("clean", seed)
    blocks = [median(samples[at : at + 20]) for at in range(20, 120, 20)]
    assert samples[0] > 2 * median(samples)
    assert max(blocks) / min(blocks) < 1.02
    assert {reading.npu_clock_mhz for reading in readings} == {FULL_CLOCK_MHZ}
    assert max(reading.temperature_c for reading in readings) < 75


@pytest.mark.parametrize("seed", SEEDS)
def test_a_board_that_heats_up_slows_down_above_its_limit(seed: int) -> None:
    samples, readings = _lived("thermal", seed)
    assert readings[0].npu_clock_mhz == FULL_CLOCK_MHZ
    assert readings[-1].temperature_c > readings[0].temperature_c + 5
    assert readings[-1].temperature_c > 85
    assert median(samples[100:]) > 1.1 * median(samples[1:20])
    if draw("thermal", seed).clock_told:
        assert readings[-1].npu_clock_mhz < FULL_CLOCK_MHZ


def test_some_boards_that_throttle_do_not_tell_their_clock() -> None:
    told = {draw("thermal", seed).clock_told for seed in SEEDS}
    assert told == {True, False}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_that_is_turned_down_shows_in_file_and_latency(seed: int) -> None:
    samples, readings = _lived("dvfs", seed)
    assert readings[0].npu_clock_mhz == FULL_CLOCK_MHZ
    assert min(reading.npu_clock_mhz for reading in readings) < FULL_CLOCK_MHZ
    assert max(samples[1:]) > 1.1 * median(samples[1:20])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tenant_brings_its_memory_and_makes_calls_late(seed: int) -> None:
    samples, readings = _lived("tenant", seed)
    trace = draw("tenant", seed)
    assert readings[-1].holders_kb[trace.tenant] == trace.tenant_kb
    assert sorted(samples)[-10] > 1.2 * min(samples)
    early = trace.arrives_ns < 0
    assert (trace.tenant in readings[0].holders_kb) == early
    assert (readings[0].npu_load_percent > 0) == early


def test_the_load_of_the_npu_is_the_models_own_too() -> None:
    _, readings = _lived("clean", 1)
    assert readings[0].npu_load_percent == 0
    assert readings[-1].npu_load_percent > 90


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_has_two_levels_that_no_sensor_of_the_npu_shows(seed: int) -> None:
    samples, readings = _lived("noisy", seed)
    high = [sample for sample in samples[1:] if sample > 1.15 * min(samples)]
    assert 10 < len(high) < 110
    assert {reading.npu_clock_mhz for reading in readings} == {FULL_CLOCK_MHZ}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_start_and_a_slow_warm_up_end(seed: int) -> None:
    for kind in ("slow-first", "drift"):
        samples, _ = _lived(kind, seed)
        assert max(samples[:3]) > 1.05 * median(samples[60:])
        assert median(samples[60:80]) / median(samples[100:]) < 1.01


def test_a_board_that_rests_cools_down() -> None:
    replay = Replay(draw("thermal", 1))
    while replay.sensors().npu_clock_mhz == FULL_CLOCK_MHZ:
        replay.call()
    hot = replay.sensors().temperature_c
    replay.sleep(600)
    assert replay.sensors().temperature_c < hot
    assert replay.sensors().npu_clock_mhz == FULL_CLOCK_MHZ
    assert replay.sensors().npu_load_percent == 0


def test_a_leak_grows_with_every_call() -> None:
    _, readings = _lived("cmm-leak", 1)
    held = [reading.holders_kb.get(OWN, 0) for reading in readings]
    assert held == sorted(set(held))


def test_a_look_at_the_clock_takes_time_and_a_call_what_its_parts_say() -> None:
    replay = Replay(draw("clean", 1))
    assert 0 < replay.clock_ns() < replay.clock_ns() < 1000
    before = replay.now_ns
    parts = replay.call()
    assert replay.now_ns - before == sum(parts)
    assert parts.npu_ns > parts.copy_in_ns > 0
    assert parts.copy_out_ns > 0
