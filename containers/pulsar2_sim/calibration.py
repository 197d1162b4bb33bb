"""Calibration samples: from files in an archive to arrays as the float model takes them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .model import Tensor
from .numpy_object import read_object
from .plan import Calibration, InputProcessing

Array = NDArray[np.generic]
_GRAY_RANK = 2


@dataclass(frozen=True, slots=True)
class Source:
    """The chosen files of one input."""

    tensor: Tensor
    calibration: Calibration
    processing: InputProcessing
    files: tuple[Path, ...]


def choose(files: Sequence[Path], size: int) -> tuple[Path, ...]:
    """Give the first `size` files, or all for -1. Raises AssertionError when none is left."""
    chosen = tuple(files if size < 0 else files[:size])
    if not chosen:
        raise AssertionError(f"no calibration file: size {size} of {len(files)} file(s)")
    return chosen


def pair(sources: Sequence[Source]) -> list[dict[str, Path]]:
    """Pair the files of all inputs by name. Raises AssertionError, FileNotFoundError."""
    first = sources[0]
    by_stem = {source.tensor.name: {path.stem: path for path in source.files} for source in sources}
    for source in sources[1:]:
        if len(source.files) != len(first.files):
            raise AssertionError(f"inputs num {len(first.files)} and {len(source.files)} not match")
    samples = []
    for path in first.files:
        sample = {}
        for source in sources:
            stems = by_stem[source.tensor.name]
            if path.stem not in stems:
                raise FileNotFoundError(
                    f"Could not find file `{path.stem}' in `{source.tensor.name}'"
                )
            sample[source.tensor.name] = stems[path.stem]
        samples.append(sample)
    return samples


class Samples(Sequence[Mapping[str, Array]]):
    """The samples in order, each loaded when it is asked for, so that memory stays flat."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {source.tensor.name: source for source in sources}
        self._paths = pair(sources)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Mapping[str, Array]:  # type: ignore[override]
        return {name: load(self._sources[name], path) for name, path in self._paths[index].items()}

    def __iter__(self) -> Iterator[Mapping[str, Array]]:
        return (self[index] for index in range(len(self)))


def load(source: Source, path: Path) -> Array:
    """Load one file. Raises AssertionError on a wrong dtype or shape, ValueError, KeyError."""
    data_format = source.calibration.data_format
    if data_format == "Image":
        return _load_image(source, path)
    if data_format == "Numpy":
        array: Array = np.load(path, allow_pickle=False)
    elif data_format == "Binary":
        array = np.fromfile(path, dtype=source.tensor.dtype)
        if array.size == np.prod(source.tensor.shape):
            array = array.reshape(source.tensor.shape)
    else:
        array = read_object(path, source.tensor.name)
    _check(source.tensor, array, f"{data_format} File({path})")
    return array


def _check(tensor: Tensor, array: Array, what: str) -> None:
    if array.dtype != tensor.dtype:
        raise AssertionError(
            f"{what} has dtype({array.dtype}), however corresponding type of "
            f"inputs({tensor.name}) is {tensor.dtype.type}"
        )
    if array.shape != tensor.shape:
        raise AssertionError(
            f"{what} has shape({array.shape}), however corresponding shape of "
            f"inputs({tensor.name}) is {tensor.shape}"
        )


def _load_image(source: Source, path: Path) -> Array:
    """Decode, resize plainly to the model's size, order the colours, normalise."""
    shape = source.tensor.shape
    layout = source.processing.tensor_layout
    height, width = shape[2:4] if layout == "NCHW" else shape[1:3]
    gray = source.processing.tensor_format == "GRAY"
    with Image.open(path) as image:
        resized = image.convert("L" if gray else "RGB").resize(
            (width, height), Image.Resampling.BILINEAR
        )
        pixels = np.asarray(resized, dtype=np.float32)
    if pixels.ndim == _GRAY_RANK:
        pixels = pixels[:, :, None]
    elif source.processing.tensor_format != "RGB":
        pixels = pixels[:, :, ::-1]  # AutoColorSpace as well: OpenCV decodes to BGR
    mean = np.array(source.calibration.mean or (0.0,), dtype=np.float32)
    std = np.array(source.calibration.std or (1.0,), dtype=np.float32)
    normalised = (pixels - mean) / std
    array = normalised if layout == "NHWC" else normalised.transpose(2, 0, 1)
    batch: Array = np.ascontiguousarray(array[None], dtype=np.float32)
    _check(source.tensor, batch, f"Image File({path})")
    return batch
