"""A recipe's preprocessing is that of the checkpoint's own image processor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.checkpoint_files import read_checkpoint_files
from orchestrator.domain import ImageSource, Json
from orchestrator.errors import ConfigError
from orchestrator.image_processor import read_processor
from orchestrator.images import load_images, normalise

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SCALED = {"image_mean": MEAN, "image_std": STD, "do_normalize": True, "do_rescale": True}
PROCESSORS: dict[str, dict[str, object]] = {
    "Segformer": {"size": {"height": 48, "width": 64}, "resample": 2},
    "ViT": {"size": {"height": 64, "width": 64}, "resample": 2},
    "Bit": {
        "size": {"shortest_edge": 80},
        "crop_size": {"height": 70, "width": 70},
        "do_center_crop": True,
        "resample": 3,
    },
    "DPT": {"size": {"height": 70, "width": 70}, "resample": 3, "keep_aspect_ratio": False},
    "ConvNext": {"size": {"shortest_edge": 56}, "crop_pct": 0.875, "resample": 3},
    "EfficientNet": {"size": {"height": 64, "width": 64}, "include_top": True, "resample": 3},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROCESSORS)
def test_the_model_sees_what_transformers_would_show_it(tmp_path: Path, kind: str) -> None:
    from transformers import AutoImageProcessor

    config = {"image_processor_type": f"{kind}ImageProcessor", **SCALED, **PROCESSORS[kind]}
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    noise = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    Image.fromarray(noise).save(tmp_path / "images" / "a.png")

    seen = read_processor(read_checkpoint_files(str(tmp_path), None).processor, None)
    source = ImageSource(str(tmp_path / "images"), None, 0, 1)
    (image,) = load_images(source, "evaluation", seen.height, seen.width, seen.how)
    found = normalise(image.pixels, seen.how)

    processor = AutoImageProcessor.from_pretrained(tmp_path, use_fast=False)
    expected = processor(Image.fromarray(noise), return_tensors="np")["pixel_values"]
    assert found.shape == expected.shape
    # Float32 rounding only: (x - 255 m) / 255 s in the place of (x / 255 - m) / s.
    assert np.abs(found - expected).max() < 1e-4


def test_a_processor_without_a_size_wants_one() -> None:
    with pytest.raises(ConfigError, match="tells no size") as caught:
        read_processor({"do_resize": True}, None)
    assert "--size" in caught.value.hint
    assert read_processor({"do_resize": True}, (8, 16)).width == 16


def test_what_cannot_be_done_alike_is_said() -> None:
    seen = read_processor({"keep_aspect_ratio": True, "ensure_multiple_of": 14}, (8, 16))

    assert "keeps the aspect ratio" in seen.notes[0]


def test_an_edge_that_does_not_cover_the_input_is_not_cropped_from() -> None:
    processor: dict[str, Json] = {
        "do_resize": True,
        "do_center_crop": True,
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 256, "width": 256},
    }

    assert read_processor(processor, None).how.crop_edge is None
