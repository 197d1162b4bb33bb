"""`NumpyObject` calibration files: one pickled dict of arrays a file, read without running pickles.

`np.save("data.npy", {"rgb": array})` pickles. Whatever a pickle asks for beside numpy's own arrays
is refused, so that a file cannot run code.
"""

import pickle
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Array = NDArray[np.generic]

#: What numpy's pickles of arrays and dicts of them name.
_ALLOWED = frozenset(
    {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy.core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }
)


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"a pickle that asks for {module}.{name}")
        found: object = super().find_class(module.replace("numpy.core", "numpy._core"), name)
        return found


def read_object(path: Path, name: str) -> Array:
    """Give the array of this name. Raises ValueError, KeyError, AssertionError."""
    try:
        held = _load(path)
    except (ValueError, pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(f"NumpyObject File({path}): {error}") from error
    arrays = held.item() if held.size == 1 else None
    if not isinstance(arrays, dict):
        raise ValueError(f"NumpyObject File({path}) holds no dict")  # noqa: TRY004 - a bad file
    if name not in arrays:
        raise KeyError(
            f"NumpyObject File({path}) has no [{name}], it has {sorted(map(str, arrays))}"
        )
    array = arrays[name]
    if not isinstance(array, np.ndarray):
        raise ValueError(f"NumpyObject File({path}): [{name}] is no array")  # noqa: TRY004 - a bad file
    return array


def _load(path: Path) -> NDArray[np.object_]:
    with path.open("rb") as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version < (2, 0) else npy.read_array_header_2_0
        _, _, dtype = read_header(file)
        if not dtype.hasobject:
            raise ValueError(f"an array of {dtype}, not a dict of arrays")
        return np.asarray(_ArraysOnly(file).load(), dtype=np.object_)
