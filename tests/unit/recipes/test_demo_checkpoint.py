from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from orchestrator.recipes import DEMO_CHECKPOINT
from orchestrator.recipes.street_scenes import (
    CALIBRATION_SEED,
    CLASSES,
    HELD_OUT_SEED,
    TRAINING_SEED,
    draw_scene,
)

# Held-out seeds that the recorded metrics were not taken on either.
UNSEEN = range(HELD_OUT_SEED + 500_000, HELD_OUT_SEED + 500_032)


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DEMO_CHECKPOINT / name).read_text())
    return content


def test_the_checkpoint_is_small_enough_for_git() -> None:
    assert sum(file.stat().st_size for file in DEMO_CHECKPOINT.iterdir()) <= 2_000_000


def test_the_recorded_miou_is_that_of_a_trained_network() -> None:
    metrics = read("metrics.json")

    assert metrics["miou"] >= 0.80
    assert metrics["miou_native"] >= 0.80
    assert metrics["miou"] == pytest.approx(np.mean(list(metrics["iou"].values())), abs=1e-3)
    assert tuple(metrics["iou"]) == CLASSES


def test_training_kept_its_hands_off_the_other_seeds() -> None:
    metrics = read("metrics.json")

    first, last = metrics["training_seeds"]
    assert TRAINING_SEED <= first < last < CALIBRATION_SEED
    assert metrics["held_out_seeds"][0] >= HELD_OUT_SEED


def test_the_checkpoint_names_the_classes_of_the_scenes() -> None:
    labels = read("config.json")["id2label"]

    assert tuple(labels[str(index)] for index in range(len(CLASSES))) == CLASSES
    assert len(labels) == len(CLASSES)


@pytest.mark.slow
def test_the_checkpoint_segments_scenes_it_has_never_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import SegformerForSemanticSegmentation

    model = SegformerForSemanticSegmentation.from_pretrained(DEMO_CHECKPOINT, local_files_only=True)
    model.eval()
    config = read("preprocessor_config.json")
    mean, std = np.array(config["image_mean"]), np.array(config["image_std"])
    hits, either = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for seed in UNSEEN:
        scene = draw_scene(seed, config["size"]["height"], config["size"]["width"])
        pixels = (scene.image * config["rescale_factor"] - mean) / std
        batch = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.inference_mode():
            logits = model(pixel_values=batch).logits
            whole = torch.nn.functional.interpolate(logits, scene.labels.shape, mode="bilinear")
        found = whole.argmax(1)[0].numpy()
        for index in range(len(CLASSES)):
            hits[index] += ((found == index) & (scene.labels == index)).sum()
            either[index] += ((found == index) | (scene.labels == index)).sum()

    miou = (hits / either).mean()
    assert miou >= 0.80
    assert miou == pytest.approx(read("metrics.json")["miou"], abs=0.04)
