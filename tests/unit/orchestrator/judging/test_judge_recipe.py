"""What is said of nights whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.domain import Figures, RecipeJudged, VerifySpec
from orchestrator.judging.more import wants_more
from orchestrator.judging.recipe import Context, judge_recipe
from tests.unit.orchestrator.judging.made_nights import Fleet

CONTEXT = Context("n014-1", "model", "the 14 nights before")
FLEET = Fleet()
BEFORE = FLEET.before(14)


def judged(tonight: list[Figures], before: list[Figures] | None = None) -> RecipeJudged:
    return judge_recipe(tonight, BEFORE if before is None else before, VerifySpec(), CONTEXT)


def changed(tonight: list[Figures], board: str, **fields: object) -> list[Figures]:
    return [replace(one, **fields) if one.board == board else one for one in tonight]  # type: ignore[arg-type] # a test's fields


def test_a_night_like_the_others_passes_and_nothing_moved() -> None:
    found = judged(FLEET.night(14))

    assert found.verdict == "PASS"
    assert found.findings == ()
    assert found.fleet is not None
    assert found.fleet.low < 0 < found.fleet.high
    assert len(found.boards) == 40


def test_half_a_percent_of_the_whole_fleet_is_found_and_is_inside_the_margin() -> None:
    found = judged(FLEET.night(14, step=0.005))

    assert found.fleet is not None
    assert found.fleet.moved
    assert found.fleet.change == pytest.approx(0.005, abs=0.003)
    assert found.verdict == "PASS"
    assert [one.subject for one in found.findings] == ["fleet"]
    assert "nothing that is known of them was changed" in found.findings[0].text


def test_a_fleet_that_is_slower_with_a_new_toolchain_fails_and_the_toolchain_is_named() -> None:
    digest = "sha256:" + "2" * 64
    tonight = FLEET.night(14, step=0.06, pulsar2="6.0", toolchain_digest=digest)

    found = judged(tonight)

    assert found.verdict == "FAIL"
    assert found.findings[0].fails
    assert "all 40 boards moved +6." in found.findings[0].text
    assert "toolchain 5.2 (111111111111) → 6.0 (222222222222)" in found.findings[0].text
    assert [one.kind for one in found.marks] == ["toolchain"]


def test_one_hot_board_is_named_alone_with_its_sensors() -> None:
    tonight = FLEET.night(14, changes={"b07": 0.03})
    tonight = changed(tonight, "b07", temperature_c=71.0, npu_clock_mhz=750.0)

    found = judged(tonight)

    (finding,) = [one for one in found.findings if one.subject == "board"]
    assert finding.boards == ("b07",)
    assert "b07 alone moved +" in finding.text
    assert "hotter by 16 °C (71 °C)" in finding.text
    assert "NPU clock 800 → 750 MHz" in finding.text


def test_a_site_that_moved_apart_from_the_other_is_named_once() -> None:
    slower = {f"b{at:02d}": 0.02 for at in range(20)}

    found = judged(FLEET.night(14, changes=slower))

    sites = [one for one in found.findings if one.subject == "site"]
    assert len(sites) == 1
    assert sites[0].text.startswith("site fra (b00 b01 b02 b03 and 16 more) moved +")
    assert found.variance["site"] > 0.5


def test_spikes_of_30_percent_raise_no_alarm() -> None:
    tonight = FLEET.night(14)
    for name in ("b01", "b05", "b09"):
        rounds = next(one.rounds_ms for one in tonight if one.board == name)
        tonight = changed(tonight, name, rounds_ms=(rounds[0] * 1.3, *rounds[1:]))
    before = [
        replace(one, rounds_ms=tuple(1.3 * ms for ms in one.rounds_ms))
        if (one.board, one.night) in {("b02", "n003"), ("b02", "n009"), ("b11", "n013")}
        else one
        for one in BEFORE
    ]

    found = judged(tonight, before)

    assert found.findings == ()
    assert found.verdict == "PASS"


@pytest.mark.parametrize("verdict", ["THROTTLED", "CONTENDED", "INVALID"])
def test_a_doubtful_measurement_is_counted_and_not_used(verdict: str) -> None:
    tonight = changed(FLEET.night(14, changes={"b03": 0.5}), "b03", verdict=verdict)

    found = judged(tonight)

    assert found.left_out == {"b03": f"{verdict}: shown, not used"}
    assert found.fleet is not None
    assert found.fleet.boards == 39
    assert all("b03" not in one.boards for one in found.findings)
    assert next(one for one in found.boards if one.board == "b03").verdict == "INCONCLUSIVE"


def test_a_board_that_answers_by_itself_fails_by_itself() -> None:
    found = judged(changed(FLEET.night(14), "b30", output_sha256="b" * 64))

    assert found.verdict == "FAIL"
    (finding,) = [one for one in found.findings if one.fails]
    assert finding.boards == ("b30",)
    assert "answers bbbbbbbbbbbb, 39 of 40 boards" in finding.text


def test_agreement_that_fell_for_sure_fails_and_one_that_may_have_is_inconclusive() -> None:
    worse = {"output_sha256": "c" * 64, "agreement": 0.95, "agreement_high": 0.96}
    sure = judged(FLEET.night(14, agreement_low=0.94, **worse))
    unsure = judged(
        FLEET.night(
            14, **(worse | {"agreement": 0.986, "agreement_high": 0.991}), agreement_low=0.984
        )
    )

    assert sure.verdict == "FAIL"
    assert unsure.verdict == "INCONCLUSIVE"


def test_simulated_and_genuine_nights_are_never_compared() -> None:
    found = judged(FLEET.night(14, simulated=True, step=0.5))

    assert found.fleet is None
    assert found.baseline == "nothing to compare with yet"
    assert found.verdict == "PASS"


def test_with_one_night_before_only_large_changes_are_believed() -> None:
    before = FLEET.night(13)

    small = judged(FLEET.night(14, changes={"b04": 0.08}), before)
    large = judged(FLEET.night(14, changes={"b04": 0.5}), before)

    names = {one.board: one for one in small.boards}
    assert names["b04"].verdict == "INCONCLUSIVE"
    assert "takes 3 nights to know" in " ".join(names["b04"].reasons)
    assert wants_more(small) == ()
    assert {one.board for one in large.boards if one.verdict == "FAIL"} == {"b04"}


def test_of_few_boards_their_own_noise_decides() -> None:
    few = Fleet(seed=3, count=3)

    found = judge_recipe(few.night(14, step=0.05), few.before(14), VerifySpec(), CONTEXT)

    assert found.fleet is not None
    assert found.fleet.moved
    assert found.verdict == "FAIL"


def test_more_rounds_are_asked_for_where_they_tell_the_widest_interval_first() -> None:
    found = judged(FLEET.night(14, changes={"b10": 0.02, "b20": 0.02}))

    asked = wants_more(found)

    assert {"b10", "b20"} <= set(asked)
    assert len(asked) < 20


def test_a_change_under_the_margin_in_ms_fails_nothing() -> None:
    spec = VerifySpec(margin_ms=10.0)

    found = judge_recipe(FLEET.night(14, step=0.1), BEFORE, spec, CONTEXT)

    assert found.fleet is not None
    assert found.fleet.moved
    assert found.verdict == "PASS"


def test_a_board_that_drifts_from_what_the_compiler_predicts_is_flagged() -> None:
    cycles = {"max_cycle": 16_000_000}
    before = [replace(one, **cycles) for one in BEFORE]  # type: ignore[arg-type] # a test's fields
    tonight = changed(FLEET.night(14, changes={"b12": 0.2}, **cycles), "b12", temperature_c=56.0)

    found = judged(tonight, before)

    assert [one.boards for one in found.findings if one.subject == "prediction"] == [("b12",)]
