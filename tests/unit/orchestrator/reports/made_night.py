"""A night's report that was made up, with all there can be in it."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.domain import (
    BoardOutcome,
    Json,
    Judged,
    Measurement,
    Night,
    NightReport,
    Origin,
    RecipeReport,
    RunRecord,
    TrendPoint,
    VerifySpec,
)
from orchestrator.judging.recipe import Context, judge_recipe
from orchestrator.nights.next_steps import next_steps
from tests.unit.orchestrator.judging.made_nights import Fleet

#: What no redacted report may hold.
SECRETS = ("b00", "b03", "fra", "host-7", "UID-0007", "192.0.2.7", "ops@gate", "/home/ops")
STARTED = "2026-01-15T02:00:00+00:00"


def made_night(boards: int = 12, *, simulated: bool = False) -> NightReport:
    """Give a night with a slower toolchain, a board that failed, one that is left out."""
    fleet = Fleet(seed=5, count=boards)
    before = [replace(one, simulated=simulated) for one in fleet.before(14)]
    digest = "sha256:" + "2" * 64
    tonight = fleet.night(
        14, step=0.05, toolchain_digest=digest, pulsar2="6.0", simulated=simulated
    )
    tonight[1] = replace(tonight[1], verdict="THROTTLED")
    tonight[2] = replace(tonight[2], verdict="", p50_ms=None, error_code="UNREACHABLE")
    trend = [
        TrendPoint(f"n{at:03d}", f"n{at:03d}-1", "model", f"2026-01-{at + 1:02d}T02:00:00+00:00",
                   "PASS", boards, 20.0 + at / 100)
        for at in range(15)
    ]  # fmt: skip
    judged = judge_recipe(
        tonight,
        before,
        VerifySpec(),
        Context("n014-1", "model", "the 14 nights before", trend[:-1]),
    )
    failed = {"b02": "b02: ops@gate:22 at 192.0.2.7 does not answer, see /home/ops/log"}
    night = Night(
        "n014", "lab-7", STARTED, STARTED, 1, judged.verdict, {"model": "n014-1"},
        {"fleet": "lab-7"}, f"{judged.verdict}: {failed['b02']}", simulated, failed,
    )  # fmt: skip
    run = RunRecord("n014-1", "verify", "lab-7", "model", STARTED, STARTED, 1, {"night": "n014"})
    outcomes = tuple(
        _outcome(one.board, 20.0 + at, simulated=simulated) for at, one in enumerate(tonight)
    )
    recipe = RecipeReport(
        run,
        judged,
        tuple(tonight),
        outcomes,
        tuple(before),
        tuple(trend),
        {one.board: f"orch verify --fleet lab-7 --limit {one.board}" for one in tonight},
        {"b02": failed["b02"]},
    )
    return NightReport(night, (recipe,), next_steps(night, [judged]))


def _outcome(board: str, ms: float, *, simulated: bool) -> BoardOutcome:
    facts = {"uid": "UID-0007", "hostname": "host-7", "chip_type": "AX650N", "ip": "192.0.2.7"}
    if board == "b02":
        error = "b02: ops@gate:22 at 192.0.2.7 does not answer, see /home/ops/log"
        return BoardOutcome(board, simulated, facts, error_code="UNREACHABLE", error=error)
    samples = tuple(int((ms + at % 10 / 10) * 1e6) for at in range(100))
    reading: dict[str, Json] = {
        "temperature_c": 55.0,
        "npu_clock_mhz": 800.0,
        "cmm_holders": {"host-7": 1},
    }
    measured = Measurement(
        board, 1_000_000, 2_000_000, (), samples, {"instrument": "axengine"}, reading, reading,
        block_sizes=(25,) * 4, readings=(reading,) * 5, round_sizes=(50, 50),
    )  # fmt: skip
    return BoardOutcome(
        board, simulated, facts, measurement=measured, judged=Judged("VALID"),
        origin=Origin("fra", "6.0", "sha256:22"),
    )  # fmt: skip
