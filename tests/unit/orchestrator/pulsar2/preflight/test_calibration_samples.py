"""Samples against their inputs, in archives written for real."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from orchestrator.domain import Json, TensorSpec
from orchestrator.pulsar2.preflight import check_calibration
from tests.unit.orchestrator.pulsar2.preflight.archives import (
    INPUT,
    NOISE,
    NUMPY,
    TOKENS,
    many,
    normal,
    npy,
    one,
    pack,
    picture,
)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_good_arrays_are_not_spoken_of(tmp_path: Path, name: str) -> None:
    assert check_calibration(pack(tmp_path / name, many()), NUMPY, INPUT) == ()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_good_images_are_not_spoken_of(tmp_path: Path, name: str) -> None:
    files = many(picture, 4, ".png") | many(lambda: picture(kind="JPEG"), 4, ".jpg")
    assert check_calibration(pack(tmp_path / name, files), {}, INPUT) == ()


@pytest.mark.parametrize(
    ("sample", "message", "advice"),
    [
        (normal((3, 8, 16)), "is of shape (3, 8, 16)", "array[None]"),
        (normal((1, 8, 16, 3)), "is of shape (1, 8, 16, 3)", "array.transpose(0, 3, 1, 2)"),
        (normal((4, 3, 8, 16)), "is of shape (4, 3, 8, 16)", "one file for each sample"),
        (normal(kind="float64"), "is float64; the input x is float32", "astype(np.float32)"),
        (normal(kind="uint8"), "is uint8; the input x is float32", "astype(np.float32)"),
        (normal(kind=">f4"), "is >f4; the input x is float32", "astype(np.float32)"),
        (normal()[:-9], "is cut off: 1,527 of 1,536 bytes", ""),
        (b"not an array", "is no .npy file", ""),
        (npy({"x": 1}), "holds Python objects", "NumpyObject"),
    ],
)
def test_an_array_that_the_input_cannot_take_is_refused_by_its_file(
    tmp_path: Path, sample: bytes, message: str, advice: str
) -> None:
    archive = pack(tmp_path / "a.tar", many() | {"bad.npy": sample})
    found = one(check_calibration(archive, NUMPY, INPUT))
    assert (found.level, found.check, found.where) == ("refuse", "sample", "bad.npy")
    assert message in found.message
    assert advice in found.advice


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(tmp_path: Path, bad: float) -> None:
    array = np.ones(INPUT.shape, np.float32)
    array[0, 0, 0, :2] = bad
    archive = pack(tmp_path / "a.tar", many() | {"bad.npy": npy(array)})
    found = one(check_calibration(archive, NUMPY | {"calibration_size": -1}, INPUT))
    assert (found.level, found.check, found.where) == ("refuse", "values", "bad.npy")
    assert "2 of 384 numbers are NaN or infinite" in found.message


def test_a_constant_sample_is_warned_of_and_nothing_but_such_is_refused(tmp_path: Path) -> None:
    flat = npy(np.ones(INPUT.shape, np.float32))
    some = one(check_calibration(pack(tmp_path / "a.tar", many() | {"f": flat}), NUMPY, INPUT))
    assert (some.level, some.check, some.where) == ("warn", "values", "f")
    every = one(check_calibration(pack(tmp_path / "b.tar", many(lambda: flat)), NUMPY, INPUT))
    assert (every.level, every.check, every.where) == ("refuse", "values", "b.tar")


def test_flat_images_are_constant_samples(tmp_path: Path) -> None:
    files = many(picture, 8, ".png") | {"flat.png": picture(flat=True)}
    found = one(check_calibration(pack(tmp_path / "a.tar", files), {}, INPUT))
    assert (found.level, found.check, found.where) == ("warn", "values", "flat.png")


def test_an_attention_mask_may_be_constant(tmp_path: Path) -> None:
    files = many(lambda: npy(np.ones((1, 52), np.int64)))
    assert check_calibration(pack(tmp_path / "a.tar", files), NUMPY, TOKENS) == ()


@pytest.mark.parametrize("content", [b"text", picture()[:40]])
def test_an_image_that_cannot_be_decoded_is_refused_by_its_name(
    tmp_path: Path, content: bytes
) -> None:
    files = many(picture, 8, ".png") | {"bad.png": content}
    found = one(check_calibration(pack(tmp_path / "a.tar", files), {}, INPUT))
    assert (found.level, found.check, found.where) == ("refuse", "image", "bad.png")


@pytest.mark.parametrize(("mode", "word"), [("L", "grey"), ("RGBA", "RGBA")])
def test_images_of_other_channels_are_warned_of_once(tmp_path: Path, mode: str, word: str) -> None:
    archive = pack(tmp_path / "a.tar", many(lambda: picture(mode), 8, ".png"))
    found = one(check_calibration(archive, {}, INPUT))
    assert (found.level, found.check) == ("warn", "image")
    assert "00.png and 7 more" in found.message
    assert word in found.message


def test_a_grey_model_takes_grey_images(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar", many(lambda: picture("L"), 8, ".png"))
    assert check_calibration(archive, {}, TensorSpec("x", "float32", (1, 1, 8, 8))) == ()


def test_images_for_an_input_that_is_none_are_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar", many(picture, 8, ".png"))
    found = one(check_calibration(archive, {}, TOKENS))
    assert (found.level, found.check) == ("refuse", "image")


def test_binary_files_must_have_exactly_the_inputs_bytes(tmp_path: Path) -> None:
    numbers = NOISE.normal(size=INPUT.shape).astype(np.float32).tobytes()
    given: dict[str, Json] = {"calibration_format": "Binary"}
    files = many(lambda: numbers, 8, ".bin")
    assert check_calibration(pack(tmp_path / "a.tar", files), given, INPUT) == ()
    files["07.bin"] = numbers[:-4]
    found = one(check_calibration(pack(tmp_path / "b.tar", files), given, INPUT))
    assert (found.level, found.where) == ("refuse", "07.bin")
    assert "has 1,532 bytes; float32 (1, 3, 8, 16) has 1,536" in found.message


OBJECT: dict[str, Json] = {"calibration_format": "NumpyObject"}


def test_a_dict_is_read_by_the_name_of_the_input(tmp_path: Path) -> None:
    good = {"x": NOISE.normal(size=INPUT.shape).astype(np.float32), "ids": np.zeros((1, 52), int)}
    archive = pack(tmp_path / "a.tar", many(lambda: npy(good)))
    assert check_calibration(archive, OBJECT, INPUT) == ()
    assert check_calibration(archive, OBJECT, TOKENS) == ()
    found = check_calibration(archive, OBJECT, TensorSpec("mask", "bool", (1, 52)))[0]
    assert found.level == "refuse"
    assert "has nothing for input mask; it has x, ids" in found.message


class Harmful:
    """Its pickle would make a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self._path,)


def test_a_pickle_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    bad = npy({"x": Harmful(mark)})
    assert pickle.loads(pickle.dumps(Harmful(mark))) is None  # noqa: S301 - our own, to see it act
    mark.unlink()

    found = check_calibration(pack(tmp_path / "a.tar", many(lambda: bad)), OBJECT, INPUT)

    assert found[0].level == "refuse"
    assert "it calls" in found[0].message
    assert not mark.exists()


U8: dict[str, Json] = {"src_dtype": "U8"}
IMAGENET: dict[str, Json] = {
    "calibration_mean": [123.675, 116.28, 103.53],
    "calibration_std": [58.395, 57.12, 57.375],
}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "without mean and std src_dtype U8 becomes 0 to 255 at run time"),
        ({"calibration_mean": [0.0], "calibration_std": [255.0]}, "becomes 0 to 1"),
        ({"calibration_mean": [0.485], "calibration_std": [1 / 255]}, "std is 255, not 1/255"),
    ],
)
def test_arrays_that_bytes_cannot_become_are_warned_of(
    tmp_path: Path, given: dict[str, Json], message: str
) -> None:
    archive = pack(tmp_path / "a.tar", many())
    found = check_calibration(archive, NUMPY | given, INPUT, U8)
    assert {(one.level, one.check) for one in found} == {("warn", "scale")}
    assert message in " ".join(f"{one.message} {one.advice}" for one in found)


def test_arrays_that_bytes_become_are_not(tmp_path: Path) -> None:
    def sample() -> bytes:
        raw = NOISE.integers(0, 256, (1, 8, 16, 3))
        array = (raw - IMAGENET["calibration_mean"]) / IMAGENET["calibration_std"]  # type: ignore[operator]
        return npy(array.transpose(0, 3, 1, 2).astype(np.float32))

    archive = pack(tmp_path / "a.tar", many(sample))
    assert check_calibration(archive, NUMPY | IMAGENET, INPUT, U8) == ()
    assert check_calibration(archive, NUMPY, INPUT, {"src_dtype": "FP32"}) == ()


def test_a_std_for_0_to_1_on_images_is_warned_of(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar", many(picture, 8, ".png"))
    found = one(check_calibration(archive, {"calibration_std": [0.229, 0.224, 0.225]}, INPUT))
    assert (found.level, found.check) == ("warn", "scale")
