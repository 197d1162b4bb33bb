"""What the simulated boards are like: SDK, chip, memory, temperature, in real boards' texts.

This runs on the boards too, and one of them has Python 3.9: hence NamedTuple, and no slots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

Fault = Literal[
    "wrong-host-key",
    "no-sftp",
    "hang",
    "no-python",
    "vnpu",
    "old-sdk",
    "cmm-full",
    "hot",
    "tenant",
]

#: What can be wrong with a simulated board.
FAULTS: tuple[Fault, ...] = (
    "wrong-host-key",  # shows another host key than fleet.json says
    "no-sftp",  # sshd without the SFTP subsystem, as on buildroot images
    "hang",  # takes the TCP connection and never says a word
    "no-python",  # no python3 in PATH
    "vnpu",  # the NPU is split: models for more than one core are refused
    "old-sdk",  # a runtime older than the model's compiler
    "cmm-full",  # next to nothing of the NPU's memory is left
    "hot",  # 110 °C, ten below the reset of the chip
    "tenant",  # another program holds the NPU: its load, its memory, its lease
)


#: The published builds of axengine that behave differently; each calls itself 0.1.3.
AXENGINE_BUILDS = ("0.1.3rc0", "0.1.3.rc1", "0.1.3.rc2", "0.1.3.rc3")


class Profile(NamedTuple):
    """One kind of board.

    Attributes:
        sdk_version: the text after `Ax_Version `.
        cmm_base: physical address of the NPU's memory pool.
        newest_pulsar2: the newest compiler whose models the runtime takes, `major.minor`.
        vnpu: `disable` or `enable`.
        tenant_kb: memory that another program holds beside `cmm_used_kb`.
        tenant_load: what that program loads each core of the NPU with, in percent.
        axengine: whose quirks the look-alike has, one of AXENGINE_BUILDS.
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
    tenant_kb: int = 0
    tenant_load: int = 0
    axengine: str = "0.1.3.rc3"


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
    # M5Stack AI Pyramid: AX8850, 8 GB, six of them for the NPU.
    "m5-pyramid": Profile(
        sdk_version="V3.6.2_20250731140456",
        sdk_date="Jul 31 2025 14:04:56",
        engine_version="2.12.0s",
        newest_pulsar2="7.0",
        chip_type="AX650C_CHIP",
        board_id="AX650N_M5stack_8G",
        cmm_base=0x1_8000_0000,
        cmm_total_kb=6144 * 1024,
        cmm_used_kb=40960,
        temperature_mc=55102,
    ),
    # AXERA's demo board with the SDK's own buildroot image: 16 GB, ten of them for the NPU.
    "demo-buildroot": Profile(
        sdk_version="V1.45.0_P39_20240830020829",
        sdk_date="Aug 30 2024 02:08:29",
        engine_version="2.7.2a",
        newest_pulsar2="7.0",
        chip_type="AX650N_CHIP",
        board_id="AX650N_Demo",
        cmm_base=0x2_8000_0000,
        cmm_total_kb=10240 * 1024,
        cmm_used_kb=18876,
        temperature_mc=47310,
    ),
    # The same board with AXERA's Ubuntu 22.04 image.
    "demo16g": Profile(
        sdk_version="V3.6.2_20250731140456",
        sdk_date="Jul 31 2025 14:04:56",
        engine_version="2.12.0s",
        newest_pulsar2="7.0",
        chip_type="AX650N_CHIP",
        board_id="AX650N_Demo",
        cmm_base=0x1_8000_0000,
        cmm_total_kb=10240 * 1024,
        cmm_used_kb=18876,
        temperature_mc=48114,
    ),
    # The M4N-Dock as it was in 2023, with an old SDK; which compilers it takes is assumed.
    "m4n-debian11": Profile(
        sdk_version="V1.27.0_P3_20230627143603",
        sdk_date="Jun 27 2023 14:58:22",
        engine_version="1.1.0",
        newest_pulsar2="1.9",
        chip_type="AX650N_CHIP",
        board_id="AX650N_EVB",
        cmm_base=0x2_0000_0000,
        cmm_total_kb=4096 * 1024,
        cmm_used_kb=20924,
        temperature_mc=53902,
        axengine="0.1.3rc0",
    ),
}
#: What the boards of a fleet are in turn, where nothing else is asked for.
IN_TURN = ("m4n-ubuntu22", "m4n-debian12")
_HOT_MC = 110_000
#: Of which no model can be loaded.
_SCRAP_KB = 64


def with_faults(profile: Profile, faults: Collection[Fault]) -> Profile:
    """The profile with those faults that show in a board's files."""
    if "vnpu" in faults:
        profile = profile._replace(vnpu="enable")
    if "old-sdk" in faults:
        profile = profile._replace(
            sdk_version="V1.14.0_20230506154237",
            sdk_date="May  6 2023 15:42:37",
            engine_version="1.1.0",
            newest_pulsar2="1.2",
        )
    if "hot" in faults:
        profile = profile._replace(temperature_mc=_HOT_MC)
    if "tenant" in faults:
        profile = profile._replace(tenant_kb=profile.cmm_total_kb // 4, tenant_load=97)
    if "cmm-full" in faults:
        used_kb = profile.cmm_total_kb - profile.tenant_kb - _SCRAP_KB
        profile = profile._replace(cmm_used_kb=used_kb)
    return profile


class Identity(NamedTuple):
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
