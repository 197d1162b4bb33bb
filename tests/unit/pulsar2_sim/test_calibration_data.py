"""Calibration archives are opened for real, checked, and never written outside their folder."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.pulsar2_sim.conftest import Bench, Ended

QUANT_ERROR = "yamain.common.error.CodeException: (<ErrorCode.QuantError: 3>, "


def _build_with(bench: Bench, **changes: object) -> Ended:
    return bench.build(bench.config(quant={"input_configs": [bench.input_config(**changes)]}))


@pytest.mark.parametrize(("size", "loaded"), [(3, 3), (32, 5), (-1, 5)])
def test_the_smaller_of_size_and_archive_is_loaded(bench: Bench, size: int, loaded: int) -> None:
    ended = _build_with(bench, calibration_size=size)

    assert ended.code == 0, ended.err
    assert ended.out.count(f"{loaded} File(s) Loaded.") == 2
    folder = bench.folder / "out" / "quant" / "dataset" / "pixel_values"
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:04d}.npy" for i in range(5)]


def test_tar_tar_gz_and_zip_give_the_same_axmodel(bench: Bench) -> None:
    files = bench.samples(4)
    archives = [
        bench.write_tar(files),
        bench.write_tar(files, "calibration.tar.gz"),
        bench.write_zip(files),
    ]

    built = set()
    for archive in archives:
        assert _build_with(bench, calibration_dataset=str(archive)).code == 0
        built.add(bench.axmodel.read_bytes())

    assert len(built) == 1


@pytest.mark.parametrize("name", ["../outside.npy", "/outside.npy", "a/../../outside.npy"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_file_that_would_land_outside_is_refused(bench: Bench, name: str, kind: str) -> None:
    files = {name: bench.samples(1)["0000.npy"]}
    archive = bench.write_zip(files) if kind == "zip" else bench.write_tar(files)

    ended = _build_with(bench, calibration_dataset=str(archive))

    assert ended.code == 1
    assert ended.last_line.startswith(QUANT_ERROR)
    assert f"{name!r}, which is outside of its folder" in ended.err
    assert not list(bench.folder.rglob("outside.npy"))


def test_a_link_in_an_archive_is_refused(bench: Bench) -> None:
    link = tarfile.TarInfo("0000.npy")
    link.type = tarfile.SYMTYPE
    link.linkname = "/etc/hostname"
    archive = bench.folder / "calibration.tar"
    with tarfile.open(archive, "w") as tar:
        tar.addfile(link, io.BytesIO())

    ended = _build_with(bench)

    assert ended.code == 1
    assert "'0000.npy', which is no regular file" in ended.err


def test_no_archive_at_all_is_refused(bench: Bench) -> None:
    plain = bench.folder / "calibration.txt"
    plain.write_text("not an archive")

    missing = _build_with(bench, calibration_dataset=str(bench.folder / "none.tar"))
    no_archive = _build_with(bench, calibration_dataset=str(plain))

    assert "FileNotFoundError: Could not find file" in missing.err
    assert "is no tar, tar.gz or zip file" in no_archive.last_line
    assert (missing.code, no_archive.code) == (1, 1)


def test_a_wrong_dtype_is_refused_in_the_vendors_words(bench: Bench) -> None:
    bench.write_tar({"0000.npy": bench.npy(np.zeros((1, 3, 16, 24), np.float64))})

    ended = _build_with(bench)

    assert ended.code == 1
    assert ended.last_line.startswith(f'{QUANT_ERROR}AssertionError("Numpy File(')
    assert (
        "0000.npy) has dtype(float64), however corresponding type of inputs(pixel_values) is "
        "<class 'numpy.float32'>" in ended.last_line
    )


def test_a_wrong_shape_is_refused(bench: Bench) -> None:
    bench.write_tar({"0000.npy": bench.npy(np.zeros((3, 16, 24), np.float32))})

    ended = _build_with(bench)

    assert ended.code == 1
    assert "has shape((3, 16, 24)), however corresponding shape" in ended.last_line


def test_a_pickle_is_never_loaded(bench: Bench) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array({"a": 1}, dtype=object), allow_pickle=True)
    bench.write_tar({"0000.npy": buffer.getvalue()})

    ended = _build_with(bench)

    assert ended.code == 1
    assert ended.last_line.startswith(f"{QUANT_ERROR}ValueError(")


def test_an_input_without_calibration_data_is_refused(bench: Bench) -> None:
    ended = bench.build(bench.config(quant={}))

    assert ended.code == 1
    message = "Seems config of input(pixel_values) doesn't exist"
    assert ended.last_line == f'{QUANT_ERROR}NotImplementedError("{message}"))'


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


def _golden(folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    path = folder / "out" / "quant" / "debug" / "io" / "pixel_values.bin"
    return np.fromfile(path, np.float32).reshape(1, 3, 16, 24)


@pytest.mark.parametrize(("colour", "order"), [("RGB", (0, 1, 2)), ("BGR", (2, 1, 0))])
def test_an_image_is_resized_ordered_and_normalised(
    bench: Bench, colour: str, order: tuple[int, ...]
) -> None:
    pixels = np.full((64, 20, 3), (200, 100, 50), np.uint8)
    bench.write_tar({"0000.png": _png(pixels)})
    entry = bench.input_config(calibration_format="Image")
    processor = {"tensor_format": colour, "src_format": colour}
    config = bench.config(processor=processor, quant={"input_configs": [entry]})

    ended = bench.build(config)

    assert ended.code == 0, ended.err
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    wanted = (pixels[0, 0, list(order)] - mean) / std
    assert np.allclose(_golden(bench.folder)[0, :, 5, 7], wanted, atol=1e-5)


def test_a_binary_sample_is_taken_as_the_input_is(bench: Bench) -> None:
    array = np.linspace(-2, 2, 3 * 16 * 24, dtype=np.float32)
    bench.write_tar({"0000.bin": array.tobytes()})

    ended = _build_with(bench, calibration_format="Binary")

    assert ended.code == 0, ended.err
    assert np.array_equal(_golden(bench.folder).reshape(-1), array)


def _two_inputs(path: Path) -> None:
    shape = [1, 3, 16, 24]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["a", "b"], ["c"])],
        "two",
        [onnx.helper.make_tensor_value_info(name, 1, shape) for name in "ab"],
        [onnx.helper.make_tensor_value_info("c", 1, shape)],
    )
    opset = onnx.helper.make_opsetid("", 13)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (("0000", "0001"), ""),
        (("0000",), "inputs num 2 and 1 not match"),
        (("0000", "0009"), "Could not find file `0001' in `b'"),
    ],
)
def test_the_files_of_two_inputs_pair_by_name(
    bench: Bench, second: tuple[str, ...], message: str
) -> None:
    _two_inputs(bench.folder / "model.onnx")
    sample = bench.samples(1)["0000.npy"]
    entries = [
        bench.input_config(
            tensor_name=tensor,
            calibration_dataset=str(
                bench.write_tar({f"{name}.npy": sample for name in names}, f"{tensor}.tar")
            ),
        )
        for tensor, names in (("a", ("0000", "0001")), ("b", second))
    ]
    config = bench.config(input_processors=[], quant={"input_configs": entries})

    ended = bench.build(config)

    assert ended.code == (1 if message else 0), ended.err
    assert message in ended.err
