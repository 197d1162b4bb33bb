"""One calibration sample: read as far as it must be to know that the toolchain can use it."""

from __future__ import annotations

import io
import math
import pickle
import warnings
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from orchestrator.domain import TensorSpec
from orchestrator.pulsar2.preflight.archive import Entry

Array = NDArray[np.generic]

#: No sample of a model that can be compiled is larger.
_MOST_BYTES = 1 << 30
#: Any .npy header fits.
_HEADER_BYTES = 1 << 16
_COLOURS = 3
_IMAGE_RANK = 4


class BadSample(ValueError):  # noqa: N818 - what the file is
    """The toolchain cannot use it."""

    def __init__(self, check: str, message: str, advice: str = "") -> None:
        super().__init__(check, message, advice)
        self.check = check
        self.message = message
        self.advice = advice


def read_numpy(entry: Entry, tensor: TensorSpec, *, values: bool) -> Array:
    """Read a .npy file. Raises BadSample, BrokenArchive."""
    content = io.BytesIO(entry.read(_MOST_BYTES if values else _HEADER_BYTES))
    shape, _, dtype = _npy_header(content)
    if dtype.hasobject:
        raise BadSample("sample", "holds Python objects", "calibration_format is NumpyObject?")
    fit(shape, dtype, tensor)
    wanted, there = math.prod(shape) * dtype.itemsize, entry.size_bytes - content.tell()
    if there < wanted:
        raise BadSample("sample", f"is cut off: {there:,} of {wanted:,} bytes of data")
    return np.frombuffer(content.read(wanted), dtype) if values else np.empty(0, dtype)


def read_binary(entry: Entry, tensor: TensorSpec, *, values: bool) -> Array:
    """Read a file of plain numbers. Raises BadSample, BrokenArchive."""
    dtype = np.dtype(tensor.dtype)
    wanted = math.prod(tensor.shape) * dtype.itemsize
    if entry.size_bytes != wanted:
        message = f"has {entry.size_bytes:,} bytes; {tensor.dtype} {tensor.shape} has {wanted:,}"
        raise BadSample("sample", message, "write array.tofile(...) of exactly that")
    return np.frombuffer(entry.read(wanted), dtype) if values else np.empty(0, dtype)


def read_object(entry: Entry, tensor: TensorSpec, *, values: bool) -> Array:
    """Read the input's array out of a saved dict. Raises BadSample, BrokenArchive."""
    content = io.BytesIO(entry.read(_MOST_BYTES))
    shape, _, dtype = _npy_header(content)
    if not dtype.hasobject or shape:
        advice = 'np.save(path, {"input": array}), or calibration_format Numpy'
        raise BadSample("sample", "holds no dict", advice)
    try:
        held = _ArraysOnly(content).load()
        named = held.item() if isinstance(held, np.ndarray) else held
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise BadSample("sample", f"cannot be read: {error}") from error
    if not isinstance(named, dict) or tensor.name not in named:
        found = ", ".join(map(str, named)) if isinstance(named, dict) else "no dict"
        raise BadSample("sample", f"has nothing for input {tensor.name}; it has {found}")
    array: Array = np.asarray(named[tensor.name])
    fit(array.shape, array.dtype, tensor)
    return array if values else array[:0]


def read_image(entry: Entry, channels: int) -> tuple[str, bool]:
    """Decode an image; give its mode, and whether all its pixels are equal.

    Raises:
        BadSample: it cannot be decoded.
        BrokenArchive: the archive is cut off in it.
    """
    from PIL import Image

    content = io.BytesIO(entry.read(_MOST_BYTES))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(content) as image:
                mode = str(image.mode)
                image.draft("RGB" if channels == _COLOURS else "L", (256, 256))
                bands = [band.getextrema() for band in image.convert("RGB").split()]
    except (OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError) as error:
        raise BadSample("image", f"cannot be decoded: {error}") from error
    return mode, all(len(set(extremes)) == 1 for extremes in bands)


def fit(shape: tuple[int, ...], dtype: np.dtype[np.generic], tensor: TensorSpec) -> None:
    """Compare with the input. Raises BadSample."""
    if dtype != np.dtype(tensor.dtype):
        message = f"is {dtype.str if dtype.name == tensor.dtype else dtype.name}; the input"
        advice = f"array.astype(np.{tensor.dtype})"
        raise BadSample("sample", f"{message} {tensor.name} is {tensor.dtype}", advice)
    if shape != tensor.shape:
        message = f"is of shape {shape}; the input {tensor.name} is {tensor.shape}"
        raise BadSample("sample", message, _reshaping(shape, tensor.shape))


def _reshaping(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if (1, *shape) == wanted:
        return "the batch axis is missing: array[None]"
    if shape[1:] == wanted[1:]:
        return "one file for each sample"
    if len(wanted) == _IMAGE_RANK:
        for axes in ((0, 3, 1, 2), (0, 2, 3, 1)):
            if len(shape) == _IMAGE_RANK and tuple(shape[axis] for axis in axes) == wanted:
                return f"array.transpose{axes}"
    return ""


def _npy_header(content: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    from numpy.lib import format as npy

    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        version = npy.read_magic(content)
        return readers[version](content)
    except (ValueError, KeyError, EOFError) as error:
        raise BadSample("sample", f"is no .npy file: {error}") from error


class _ArraysOnly(pickle.Unpickler):
    """Reads pickled arrays and nothing else: a pickle may name any function to be called."""

    _ALLOWED: ClassVar = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str, /) -> object:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
