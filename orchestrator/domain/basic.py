"""What the other values are made of."""

from __future__ import annotations

from dataclasses import dataclass

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

#: A colour, 0..255 each.
Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file named by what is in it."""

    sha256: str
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is compiled for, in Pulsar2's own words: `AX650`, `NPU3`."""

    hardware: str
    npu_mode: str

    def __str__(self) -> str:
        return f"{self.hardware}/{self.npu_mode}"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model: `dtype` is numpy's name, `shape` has no unknown axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
