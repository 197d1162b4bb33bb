"""What differs between versions of the vendor's tool, read from `versions/<version>.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The one version that is simulated.
SIMULATED_VERSION = "5.2"


@dataclass(frozen=True, slots=True)
class Hardware:
    """A chip: its number in an axmodel's header and the NPU modes it has."""

    code: int
    npu_modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolVersion:
    """One version of the tool.

    Attributes:
        npu_modes: number of each mode in an axmodel's header.
        operators: ONNX op types that the front end takes.
    """

    version: str
    commit: str
    npu_modes: Mapping[str, int]
    hardware: Mapping[str, Hardware]
    operators: frozenset[str]


def load_version(version: str = SIMULATED_VERSION) -> ToolVersion:
    """Give the facts of one version."""
    path = Path(__file__).parent / "versions" / f"{version}.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    return ToolVersion(
        version=raw["version"],
        commit=raw["commit"],
        npu_modes=raw["npu_modes"],
        hardware={
            name: Hardware(chip["code"], tuple(chip["npu_modes"]))
            for name, chip in raw["hardware"].items()
        },
        operators=frozenset(raw["operators"]),
    )
