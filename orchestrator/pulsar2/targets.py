"""Chips, the hardware names Pulsar2 compiles for, and the NPU modes each has.

Source: Pulsar2 documentation, `pulsar2 build -h` and "Chip platforms and available npu_mode
values"; chip names as boards report them in /proc/ax_proc/chip_type.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain import Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.versions import facts_of, newest_version, version_table

#: target_hardware → its NPU modes.
NPU_MODES = version_table().npu_modes

#: /proc/ax_proc/chip_type → target_hardware. AX650C is sold as AX8850.
HARDWARE_OF_CHIP = version_table().chips


@dataclass(frozen=True, slots=True)
class TargetProblem:
    """Why a target is none; `key` is the key of the build config that is to blame."""

    key: str
    message: str
    hint: str


def check_target(target: Target, version: str | None = None) -> None:
    """Refuse a target that this version of Pulsar2 (None: the newest) has not.

    Raises:
        ConfigError: it names the recipe's key.
    """
    problem = find_problem(target, version)
    if problem:
        raise ConfigError(f"compile.{problem.key}: {problem.message}", problem.hint)


def find_problem(target: Target, version: str | None = None) -> TargetProblem | None:
    """Say what is wrong with a target; None: nothing is."""
    facts, table = facts_of(version or newest_version()), version_table()
    known = f"one of {', '.join(facts.targets)}"
    if target.hardware not in table.npu_modes:
        sold_as = table.sold_as.get(target.hardware)
        hint = f"for {target.hardware} compile for {sold_as}; {known}" if sold_as else known
        message = f"{target.hardware!r} is no target of pulsar2"
        return TargetProblem("target_hardware", message, hint)
    if target.hardware not in facts.targets:
        since = table.hardware_since[target.hardware]
        message = f"pulsar2 {facts.version} has no {target.hardware}; it came with {since}"
        return TargetProblem("target_hardware", message, known)
    modes = table.npu_modes[target.hardware]
    if target.npu_mode not in modes:
        message = f"{target.hardware} has no {target.npu_mode}"
        return TargetProblem("npu_mode", message, f"one of {', '.join(modes)}")
    return None
