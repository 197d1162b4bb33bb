from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import orchestrator
from orchestrator.domain import ImageSource, Preprocess
from orchestrator.errors import ConfigError
from orchestrator.images import fingerprint, load_images, normalise, runtime_input

DRAWN = ImageSource(None, "street-scenes", 7, 2)
RGB = Preprocess((10, 20, 30), (2, 4, 8), "RGB")
BGR = Preprocess((10, 20, 30), (2, 4, 8), "BGR")


def folder_of(path: Path, count: int = 10) -> ImageSource:
    return ImageSource(str(path), None, 0, count)


def paint(path: Path, colour: tuple[int, int, int] = (1, 2, 3)) -> None:
    Image.new("RGB", (20, 10), colour).save(path)


def test_images_come_in_the_order_of_names_at_the_asked_size(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "c.PNG", "d.png"):
        paint(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")

    images = list(load_images(folder_of(tmp_path, 3), "evaluation", 4, 8))

    assert [image.name for image in images] == ["a", "b", "c"]
    assert {image.pixels.shape for image in images} == {(4, 8, 3)}
    assert images[1].pixels[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_images_of_any_mode_become_rgb(tmp_path: Path, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (5, 5)).save(tmp_path / f"a.{suffix}")

    (image,) = load_images(folder_of(tmp_path), "evaluation", 5, 5)

    assert image.pixels.shape == (5, 5, 3)


def test_drawn_images_are_the_same_every_time() -> None:
    first = list(load_images(DRAWN, "calibration", 32, 64))
    again = list(load_images(DRAWN, "calibration", 32, 64))

    assert [image.name for image in first] == ["street-scenes-7", "street-scenes-8"]
    assert all((a.pixels == b.pixels).all() for a, b in zip(first, again, strict=True))
    assert (first[0].pixels != first[1].pixels).any()


def test_a_fingerprint_changes_with_the_images_and_nothing_else(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    paint(tmp_path / "b.png")
    first = fingerprint(folder_of(tmp_path, 2), "evaluation")
    (tmp_path / "notes.txt").write_text("no image")
    assert fingerprint(folder_of(tmp_path, 2), "evaluation") == first

    seen = {first, fingerprint(folder_of(tmp_path, 1), "evaluation")}
    paint(tmp_path / "b.png", (9, 9, 9))
    seen.add(fingerprint(folder_of(tmp_path, 2), "evaluation"))
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    seen.add(fingerprint(folder_of(tmp_path, 2), "evaluation"))
    assert len(seen) == 4


def test_a_drawn_set_is_named_by_its_seed_and_count() -> None:
    sources = [
        DRAWN,
        ImageSource(None, "street-scenes", 8, 2),
        ImageSource(None, "street-scenes", 7, 3),
    ]

    assert len({fingerprint(source, "calibration") for source in sources}) == 3


def test_a_change_in_any_file_that_draws_changes_the_fingerprint(tmp_path: Path) -> None:
    package = tmp_path / "orchestrator"
    shutil.copytree(Path(orchestrator.__file__).parent, package)
    # The current folder comes first on the path of `python -c`: the copy is what is imported.
    program = (
        "import sys; from orchestrator.images import fingerprint;"
        "from orchestrator.domain import ImageSource\n"
        "for name in sys.argv[1:]:\n"
        "    with open(name, 'a') as stream: stream.write('# changed\\n')\n"
        "    print(fingerprint(ImageSource(None, 'street-scenes', 7, 2), 'calibration'))"
    )
    names = [
        str(package / "recipes" / f"{name}.py")
        for name in ("street_scenes", "street_plan", "street_life", "drawing")
    ]
    argv = [sys.executable, "-c", program, *names]
    seen = set(subprocess.check_output(argv, cwd=tmp_path).split())

    assert len(seen) == 4


def test_the_model_sees_normalised_nchw() -> None:
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[1, 2] = (12, 28, 46)

    rgb, bgr = normalise(pixels, RGB), normalise(pixels, BGR)

    assert (rgb.shape, str(rgb.dtype)) == ((1, 3, 2, 3), "float32")
    assert rgb.flags.c_contiguous
    assert rgb[0, :, 1, 2].tolist() == [1, 2, 2]
    assert bgr[0, :, 1, 2].tolist() == [(46 - 10) / 2, (28 - 20) / 4, (12 - 30) / 8]


def test_a_board_sees_raw_nhwc_in_the_models_order() -> None:
    pixels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)

    rgb, bgr = runtime_input(pixels, RGB), runtime_input(pixels, BGR)

    assert (rgb.shape, str(rgb.dtype)) == ((1, 2, 3, 3), "uint8")
    assert rgb.tobytes() == pixels.tobytes()
    assert bgr[0, 0, 0].tolist() == [2, 1, 0]


def png(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "content", [b"", b"text", png(9, 9), png(60_000, 60_000)], ids=["empty", "text", "cut", "vast"]
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"evaluation image .*bad\.png cannot be read"):
        list(load_images(folder_of(tmp_path), "evaluation", 4, 8))


@pytest.mark.parametrize("kind", ["dangling link", "folder"])
def test_what_only_looks_like_an_image_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.png"
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")

    with pytest.raises(ConfigError, match=r"bad\.png"):
        fingerprint(folder_of(tmp_path), "evaluation")


def test_no_images_are_refused_with_the_option_that_gives_some(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for purpose, option in (("calibration", "--calibration"), ("evaluation", "--images")):
        for source, message in (
            (ImageSource(None, None, 0, 2), f"the recipe names no {purpose} images"),
            (folder_of(tmp_path / "no"), "cannot be read: No such file or directory"),
            (folder_of(tmp_path / "notes.txt"), "cannot be read: Not a directory"),
            (folder_of(tmp_path), "has no images"),
        ):
            with pytest.raises(ConfigError, match=message) as caught:
                fingerprint(source, purpose)
            assert option in caught.value.hint or "looked for" in caught.value.hint


def test_images_deeper_than_8_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(tmp_path / "deep.png")

    with pytest.raises(ConfigError, match=r"deep\.png cannot be read: .*mode I;16"):
        list(load_images(ImageSource(str(tmp_path), None, 0, 1), "evaluation", 8, 8))


def test_images_are_turned_as_their_camera_was(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)

    (image,) = load_images(ImageSource(str(tmp_path), None, 0, 1), "evaluation", 4, 4)

    assert image.pixels[3].min() == 255
    assert image.pixels[0].max() == 0
