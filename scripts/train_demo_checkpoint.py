"""Train the small SegFormer that the demo and the tests use, and say how good it is.

Everything is seeded: the same versions on the same kind of processor give the same weights.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from orchestrator.recipes import DEMO_CHECKPOINT
from orchestrator.recipes.street_scenes import (
    CLASSES,
    HELD_OUT_SEED,
    TRAINING_SEED,
    draw_scene,
)

HEIGHT: Final = 128
WIDTH: Final = 256
STRIDE: Final = 4
# ImageNet's, as every published SegFormer has them; of pixels scaled to 0..1.
MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
BATCH: Final = 8
THREADS: Final = 2
PEAK_RATE: Final = 2e-3
WEIGHT_DECAY: Final = 0.05
#: Thin and rare things get a louder voice in the loss.
WEIGHTS: Final = {"lane marking": 2.0, "pedestrian": 1.5}


@dataclass(frozen=True, slots=True)
class Scenes:
    """Drawn scenes: images (N, H, W, 3), 0..255, RGB, and labels (N, H, W)."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True)
class Score:
    """Intersection over union of each class, and their mean."""

    per_class: dict[str, float]
    miou: float


def main() -> None:
    """Draw, train, score, save."""
    options = _parser().parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(mode=True)
    start = time.monotonic()
    scenes = draw(TRAINING_SEED, options.scenes)
    print(f"drew {len(scenes)} scenes in {time.monotonic() - start:.0f} s")
    model = build_model()
    train(model, scenes, options.steps)
    print(f"trained {options.steps} steps, {time.monotonic() - start:.0f} s since the start")
    full, native = evaluate(model, draw(HELD_OUT_SEED, options.held_out))
    _print_scores(full, native)
    save(model, options.out, _metrics(options, full, native))
    size_bytes = sum(file.stat().st_size for file in options.out.iterdir())
    print(f"{options.out}: {size_bytes} bytes")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=DEMO_CHECKPOINT, help="where it is saved")
    parser.add_argument("--steps", type=int, default=1200, help="optimizer steps of 8 scenes")
    parser.add_argument("--scenes", type=int, default=2400, help="drawn scenes to train on")
    parser.add_argument("--held-out", type=int, default=128, help="drawn scenes to score on")
    return parser


def draw(first_seed: int, count: int) -> Scenes:
    """Draw the scenes of `count` seeds in a row."""
    scenes = [draw_scene(seed, HEIGHT, WIDTH) for seed in range(first_seed, first_seed + count)]
    return Scenes(
        np.stack([scene.image for scene in scenes]), np.stack([scene.labels for scene in scenes])
    )


def build_model() -> torch.nn.Module:
    """Give a fresh SegFormer: the standard architecture, four narrow stages of one block."""
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 32, 64, 96],
        num_attention_heads=[1, 2, 4, 8],
        sr_ratios=[8, 4, 2, 1],
        decoder_hidden_size=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=dict(enumerate(CLASSES)),
        label2id={name: index for index, name in enumerate(CLASSES)},
    )
    return transformers.SegformerForSemanticSegmentation(config)


def normalise(images: NDArray[np.uint8]) -> torch.Tensor:
    """Scale to 0..1, take off mean and standard deviation; (N, 3, H, W)."""
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
    scaled = (images.astype(np.float32) / np.float32(255) - mean) / std
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def _batches(scenes: Scenes, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give shuffled batches, half of them mirrored, for as long as asked."""
    chance = np.random.default_rng(0)
    order: list[int] = []
    for _ in range(steps):
        if len(order) < BATCH:
            order = chance.permutation(len(scenes)).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        images, labels = scenes.images[chosen], scenes.labels[chosen]
        if chance.integers(2):
            images, labels = images[:, :, ::-1], labels[:, :, ::-1]
        yield normalise(images), torch.from_numpy(labels.astype(np.int64))


def train(model: torch.nn.Module, scenes: Scenes, steps: int) -> None:
    """Fit the model in place."""
    weights = torch.tensor([WEIGHTS.get(name, 1.0) for name in CLASSES])
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=PEAK_RATE, total_steps=steps, pct_start=0.1
    )
    model.train()
    for step, (images, labels) in enumerate(_batches(scenes, steps), start=1):
        logits = upsample(model(pixel_values=images).logits)
        loss = torch.nn.functional.cross_entropy(logits, labels, weight=weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    model.eval()


def upsample(logits: torch.Tensor) -> torch.Tensor:
    """Give logits at the size of the picture, as `post_process_semantic_segmentation` does."""
    return torch.nn.functional.interpolate(
        logits, size=(HEIGHT, WIDTH), mode="bilinear", align_corners=False
    )


def evaluate(model: torch.nn.Module, scenes: Scenes) -> tuple[Score, Score]:
    """Score at the size of the picture, and on the grid that the network itself gives."""
    counts = np.zeros((2, len(CLASSES), len(CLASSES)), np.int64)
    with torch.inference_mode():
        for image, labels in zip(scenes.images, scenes.labels, strict=True):
            logits = model(pixel_values=normalise(image[None])).logits
            counts[0] += _confusion(upsample(logits).argmax(1)[0].numpy(), labels)
            middle = labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
            counts[1] += _confusion(logits.argmax(1)[0].numpy(), middle)
    return _score(counts[0]), _score(counts[1])


def _confusion(found: NDArray[np.int64], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    pairs = labels.astype(np.int64) * len(CLASSES) + found
    return np.bincount(pairs.ravel(), minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)


def _score(counts: NDArray[np.int64]) -> Score:
    hits = counts.diagonal()
    iou = hits / (counts.sum(0) + counts.sum(1) - hits)
    per_class = {name: round(float(value), 4) for name, value in zip(CLASSES, iou, strict=True)}
    return Score(per_class, round(float(iou.mean()), 4))


def _print_scores(full: Score, native: Score) -> None:
    print(f"{'class':14} {'IoU 128x256':>12} {'IoU 32x64':>12}")
    for name in CLASSES:
        print(f"{name:14} {full.per_class[name]:12.4f} {native.per_class[name]:12.4f}")
    print(f"{'mean':14} {full.miou:12.4f} {native.miou:12.4f}")


def _metrics(options: argparse.Namespace, full: Score, native: Score) -> dict[str, object]:
    return {
        "miou": full.miou,
        "iou": full.per_class,
        "miou_native": native.miou,
        "iou_native": native.per_class,
        "input": [1, 3, HEIGHT, WIDTH],
        "logits": [1, len(CLASSES), HEIGHT // STRIDE, WIDTH // STRIDE],
        "training_seeds": [TRAINING_SEED, TRAINING_SEED + options.scenes - 1],
        "held_out_seeds": [HELD_OUT_SEED, HELD_OUT_SEED + options.held_out - 1],
        "steps": options.steps,
        "batch": BATCH,
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }


def save(model: torch.nn.Module, out: Path, metrics: dict[str, object]) -> None:
    """Write the checkpoint as the Hugging Face hub has it, and the metrics beside it."""
    model.save_pretrained(out)
    preprocessor = {
        "image_processor_type": "SegformerImageProcessor",
        "do_resize": True,
        "size": {"height": HEIGHT, "width": WIDTH},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": MEAN,
        "image_std": STD,
        "do_reduce_labels": False,
    }
    for name, content in (("preprocessor_config.json", preprocessor), ("metrics.json", metrics)):
        (out / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
