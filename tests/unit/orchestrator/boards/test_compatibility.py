from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from orchestrator.boards.compatibility import (
    check_learned,
    check_rules,
    is_older,
    load_outcome,
    pairing_of,
    rules,
)
from orchestrator.domain import CompatibilityFact, Json, Pairing, Release, Target

PAIRING = Pairing("5.2", "V1.14.0_20230506154237", None, "e16ce339d3be" + "0" * 52, simulated=False)


@pytest.fixture
def wanted(release: Callable[..., Release]) -> Release:
    return replace(release({"model.axmodel": b"m"}), release_id="rel-1", simulated=False)


def seen(outcome: str = "REJECTED", count: int = 3, release_id: str = "rel-1") -> CompatibilityFact:
    assert outcome in ("LOADED", "REJECTED")
    found = CompatibilityFact(PAIRING, release_id, "b1", "REJECTED", "2025-01-02", count)
    return replace(found, outcome="LOADED") if outcome == "LOADED" else found


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("V1.45.0_P38_20240101", "V1.45.0_P39.1_20240903185914", True),
        ("V1.45.0_P39_20240830020829", "V1.45.0_P39.1", True),
        ("V1.45.0_P39_20240830020829", "V1.45.0_P39_20250101", False),
        ("V1.45.0_P39_20240830", "V2.18", True),
        ("V2.18.0", "V2.18", False),
        ("V2.9", "V2.18", True),
        ("V3.6.2_20250603154858", "V2.18", False),
        ("2.7.2a", "2.10.1s", True),
        ("1.2-patch1", "1.2-patch2", True),
        ("1.2", "1.2-patch2 7e6b2b5f", True),
        ("5.1-patch1-lite", "5.1-patch1", False),
        ("4.2-dirty", "4.2", False),
        ("unknown", "V1", False),
        ("V1", "unknown", False),
        ("", "", False),
    ],
)
def test_versions_are_compared_by_number_and_patch(one: str, other: str, *, older: bool) -> None:
    assert is_older(one, other) is older


@pytest.mark.parametrize(
    ("hardware", "sdk", "dtypes", "task", "refused_by"),
    [
        ("AX650", "V1.45.0_P39_20240830020829", {"uint8", "bfloat16"}, "", "bf16-AX650"),
        ("AX650", "V2.18.1_20250101", {"bfloat16"}, "", None),
        ("AX650", "V1.45.0_P39_20240830020829", {"uint8", "int32"}, "", None),
        ("AX620E", "V3.6.2", {"bfloat16"}, "", "bf16-AX620E"),
        ("AX620E", "V3.12.0", {"bfloat16"}, "", None),
        ("AX650", "V1.45.0_P37_20240101", set[str](), "text-generation", "llm-AX650"),
        ("AX650", "V1.45.0_P39_20240101", set[str](), "text-generation", None),
        ("AX650", "V1.14.0_20230506154237", set[str](), "semantic-segmentation", None),
        ("AX650", None, {"bfloat16"}, "text-generation", None),
    ],
)
def test_a_model_that_an_sdk_is_too_old_for_is_refused(
    wanted: Release,
    hardware: str,
    sdk: str | None,
    dtypes: set[str],
    task: str,
    refused_by: str | None,
) -> None:
    asked = replace(wanted, target=Target(hardware, "NPU1"))

    found = check_rules(asked, replace(PAIRING, sdk_version=sdk), dtypes, task)

    if refused_by is None:
        assert found.level == "note"
    else:
        (rule,) = (one for one in rules().rules if one.id == refused_by)
        assert found.level == "refuse"
        assert str(sdk) in found.message
        assert rule.sdk_at_least in found.message
        assert rule.source in found.hint


@pytest.mark.parametrize(
    ("pulsar2", "sdk", "engine", "simulated", "says"),
    [
        ("3.2", "V3.6.2_20250603154858", None, False, "published as working"),
        ("1.2-patch2", "V1.13.0_20230426", "1.1.0", False, "published as working"),
        ("1.2-patch2", "V9", "2.10.1s", False, "published as working"),
        ("1.2-patch2", "V9", "2.11.0a", False, "speaks of this pair"),
        ("5.2", "V3.6.2_20250603154858", None, False, "speaks of this pair"),
        ("3.2", "V3.6.2_20250603154858", None, True, "speaks of this pair"),
    ],
)
def test_an_unknown_pair_is_allowed_and_says_that_it_is_unknown(
    wanted: Release,
    pulsar2: str,
    sdk: str,
    engine: str | None,
    simulated: bool,  # noqa: FBT001 - a column of the table
    says: str,
) -> None:
    found = check_rules(wanted, Pairing(pulsar2, sdk, engine, None, simulated), (), "")

    assert found.level == "note"
    assert says in found.message


def test_every_rule_and_limit_names_its_source() -> None:
    assert all(one.source and one.reason for one in rules().rules)
    assert all(one.source for one in rules().seen)
    assert rules().limits.max_temperature_c == 85


def test_rejections_and_no_load_refuse_with_the_evidence(wanted: Release) -> None:
    known = [seen(count=2), replace(seen(count=1, release_id="rel-2"), board="b2")]

    found = check_learned(wanted, PAIRING, known)

    assert found is not None
    assert found.level == "refuse"
    assert "5.2 3 times and loaded none (releases rel-1, rel-2; boards b1, b2;" in found.message
    assert "V1.14.0_20230506154237 with axengine e16ce339d3be" in found.message
    assert "--ignore-learned" in found.hint


def test_two_rejections_are_no_pattern(wanted: Release) -> None:
    assert check_learned(wanted, PAIRING, [seen(count=2)]) is None


def test_one_bad_model_says_nothing_of_the_next_one(wanted: Release) -> None:
    known = [seen(count=9, release_id="rel-broken")]

    assert check_learned(wanted, PAIRING, known) is None
    assert check_learned(replace(wanted, release_id="rel-broken"), PAIRING, known) is not None


def test_one_load_settles_it(wanted: Release) -> None:
    found = check_learned(wanted, PAIRING, [seen(count=99), seen("LOADED", 1, "rel-9")])

    assert found is not None
    assert found.level == "note"


@pytest.mark.parametrize(
    ("board", "alike"),
    [
        (replace(PAIRING, engine_version="1.1.0"), True),
        (replace(PAIRING, axengine_sha256=None), True),
        (replace(PAIRING, axengine_sha256="f" * 64), False),
        (replace(PAIRING, sdk_version="V3.6.2"), False),
        (replace(PAIRING, sdk_version=None), False),
        (replace(PAIRING, simulated=True), False),
        (replace(PAIRING, pulsar2_version="5.1"), False),
    ],
)
def test_only_boards_with_the_same_software_are_judged_by(
    wanted: Release, board: Pairing, *, alike: bool
) -> None:
    assert (check_learned(wanted, board, [seen()]) is not None) is alike


def test_what_meets_on_a_board_is_read_from_its_facts_and_its_runtime() -> None:
    facts: dict[str, Json] = {"sdk_version": "V3.6.2", "axengine_sha256": 5, "simulated": True}

    found = pairing_of("5.2", facts, {"engine_version": "2.12.0s"})

    assert found == Pairing("5.2", "V3.6.2", "2.12.0s", None, simulated=True)
    assert pairing_of("5.2", facts).engine_version is None


@pytest.mark.parametrize(
    ("code", "says"), [("", "LOADED"), ("MODEL_REJECTED", "REJECTED"), ("CMM_FULL", None)]
)
def test_only_a_rejected_model_speaks_against_a_pair(code: str, says: str | None) -> None:
    assert load_outcome(code) == says
