"""What differs between versions of the vendor's tool, read from `versions/<version>.json`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .failure import ToolFailure

#: Names the version to simulate; the image of a version sets it.
VARIABLE = "PULSAR2_SIM_VERSION"
DEFAULT = "5.2"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Hardware:
    """A chip.

    Attributes:
        code: its number in an axmodel's header.
        without: ONNX op types that the front end takes and its back end has not.
    """

    code: int
    npu_modes: tuple[str, ...]
    without: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a version's log says in words of its own.

    Attributes:
        assemble: `{name}` stands for the subgraph.
        op_table: whether the model's op types are shown.
        modules: where the tool's modules lie, in log lines and tracebacks.
    """

    statistics: str
    assemble: str
    op_table: bool
    simplifier: str
    modules: str


@dataclass(frozen=True, slots=True)
class ToolVersion:
    """One version of the tool.

    Attributes:
        npu_modes: number of each mode in an axmodel's header.
        without_fields: `Message.field` of the build config that it does not have.
        operators: ONNX op types that the front end takes.
        ir_version: of the axmodels that it writes, as `opset`.
        llm_command: what its sub-command for language models is called.
    """

    version: str
    commit: str
    npu_modes: Mapping[str, int]
    hardware: Mapping[str, Hardware]
    without_fields: frozenset[str]
    operators: frozenset[str]
    ir_version: int
    opset: int
    wording: Wording
    llm_command: str


def versions() -> list[str]:
    """Give the versions that can be simulated, oldest first."""
    return sorted(path.stem for path in (_FOLDER / "versions").glob("*.json"))


def load_version(version: str | None = None) -> ToolVersion:
    """Give the facts of one version; None asks the environment. Raises ToolFailure."""
    name = version or os.environ.get(VARIABLE) or DEFAULT
    if name not in versions():
        known = ", ".join(versions())
        raise ToolFailure("ValueError", f"{VARIABLE} {name!r} is none of {known}")
    raw = json.loads((_FOLDER / "versions" / f"{name}.json").read_text(encoding="utf-8"))
    operators = json.loads((_FOLDER / "operators.json").read_text(encoding="utf-8"))
    return ToolVersion(
        version=raw["version"],
        commit=raw["commit"],
        npu_modes=raw["npu_modes"],
        hardware={
            name: Hardware(
                chip["code"], tuple(chip["npu_modes"]), frozenset(chip.get("without", ()))
            )
            for name, chip in raw["hardware"].items()
        },
        without_fields=frozenset(raw["without_fields"]),
        operators=frozenset(operators) - frozenset(raw["without_operators"]),
        ir_version=raw["axmodel"]["ir_version"],
        opset=raw["axmodel"]["opset"],
        wording=Wording(**raw["wording"]),
        llm_command=raw["llm_command"],
    )
