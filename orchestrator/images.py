"""Images for calibration and evaluation: where they come from, and how a model sees them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from orchestrator.domain import ImageSource, Preprocess
from orchestrator.errors import ConfigError
from orchestrator.hashing import sha256_file, sha256_files

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_GENERATORS = {"street-scenes": "orchestrator.recipes.street_scenes"}


@dataclass(frozen=True, slots=True)
class NamedImage:
    """One image at the model's size: `pixels` is (H, W, 3) uint8 RGB."""

    name: str
    pixels: NDArray[np.uint8]


def fingerprint(source: ImageSource, purpose: str) -> str:
    """Name the exact images of a source, without decoding them.

    Args:
        source: the folder or the generator.
        purpose: what they are for, `calibration` or `evaluation`; named in errors.

    Raises:
        ConfigError: no source, or a folder that is missing, unreadable or empty.
    """
    digest = hashlib.sha256()
    if source.generator is not None:
        code = Path(generator_of(source.generator).__file__ or "").parent
        digest.update(sha256_files(code, code.glob("*.py")).encode())
        digest.update(f"{source.generator} {source.seed} {source.count}".encode())
        return digest.hexdigest()
    for path in image_files(source, purpose):
        try:
            digest.update(path.name.encode() + b"\0" + sha256_file(path).encode())
        except OSError as error:
            raise _unreadable(path, purpose, error) from error
    return digest.hexdigest()


def load_images(
    source: ImageSource, purpose: str, height: int, width: int, how: Preprocess | None = None
) -> Iterator[NamedImage]:
    """Give up to `source.count` images at a model's size, in the order of names.

    Args:
        source: the folder or the generator; drawn images have the size already.
        purpose: as in `fingerprint`.
        height: of the model's input.
        width: of the model's input.
        how: how files are brought to that size; None: stretched, bilinear.

    Raises:
        ConfigError: as `fingerprint`, or a file that is no image.
    """
    if source.generator is not None:
        draw = generator_of(source.generator).draw_scene
        for seed in range(source.seed, source.seed + source.count):
            yield NamedImage(f"{source.generator}-{seed}", draw(seed, height, width).image)
        return
    for path in image_files(source, purpose):
        try:
            with Image.open(path) as image:
                upright = _in_8_bits(ImageOps.exif_transpose(image)).convert("RGB")
                resized = fitted(upright, height, width, how)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise _unreadable(path, purpose, error) from error
        yield NamedImage(path.stem, np.asarray(resized, dtype=np.uint8))


def fitted(
    image: Image.Image,
    height: int,
    width: int,
    how: Preprocess | None,
    resample: Image.Resampling | None = None,
) -> Image.Image:
    """Bring an image, or a mask with `resample` NEAREST, to a model's size as a recipe says.

    Sizes are rounded as transformers' image processors round them.
    """
    if resample is None:
        resample = _RESAMPLING["bilinear" if how is None else how.resample]
    if how is None or how.fit == "stretch":
        return image.resize((width, height), resample)
    if how.crop_edge is None:  # the smallest size that covers the input
        scale = max(height / image.height, width / image.width)
        across = max(width, int(image.width * scale)), max(height, int(image.height * scale))
    else:
        edge, shorter = how.crop_edge, min(image.size)
        across = edge * image.width // shorter, edge * image.height // shorter
    left, top = (across[0] - width) // 2, (across[1] - height) // 2
    return image.resize(across, resample).crop((left, top, left + width, top + height))


def _in_8_bits(image: Image.Image) -> Image.Image:
    """Give the image back. Raises ValueError for deeper ones: converting them would clip."""
    if image.mode[0] in "IF":
        raise ValueError(f"its pixels are of mode {image.mode}, not of 8 bits")
    return image


def normalise(pixels: NDArray[np.uint8], how: Preprocess) -> NDArray[np.float32]:
    """Turn one (H, W, 3) RGB image into the model's (1, 3, H, W) float input."""
    ordered = runtime_input(pixels, how)[0].astype(np.float32)
    mean, std = np.array(how.mean, dtype=np.float32), np.array(how.std, dtype=np.float32)
    scaled = (ordered - mean) / std
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def runtime_input(pixels: NDArray[np.uint8], how: Preprocess) -> NDArray[np.uint8]:
    """Turn one (H, W, 3) RGB image into what a board is fed: (1, H, W, 3) in the model's order.

    Mean and standard deviation are part of the compiled model.
    """
    ordered = pixels if how.colour == "RGB" else pixels[..., ::-1]
    return np.ascontiguousarray(ordered[np.newaxis])


def image_files(source: ImageSource, purpose: str) -> list[Path]:
    """Give the files of a folder of images, in the order of names. Raises ConfigError."""
    option = "--calibration" if purpose == "calibration" else "--images"
    if source.folder is None:
        message = f"the recipe names no {purpose} images"
        raise ConfigError(message, f"give a folder of images with {option} DIR")
    folder = Path(source.folder)
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as error:
        reason = error.strerror or error
        message = f"{purpose} folder {folder} cannot be read: {reason}"
        raise ConfigError(message, f"give a readable folder with {option} DIR") from error
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise ConfigError(f"{purpose} folder {folder} has no images", f"looked for {kinds}")
    return found[: source.count]


def _unreadable(path: Path, purpose: str, error: Exception) -> ConfigError:
    message = f"{purpose} image {path} cannot be read: {error}"
    return ConfigError(message, "remove it from the folder, or repair it")


def generator_of(name: str) -> ModuleType:
    """Give the module that draws: its `CLASSES`, and `draw_scene(seed, height, width)`."""
    return import_module(_GENERATORS[name])
