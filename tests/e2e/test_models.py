"""Every shipped model through the whole job, by the product's own command.

Checkpoints have random weights, and inputs are small, for time: what is looked at is the chain of
operators, not accuracy. Architectures are the true ones, but for these: SegFormer B3 to B5 and
DINOv2 large have all their layers at a quarter of the width, DINOv2 base has a third of its layers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from benchmarks import architectures
from orchestrator.recipe import SHIPPED, shipped_recipes
from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

INVENTORY = """\
boards:
  sim-01: {simulated: true}
fleets:
  sim: {boards: [sim-01], toolchain: sim}
"""
ITERATIONS = 10
IMAGES = 2


@dataclass(frozen=True, slots=True)
class Model:
    """A recipe, the config of its checkpoint, and the size at which it is tried.

    Attributes:
        shape: of the answer that the board gives.
        least: how well the INT8 model agrees with the float one: random weights have no margins,
            so classes flip that a trained model would tell apart.
    """

    recipe: str
    config: Callable[[], object]
    height: int
    width: int
    shape: tuple[int, ...]
    least: float


def segformer(
    recipe: str, size: str, classes: int, *, width: int = 64, narrow: int = 1, logits: bool = False
) -> Model:
    channels = classes if logits else 1
    return Model(
        recipe,
        lambda: architectures.segformer(size, classes, narrow=narrow),
        64,
        width,
        (1, channels, 16, width // 4),
        0.5,
    )


def dinov2(size: str, features: int, *, layers: int | None = None, narrow: int = 1) -> Model:
    return Model(
        f"dinov2-{size}-518",
        lambda: architectures.dinov2(size, layers=layers, narrow=narrow),
        112,
        112,
        (1, 1 + 8 * 8, features),
        0.9,
    )


MODELS = [
    segformer("segformer-b0-cityscapes-640x1280", "b0", 19, width=128),
    segformer("segformer-b0-cityscapes-1024x1024-logits", "b0", 19, logits=True),
    segformer("segformer-b1-cityscapes-1024x1024", "b1", 19),
    segformer("segformer-b2-ade20k-512x512", "b2", 150),
    segformer("segformer-b3-cityscapes-1024x1024", "b3", 19, narrow=4),
    segformer("segformer-b4-ade20k-512x512", "b4", 150, narrow=4),
    segformer("segformer-b5-cityscapes-1024x1024", "b5", 19, narrow=4),
    dinov2("small", 384),
    dinov2("base", 768, layers=4),
    dinov2("large", 256, narrow=4),
    Model("resnet-50-224", architectures.resnet50, 96, 96, (1, 1000), 0.0),
    Model("mobilenet-v2-224", architectures.mobilenet_v2, 96, 96, (1, 1001), 0.0),
    Model(
        "depth-anything-v2-small-518", architectures.depth_anything, 112, 112, (1, 112, 112), 0.5
    ),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory; the simulated board stays up for all models."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "inventory.yaml").write_text(INVENTORY)
    return folder


def small(model: Model, folder: Path) -> Path:
    """The shipped recipe at the size of the test, with drawn scenes and no gates."""
    content = yaml.safe_load((SHIPPED / f"{model.recipe}.yaml").read_text(encoding="utf-8"))
    content["export"]["input"]["shape"] = [1, 3, model.height, model.width]
    content["compile"]["calibration"] = {"generator": "street-scenes", "seed": 1, "size": 2}
    content["evaluation"] = {"generator": "street-scenes", "seed": 100, "size": IMAGES}
    content.pop("gates")
    path = folder / f"{model.recipe}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def orch(folder: Path, *argv: str) -> dict[str, object]:
    code, out, err = Desk(folder).orch(*argv, "--json")
    assert code == 0, out[-2000:] + err[-4000:]
    report = json.loads(out)
    assert isinstance(report, dict)
    return report


@pytest.mark.parametrize("model", MODELS, ids=[model.recipe for model in MODELS])
def test_a_model_goes_from_its_checkpoint_to_a_board(model: Model, place: Path) -> None:
    recipe = small(model, place)
    task = yaml.safe_load(recipe.read_text())["checkpoint"].get("task", "semantic-segmentation")
    checkpoint = place / "checkpoint" / model.recipe
    architectures.write_checkpoint(model.config(), task, checkpoint)

    report = orch(
        place,
        *("deploy", "--fleet", "sim", "--recipe", str(recipe), "--checkpoint", str(checkpoint)),
        *("--iterations", str(ITERATIONS)),
    )

    boards = report["boards"]
    assert isinstance(boards, list)
    (outcome,) = [entry["outcome"] for entry in boards]
    assert outcome["error"] in {"", None}
    assert outcome["agreement"]["images"] == IMAGES
    assert outcome["agreement"]["share"] >= model.least
    assert len(outcome["measurement"]["samples_ns"]) == ITERATIONS


def test_every_shipped_architecture_is_tried() -> None:
    """Recipes that differ in their data set, size or head only are tried once."""

    def architecture(recipe: str) -> str:
        return "-".join(recipe.split("-")[:2])

    tried = {architecture(model.recipe) for model in MODELS}

    assert tried == {architecture(name) for name in shipped_recipes() if "tiny" not in name}
