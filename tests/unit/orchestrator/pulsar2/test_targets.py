from __future__ import annotations

import pytest

from orchestrator.domain import Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.targets import HARDWARE_OF_CHIP, NPU_MODES, check_target


@pytest.mark.parametrize(
    "target", [Target(name, mode) for name, modes in NPU_MODES.items() for mode in modes], ids=str
)
def test_every_target_of_pulsar2_is_taken(target: Target) -> None:
    check_target(target)


@pytest.mark.parametrize(
    ("target", "message", "hint"),
    [
        (Target("AX650N", "NPU1"), "compile.target_hardware: 'AX650N'", "AX650, "),
        (Target("AX620E", "NPU3"), "compile.npu_mode: AX620E has no NPU3", "NPU1, NPU2"),
        (Target("AX650", "npu3"), "compile.npu_mode: AX650 has no npu3", "NPU3"),
    ],
)
def test_any_other_target_is_refused_with_what_there_is(
    target: Target, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        check_target(target)

    assert hint in caught.value.hint


def test_a_target_of_a_later_version_is_refused_with_that_version() -> None:
    check_target(Target("AX8860", "NPU4"), "7.0-lite")

    with pytest.raises(ConfigError) as caught:
        check_target(Target("AX8860", "NPU4"), "5.2")

    assert caught.value.message == (
        "compile.target_hardware: pulsar2 5.2 has no AX8860; it came with 7.0"
    )
    assert caught.value.hint == "one of AX650, AX620E, M76H, AX615, M57, AX620L"


def test_the_name_on_the_box_leads_to_the_target() -> None:
    with pytest.raises(ConfigError) as caught:
        check_target(Target("AX630C", "NPU1"))

    assert caught.value.hint.startswith("for AX630C compile for AX620E")


def test_every_chip_is_of_a_known_hardware() -> None:
    assert set(HARDWARE_OF_CHIP.values()) <= set(NPU_MODES)
