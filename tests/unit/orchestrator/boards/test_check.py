from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from orchestrator.boards.check import (
    CODES,
    Known,
    check_board,
    refuse,
)
from orchestrator.boards.compatibility import Finding, rules
from orchestrator.boards.need import Need, cmm_of, need_of_sidecar
from orchestrator.domain import (
    BoardOutcome,
    CompatibilityFact,
    Delivery,
    Json,
    Measurement,
    Pairing,
    Release,
)
from orchestrator.errors import AgentError, Refused
from orchestrator.replies import Holder

NOW = 1_800_000_000.0
FACTS: dict[str, Json] = {
    "uid": "0x6007080746221049",
    "simulated": True,
    "chip_type": "AX650N_CHIP",
    "vnpu": "disable",
    "sdk_version": "V3.6.2_20250603154858",
    "axengine_sha256": "5bbff3c11ba8" + "0" * 52,
    "cmm_total_bytes": 4096 * 2**20,
    "cmm_free_bytes": 4000 * 2**20,
    "disk_free_bytes": 336_000_000,
    "inodes_free": 100_000,
    "work_dir_writable": True,
    "temperature_c": 49.3,
    "clock_unix_s": int(NOW),
}
NEED = Need(send_bytes=8_000_000, unpack_bytes=2_000_000, files=4, tensor_bytes=2_457_600)


@pytest.fixture
def wanted(release: Callable[..., Release]) -> Release:
    return release({"model.axmodel": b"m" * 1000, "model.json": b"{}"})


def refusals(
    wanted: Release,
    facts: Mapping[str, Json],
    need: Need = NEED,
    known: Known | None = None,
) -> list[Finding]:
    found = check_board({**FACTS, **facts}, wanted, need, known or Known(NOW))
    return [one for one in found if one.level == "refuse"]


def test_a_board_that_fits_has_nothing_against_it(wanted: Release) -> None:
    found = check_board(FACTS, wanted, NEED, Known(NOW))

    assert {one.level for one in found} == {"note"}
    refuse("b1", found)


@pytest.mark.parametrize(
    ("facts", "check", "numbers"),
    [
        ({"simulated": False}, "simulated", ["genuine board", "simulated axmodel"]),
        ({"chip_type": "AX630C_CHIP"}, "chip", ["AX630C_CHIP (AX620E)", "AX650/NPU3"]),
        ({"chip_type": None}, "chip", ["None (unknown)", "AX650/NPU3"]),
        ({"vnpu": "enable"}, "vnpu", ["vnpu enable", "AX650/NPU3"]),
        (
            {"cmm_free_bytes": 1_000_000},
            "cmm",
            ["1.0 MB of 4295.0 MB", "2.5 MB at least (file 0.0 MB, tensors 2.5 MB)"],
        ),
        (
            {"disk_free_bytes": 11_000_000},
            "disk",
            ["11.0 MB of disk are free", "8.0 MB are sent", "2.0 MB come of it", "12.0 MB"],
        ),
        ({"inodes_free": 67}, "inodes", ["67 inodes", "68 are needed"]),
        ({"work_dir_writable": False}, "work_dir", ["cannot be written"]),
        ({"temperature_c": 110}, "temperature", ["110.0 °C", "85 °C"]),
    ],
)
def test_a_board_is_refused_with_both_sides_numbers_and_a_hint(
    wanted: Release, facts: Mapping[str, Json], check: str, numbers: list[str]
) -> None:
    (found,) = refusals(wanted, facts)

    assert found.check == check
    assert [text for text in numbers if text not in found.message] == []
    assert found.hint


@pytest.mark.parametrize(
    "facts",
    [
        {"disk_free_bytes": 12_000_000},
        {"inodes_free": 68},
        {"temperature_c": 85.0},
        {"cmm_free_bytes": 2_458_600},
        dict.fromkeys(("disk_free_bytes", "inodes_free", "work_dir_writable"), None),
        dict.fromkeys(("temperature_c", "clock_unix_s", "cmm_free_bytes", "sdk_version"), None),
        {"temperature_c": "hot", "clock_unix_s": True},
    ],
)
def test_what_just_fits_and_what_is_not_told_is_no_reason(
    wanted: Release, facts: Mapping[str, Json]
) -> None:
    assert refusals(wanted, facts) == []


def test_a_board_that_has_it_all_needs_no_room(wanted: Release) -> None:
    assert refusals(wanted, {"disk_free_bytes": 0, "inodes_free": 0}, Need()) == []


def test_a_model_for_one_core_runs_on_a_split_npu(release: Callable[..., Release]) -> None:
    assert refusals(release({"m": b"m"}, npu_mode="NPU1"), {"vnpu": "enable"}) == []


def test_npu_memory_that_was_measured_elsewhere_counts_more_than_the_estimate(
    wanted: Release,
) -> None:
    (found,) = refusals(wanted, {"cmm_free_bytes": 9_000_000}, replace(NEED, cmm_bytes=12_730_188))

    assert "takes 12.7 MB, measured on another board" in found.message


def test_what_a_release_took_on_other_boards_is_the_most_of_its_measurements() -> None:
    def ran(used: int | None, release_id: str = "rel-2") -> BoardOutcome:
        delivery = Delivery(release_id, 0, False, True, {})
        after: dict[str, Json] = {"cmm_used_bytes": used}
        measured = Measurement("b", 1, 1, (), (5,), {}, {"cmm_used_bytes": 100}, after)
        return BoardOutcome("b", False, {}, delivery, measured)

    lost = BoardOutcome("b", False, {}, error_code="UNREACHABLE")

    assert cmm_of("rel-2", [ran(150), ran(170), ran(100), ran(None), ran(900, "rel-1"), lost]) == 70
    assert cmm_of("rel-2", [ran(100), lost]) is None


def test_all_reasons_come_at_once(wanted: Release) -> None:
    found = check_board(
        FACTS | {"chip_type": "AX630C_CHIP", "temperature_c": 110, "disk_free_bytes": 0},
        wanted,
        NEED,
        Known(NOW),
    )

    with pytest.raises(Refused) as caught:
        refuse("b1", found)

    assert caught.value.message.startswith("b1: ")
    for part in ("AX630C_CHIP", "110.0 °C", "0.0 MB of disk"):
        assert part in caught.value.message
    assert caught.value.hint.count(";") >= 2


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"temperature_c": 110}, "TOO_HOT"),
        ({"disk_free_bytes": 0}, "DISK_FULL"),
        ({"cmm_free_bytes": 0}, "CMM_FULL"),
        ({"work_dir_writable": False}, "NOT_WRITABLE"),
    ],
)
def test_a_state_that_may_pass_has_its_own_code(
    wanted: Release, facts: Mapping[str, Json], code: str
) -> None:
    with pytest.raises(AgentError) as caught:
        refuse("b1", refusals(wanted, facts))

    assert caught.value.code == code


@pytest.mark.parametrize("ahead_s", [-1_800_000_000, 400])
def test_a_wrong_clock_is_a_warning_with_the_seconds(wanted: Release, ahead_s: int) -> None:
    found = check_board(FACTS | {"clock_unix_s": NOW + ahead_s}, wanted, NEED, Known(NOW))

    (warning,) = (one for one in found if one.level == "warn")
    assert f"{abs(ahead_s)} s" in warning.message
    assert ("ahead of" if ahead_s > 0 else "behind") in warning.message
    refuse("b1", found)


@pytest.mark.parametrize(
    ("holder", "says"),
    [
        (Holder(7, "ann@host/run-1", 12, 60, foreign=False), "ann@host/run-1 holds the board"),
        (Holder(0, "magnetar", 100, 1800, foreign=True), "magnetar (not orch) holds the board"),
    ],
)
def test_a_board_that_is_held_is_refused_with_who_and_since_when(
    wanted: Release, holder: Holder, says: str
) -> None:
    found = refusals(wanted, {}, known=Known(NOW, holder))

    with pytest.raises(AgentError, match=f"{holder.age_s:.0f} s ago") as caught:
        refuse("b1", found)
    assert says.replace("(", "").split()[0] in caught.value.message
    assert says in caught.value.message
    assert caught.value.code == "LEASED"


def test_what_boards_have_rejected_is_refused_and_can_be_tried_all_the_same(
    wanted: Release,
) -> None:
    sdk, axengine = str(FACTS["sdk_version"]), str(FACTS["axengine_sha256"])
    pairing = Pairing(wanted.pulsar2_version, sdk, "2.12.0s", axengine, simulated=True)
    known = [CompatibilityFact(pairing, wanted.release_id, "b2", "REJECTED", "2025-01-02", count=3)]

    (found,) = refusals(wanted, {}, known=Known(NOW, loaded=known))
    forced = Known(NOW, loaded=known, ignore_learned=True)

    assert found.check == "learned"
    assert refusals(wanted, {}, known=forced) == []
    assert "warn" in {one.level for one in check_board(FACTS, wanted, NEED, forced)}


def test_a_sidecar_tells_the_size_and_the_types_of_the_tensors() -> None:
    sidecar: dict[str, Json] = {
        "inputs": [{"dtype": "uint8", "shape": [1, 640, 1280, 3]}],
        "outputs": [
            {"dtype": "int32", "shape": [1, 1, 160, 320]},
            {"dtype": "bfloat16", "shape": [2]},
        ],
    }

    assert need_of_sidecar(sidecar) == (
        640 * 1280 * 3 + 160 * 320 * 4 + 4,
        frozenset({"uint8", "int32", "bfloat16"}),
    )
    assert need_of_sidecar({"inputs": ["x", {"dtype": 5}], "outputs": 3})[0] == 1


def test_the_codes_are_those_of_checks(wanted: Release) -> None:
    everything: dict[str, Json] = {
        "simulated": False,
        "chip_type": "x",
        "vnpu": "enable",
        "cmm_free_bytes": 0,
        "disk_free_bytes": 0,
        "inodes_free": 0,
        "work_dir_writable": False,
        "temperature_c": rules().limits.max_temperature_c + 1,
    }
    held = Known(NOW, Holder(1, "o", 1, 1, foreign=False))

    found = {one.check for one in refusals(wanted, everything, known=held)}

    assert CODES.keys() - found == {"uid"}  # board_identity finds that
