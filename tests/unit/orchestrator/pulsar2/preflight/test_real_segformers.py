"""SegFormers as this project exports them pass, down to the calibration that it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.build_inputs import write_calibration
from orchestrator.domain import Recipe
from orchestrator.images import NamedImage, load_images
from orchestrator.pulsar2.build_config import CALIBRATION, build_config
from orchestrator.pulsar2.preflight import Finding, preflight
from orchestrator.recipe import load_recipe
from orchestrator.recipes import DEMO_CHECKPOINT
from orchestrator.stages.export import export
from orchestrator.stages.optimize import optimize

pytestmark = pytest.mark.slow


def look(recipe: Recipe, model: Path, images: list[NamedImage]) -> tuple[Finding, ...]:
    archive = model.parent / "calibration.tar"
    write_calibration(recipe, images, archive)
    config = build_config(recipe, "5.2")
    return preflight(model, recipe.compile.target, "5.2", config, {CALIBRATION: archive})


def test_the_small_segformer_is_not_spoken_of(tmp_path: Path) -> None:
    recipe = load_recipe("segformer-tiny")
    images = list(load_images(recipe.compile.calibration, "calibration", 128, 256))
    exported, optimized = tmp_path / "exported", tmp_path / "optimized"
    exported.mkdir()
    optimized.mkdir()
    done = export(recipe, DEMO_CHECKPOINT, images[:1], exported)
    simple = optimize(recipe, done.path, images[:1], 1, optimized)

    assert look(recipe, done.path, images) == ()
    assert look(recipe, simple.path, images) == ()


def test_segformer_b0_at_640x1280_is_refused_nothing(tmp_path: Path) -> None:
    import torch
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    checkpoint, exported = tmp_path / "checkpoint", tmp_path / "exported"
    exported.mkdir()
    SegformerForSemanticSegmentation(SegformerConfig(num_labels=19)).save_pretrained(checkpoint)
    recipe = load_recipe("segformer-b0-cityscapes-640x1280")
    noise = np.random.default_rng(0).integers(0, 256, (640, 1280, 3), dtype=np.uint8)
    done = export(recipe, checkpoint, [NamedImage("noise", noise)], exported)

    found = look(recipe, done.path, [NamedImage("noise", noise)])

    assert [(one.level, one.check) for one in found] == [("warn", "count")]
