"""Calibration archives, written for real, and what goes into them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from orchestrator.domain import Json, TensorSpec
from orchestrator.pulsar2.preflight import Finding

INPUT = TensorSpec("x", "float32", (1, 3, 8, 16))
TOKENS = TensorSpec("ids", "int64", (1, 52))
NUMPY: dict[str, Json] = {"calibration_format": "Numpy"}
NOISE = np.random.default_rng(0)


def npy(array: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()


def normal(shape: tuple[int, ...] = INPUT.shape, kind: str = "float32") -> bytes:
    return npy(NOISE.normal(size=shape).astype(kind))


def picture(mode: str = "RGB", *, flat: bool = False, kind: str = "PNG") -> bytes:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels += np.uint8(7) if flat else NOISE.integers(0, 256, pixels.shape, dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    return tar(path, files, "w:gz" if path.suffix == ".gz" else "w")


def many(sample: Any = normal, count: int = 8, suffix: str = ".npy") -> dict[str, bytes]:
    return {f"{index:02d}{suffix}": sample() for index in range(count)}


def one(findings: tuple[Finding, ...]) -> Finding:
    (found,) = findings
    return found
