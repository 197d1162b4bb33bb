"""Chips, the hardware names Pulsar2 compiles for, and the NPU modes each has.

Source: Pulsar2 documentation, `pulsar2 build -h` and "Chip platforms and available npu_mode
values"; chip names as boards report them in /proc/ax_proc/chip_type.
"""

from __future__ import annotations

from orchestrator.domain import Target
from orchestrator.errors import ConfigError

NPU_MODES = {
    "AX650": ("NPU1", "NPU2", "NPU3"),
    "M76H": ("NPU1", "NPU2", "NPU3"),
    "AX620E": ("NPU1", "NPU2"),
    "AX615": ("NPU1", "NPU2"),
    "AX637": ("NPU1",),
    "M57": ("NPU1",),
    "AX8860": ("NPU1", "NPU2", "NPU4"),
}

#: /proc/ax_proc/chip_type → target_hardware. AX650C is sold as AX8850.
HARDWARE_OF_CHIP = {
    "AX650A_CHIP": "AX650",
    "AX650N_CHIP": "AX650",
    "AX650C_CHIP": "AX650",
    "AX630C_CHIP": "AX620E",
    "AX620Q_CHIP": "AX620E",
    "AX620E_CHIP": "AX620E",
}


def check_target(target: Target) -> None:
    """Refuse a target that Pulsar2 has not. Raises ConfigError."""
    modes = NPU_MODES.get(target.hardware)
    if modes is None:
        known = ", ".join(NPU_MODES)
        raise ConfigError(
            f"compile.target_hardware: {target.hardware!r} is no target of pulsar2",
            f"one of {known}",
        )
    if target.npu_mode not in modes:
        raise ConfigError(
            f"compile.npu_mode: {target.hardware} has no {target.npu_mode}",
            f"one of {', '.join(modes)}",
        )
