"""Pickled dicts of arrays calibrate, and nothing else in a pickle is run."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

SHAPE = (1, 3, 16, 24)


def _objects(bench: Bench, held: object) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(held, dtype=object), allow_pickle=True)
    bench.write_tar({"0.npy": buffer.getvalue()})


def _with_objects(bench: Bench) -> dict[str, object]:
    entry = bench.input_config(tensor_name="DEFAULT", calibration_format="NumpyObject")
    return {"quant": {"input_configs": [entry]}}


def test_a_dict_of_arrays_calibrates_as_its_arrays_do(bench: Bench) -> None:
    array = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
    bench.write_tar({"0.npy": bench.npy(array)})
    bench.built()
    plain = bench.axmodel.read_bytes()
    _objects(bench, {"pixel_values": array, "other": np.zeros(3)})

    bench.built(**_with_objects(bench))

    assert bench.axmodel.read_bytes() == plain


def test_a_dict_without_the_input_is_refused(bench: Bench) -> None:
    _objects(bench, {"images": np.zeros(SHAPE, np.float32)})

    assert "has no [pixel_values], it has ['images']" in bench.refused(**_with_objects(bench))


class _Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self._path,))


def test_a_dict_that_would_run_code_is_refused(bench: Bench) -> None:
    touched = bench.folder / "touched"
    _objects(bench, {"pixel_values": _Evil(touched)})
    pickle.dumps(_Evil(touched))  # it can be pickled: only reading it is the danger

    message = bench.refused(**_with_objects(bench))

    assert "a pickle that asks for pathlib" in message
    assert not touched.exists()
