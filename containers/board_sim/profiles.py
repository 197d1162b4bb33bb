"""What the simulated boards are like: SDK, chip, memory, temperature, in real boards' texts."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Fault = Literal["wrong-host-key", "no-sftp", "hang", "no-python", "vnpu", "old-sdk"]

#: What can be wrong with a simulated board.
FAULTS: tuple[Fault, ...] = (
    "wrong-host-key",  # shows another host key than fleet.json says
    "no-sftp",  # sshd without the SFTP subsystem, as on buildroot images
    "hang",  # takes the TCP connection and never says a word
    "no-python",  # no python3 in PATH
    "vnpu",  # the NPU is split: models for more than one core are refused
    "old-sdk",  # a runtime older than the model's compiler
)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of board.

    Attributes:
        sdk_version: the text after `Ax_Version `.
        cmm_base: physical address of the NPU's memory pool.
        newest_pulsar2: the newest compiler whose models the runtime takes, `major.minor`.
        vnpu: `disable` or `enable`.
    """

    sdk_version: str
    sdk_date: str
    engine_version: str
    newest_pulsar2: str
    chip_type: str
    board_id: str
    cmm_base: int
    cmm_total_kb: int
    cmm_used_kb: int
    temperature_mc: int
    npu_clock: str = "800M"
    vnpu: str = "disable"


PROFILES: Mapping[str, Profile] = {
    # Sipeed M4N-Dock with AXERA's Ubuntu 22.04 image: 8 GB, half of them for the NPU.
    "m4n-ubuntu22": Profile(
        sdk_version="V3.6.2_20250603154858",
        sdk_date="Jun  3 2025 15:48:58",
        engine_version="2.12.0s",
        newest_pulsar2="7.0",
        chip_type="AX650N_CHIP",
        board_id="AX650N_Demo",
        cmm_base=0x2_0000_0000,
        cmm_total_kb=4096 * 1024,
        cmm_used_kb=18876,
        temperature_mc=49263,
    ),
    # The same board with Sipeed's Debian 12 image.
    "m4n-debian12": Profile(
        sdk_version="V1.45.0_P39_20240830020829",
        sdk_date="Aug 30 2024 02:08:29",
        engine_version="2.7.2a",
        newest_pulsar2="7.0",
        chip_type="AX650N_CHIP",
        board_id="AX650N_EVB",
        cmm_base=0x2_0000_0000,
        cmm_total_kb=4096 * 1024,
        cmm_used_kb=20924,
        temperature_mc=52718,
    ),
}


def with_faults(profile: Profile, faults: Collection[Fault]) -> Profile:
    """The profile with those faults that show in a board's files."""
    if "vnpu" in faults:
        profile = replace(profile, vnpu="enable")
    if "old-sdk" in faults:
        profile = replace(
            profile,
            sdk_version="V1.14.0_20230506154237",
            sdk_date="May  6 2023 15:42:37",
            engine_version="1.1.0",
            newest_pulsar2="1.2",
        )
    return profile


@dataclass(frozen=True, slots=True)
class Identity:
    """Which of the boards of a kind this is: what AXERA's driver calls `uid`, 64 bits."""

    name: str
    uid: int

    @property
    def warmth_mc(self) -> int:
        """How much warmer than its profile the board is, in m°C: no two boards are alike."""
        return self.uid % 7919


def identity_of(name: str) -> Identity:
    """The same uid for the same name, always."""
    digest = hashlib.sha256(f"orch simulated board {name}".encode()).digest()
    return Identity(name, int.from_bytes(digest[:8], "big"))
