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


def test_every_chip_is_of_a_known_hardware() -> None:
    assert set(HARDWARE_OF_CHIP.values()) <= set(NPU_MODES)
