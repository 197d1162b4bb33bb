"""What each version of the toolchain has, as data.

Source: the history of Pulsar2's documentation; its help texts were compared at 1.9, 2.3, 2.6, 3.0,
3.2, 4.2 and later, so a key may have come a little before the version that is named here. AX620L
is in no help text: the vendor publishes configs for it; its version and modes are AX615's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data" / "versions.json"
_VERSION = re.compile(r"[vV]?(\d{1,2})\.(\d{1,2})(?!\d)")


@dataclass(frozen=True, slots=True)
class VersionTable:
    """All that is known, oldest version first.

    Attributes:
        hardware_since: the version that brought each target.
        npu_modes: of each target.
        chips: /proc/ax_proc/chip_type → target.
        sold_as: the name on a box or board → target.
        keys_since: `Message.key` → the version that brought it; keys that always were are absent.
        keys_until: `Message.key` → the first version without it.
        values_since: enum value → the version that brought it.
        opset_least: the oldest ONNX opset that is supported.
        opset_tested: the newest that published models were built with.
    """

    versions: tuple[str, ...]
    hardware_since: Mapping[str, str]
    npu_modes: Mapping[str, tuple[str, ...]]
    chips: Mapping[str, str]
    sold_as: Mapping[str, str]
    keys_since: Mapping[str, str]
    keys_until: Mapping[str, str]
    values_since: Mapping[str, str]
    opset_least: int
    opset_tested: int


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What one version has.

    Attributes:
        version: as it was asked for, `5.1-patch1-lite`.
        known: the version of the table whose facts these are, `5.1`.
        guessed: `known` is only the nearest: the version itself is not in the table.
        targets: the hardware it compiles for.
    """

    version: str
    known: str
    guessed: bool
    targets: tuple[str, ...]

    def has(self, since: str) -> bool:
        """Tell whether it has what came with `since`."""
        return _number(self.known) >= _number(since)


@cache
def version_table() -> VersionTable:
    """Read the table."""
    data = json.loads(_DATA.read_text(encoding="utf-8"))
    hardware = data["hardware"]
    return VersionTable(
        versions=tuple(data["versions"]),
        hardware_since={name: one["since"] for name, one in hardware.items()},
        npu_modes={name: tuple(one["npu_modes"]) for name, one in hardware.items()},
        chips=data["chips"],
        sold_as=data["sold_as"],
        keys_since=data["keys_since"],
        keys_until=data["keys_until"],
        values_since=data["values_since"],
        opset_least=data["opset"]["least"],
        opset_tested=data["opset"]["tested_to"],
    )


def newest_version() -> str:
    """Give the newest version that is known."""
    return version_table().versions[-1]


def facts_of(version: str) -> VersionFacts:
    """Give the facts of a version as `pulsar2 version` or an image's tag spells it.

    Patches and variants (`-patch1`, `-lite`, `_enc`) are their release. What has no number is taken
    for the newest; a number between two known ones for the older of them.
    """
    table = version_table()
    found = _VERSION.match(version)
    known, guessed = table.versions[-1], True
    if found:
        number = (int(found[1]), int(found[2]))
        older = [one for one in table.versions if _number(one) <= number]
        known = older[-1] if older else table.versions[0]
        guessed = _number(known) != number
    return VersionFacts(
        version=version,
        known=known,
        guessed=guessed,
        targets=tuple(
            name for name, since in table.hardware_since.items() if _number(since) <= _number(known)
        ),
    )


def _number(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)
