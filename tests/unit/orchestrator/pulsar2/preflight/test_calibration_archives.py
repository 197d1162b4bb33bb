"""Archives against their inputs, each written for real."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.domain import Json, TensorSpec
from orchestrator.pulsar2.preflight import Finding, check_calibration, check_calibrations

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


@pytest.mark.parametrize(
    ("count", "size", "level", "message"),
    [
        (0, 32, "refuse", "holds no sample"),
        (1, 1, "warn", "1 sample: "),
        (7, 7, "warn", "7 samples: "),
        (8, 9, "warn", "8 samples; calibration_size is 9"),
    ],
)
def test_too_few_samples_are_spoken_of(
    tmp_path: Path, count: int, size: int, level: str, message: str
) -> None:
    given = NUMPY | {"calibration_size": size}
    found = one(check_calibration(pack(tmp_path / "a.tar", many(count=count)), given, INPUT))
    assert (found.level, found.check) == (level, "count")
    assert message in found.message


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


@pytest.mark.parametrize("name", ["../out.npy", "/etc/out.npy", "a/../../out.npy", "..\\out.npy"])
@pytest.mark.parametrize("archive", ["a.tar", "a.zip"])
def test_names_outside_of_the_folder_are_refused(tmp_path: Path, archive: str, name: str) -> None:
    found = one(
        check_calibration(pack(tmp_path / archive, many() | {name: normal()}), NUMPY, INPUT)
    )
    assert (found.level, found.check) == ("refuse", "archive")
    assert "outside of its folder" in found.message


def test_links_are_refused(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar", many())
    with tarfile.open(archive, "a") as more:
        link = tarfile.TarInfo("link.npy")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        more.addfile(link)
    found = one(check_calibration(archive, NUMPY, INPUT))
    assert "'link.npy', which is a link or a device" in found.message


def test_what_a_desktop_left_behind_is_warned_of(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.tar", many() | {"._00.npy": b"", "__MACOSX/00.npy": b""})
    found = check_calibration(archive, NUMPY, INPUT)
    assert [(finding.level, finding.where) for finding in found] == [
        ("warn", "._00.npy"),
        ("warn", "__MACOSX/00.npy"),
    ]


@pytest.mark.parametrize("keep", [0, 100, 600])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, name: str, keep: int) -> None:
    archive = pack(tmp_path / name, many())
    archive.write_bytes(archive.read_bytes()[:keep])
    levels = [
        one.level for one in check_calibration(archive, NUMPY, INPUT) if "archive" in one.check
    ]
    assert levels == ["refuse"]


def test_another_packer_is_refused_by_its_name(tmp_path: Path) -> None:
    archive = tar(tmp_path / "a.tar.bz2", many(), "w:bz2")
    found = check_calibration(archive, NUMPY, INPUT)[0]
    assert (found.level, found.check) == ("refuse", "archive")
    assert "packed by bzip2" in found.message


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner.zip", {"a": b"a"}).read_bytes()
    found = one(
        check_calibration(pack(tmp_path / "a.tar", many() | {"z.npy": inner}), NUMPY, INPUT)
    )
    assert (found.check, found.where) == ("sample", "z.npy")


@pytest.mark.parametrize(("make", "message"), [(False, "no such file"), (True, "is a folder")])
def test_what_is_no_file_is_refused(tmp_path: Path, make: bool, message: str) -> None:  # noqa: FBT001 - a case of the table
    archive = tmp_path / "a.tar"
    if make:
        archive.mkdir()
    found = one(check_calibration(archive, NUMPY, INPUT))
    assert (found.level, found.message) == ("refuse", message)


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


def config_of(**datasets: str) -> dict[str, Json]:
    rows: list[Json] = [
        {"tensor_name": name, "calibration_dataset": dataset, "calibration_format": "Numpy"}
        for name, dataset in datasets.items()
    ]
    return {"quant": {"input_configs": rows}}


def test_samples_of_several_inputs_pair_by_file_name(tmp_path: Path) -> None:
    ids = {name: npy(np.zeros((1, 52), np.int64)) for name in many()}
    files = {
        "x.tar": pack(tmp_path / "x.tar", many()),
        "ids.tar": pack(tmp_path / "ids.tar", ids),
    }
    config = config_of(x="x.tar", ids="ids.tar")
    assert check_calibrations(config, (INPUT, TOKENS), files) == ()

    pack(tmp_path / "ids.tar", {**ids, "99.npy": ids["00.npy"]})
    found = one(check_calibrations(config, (INPUT, TOKENS), files))
    assert (found.level, found.check, found.where) == ("refuse", "count", "input x")
    assert "has no sample 99; ids has" in found.message


def test_default_stands_for_all_inputs(tmp_path: Path) -> None:
    files = {"a.tar": pack(tmp_path / "a.tar", many())}
    other = TensorSpec("z", "float32", (1, 3, 8, 8))
    found = check_calibrations(config_of(DEFAULT="a.tar"), (INPUT, other), files)
    assert {finding.level for finding in found} == {"refuse"}
    assert len(found) == 8
