"""Tensors in `.bin` files: raw, little endian, named after the tensor."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .failure import ToolFailure
from .model import Tensor

Array = NDArray[np.generic]


def escaped(name: str) -> str:
    """Give a tensor's name as it stands in a file name (the vendor's documentation)."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)


def bin_path(folder: Path, name: str) -> Path:
    """Say where the tensor of this name lies."""
    return folder / f"{escaped(name)}.bin"


def read_bin(tensor: Tensor, folder: Path, batches: int = 1) -> Array:
    """Read the tensor, `batches` times its shape in a row. Raises ToolFailure.

    Returns:
        (batches, *shape).
    """
    path = bin_path(folder, tensor.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolFailure(type(error).__name__, str(error)) from error
    stored = tensor.dtype.newbyteorder("<")
    wanted = int(np.prod(tensor.shape)) * stored.itemsize * batches
    if len(data) != wanted:
        times = f", {batches} times" if batches > 1 else ""
        raise ToolFailure(
            "ValueError",
            f"{path} has {len(data)} bytes, [{tensor.name}] takes {wanted}: "
            f"{tensor.dtype.name} {tensor.shape}{times}",
        )
    array: Array = np.frombuffer(data, stored).reshape(batches, *tensor.shape)
    return array.astype(tensor.dtype, copy=False)


def write_bin(array: Array, folder: Path, name: str) -> Path:
    """Write the tensor, give its path."""
    path = bin_path(folder, name)
    path.write_bytes(np.asarray(array, array.dtype.newbyteorder("<")).tobytes())
    return path


def random_array(tensor: Tensor, generator: np.random.Generator) -> Array:
    """Give an array that fits: 0..255 or what the type holds of it, 0..1 for floats."""
    if tensor.dtype.kind == "f":
        return generator.random(tensor.shape).astype(tensor.dtype)
    high = {"bool": 1, "int8": 127}.get(tensor.dtype.name, 255)
    return generator.integers(0, high + 1, tensor.shape).astype(tensor.dtype)


def read_samples(inputs: Sequence[Tensor], folder: Path) -> list[dict[str, Array]]:
    """Read samples: each is a sub-folder with a file an input, or `folder` itself is the only one.

    A file is `<input>.npy` or `<input>.bin`. Raises ToolFailure.
    """
    if not folder.is_dir():
        raise ToolFailure("FileNotFoundError", f"input_sample_dir {folder} is no folder")
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) or [folder]
    return [{tensor.name: _read_any(tensor, each) for tensor in inputs} for each in folders]


def _read_any(tensor: Tensor, folder: Path) -> Array:
    path = folder / f"{escaped(tensor.name)}.npy"
    if not path.is_file():
        return next(iter(read_bin(tensor, folder)))
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ToolFailure(type(error).__name__, f"{path}: {error}") from error
    if (array.dtype, array.shape) != (tensor.dtype, tensor.shape):
        raise ToolFailure(
            "ValueError",
            f"{path} holds {array.dtype.name} {array.shape}, [{tensor.name}] takes "
            f"{tensor.dtype.name} {tensor.shape}",
        )
    return array


def collisions(names: Iterable[str]) -> list[list[str]]:
    """Give the groups of names that would share one file."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(escaped(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
