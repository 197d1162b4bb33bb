"""Models of many makes, small and with random weights: exported, simplified, the same as torch's.

An architecture that cannot go to a board is refused in a line that says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from orchestrator.domain import HeadSpec, Recipe, Task
from orchestrator.errors import ExportError
from orchestrator.images import NamedImage
from orchestrator.recipe import load_recipe
from orchestrator.stages.export import export
from orchestrator.stages.optimize import optimize

pytestmark = pytest.mark.slow

CLASSES = ("road", "sky", "tree", "car", "house", "person", "water")
TINY = load_recipe("segformer-tiny")

#: What most transformers share, and what most pyramids of four stages do.
PLAIN = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
VIT = {**PLAIN, "image_size": 64, "patch_size": 16}
DEEP = {**VIT, "num_hidden_layers": 4}
DINO = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 70}
PYRAMID = {"hidden_sizes": [16, 24, 32, 48], "depths": [1, 1, 1, 1]}
GLPN = {**PYRAMID, "hidden_sizes": [16, 32, 40, 64]}
SWIN = {
    "image_size": 64,
    "patch_size": 4,
    "embed_dim": 16,
    "depths": [2, 2],
    "num_heads": [2, 4],
    "window_size": 4,
}
NECK = {"neck_hidden_sizes": [8, 16, 24, 24], "fusion_hidden_size": 16}
DPT = {**DEEP, **NECK, "backbone_out_indices": [0, 1, 2, 3], "is_hybrid": False}
STAGES = ["stage1", "stage2", "stage3", "stage4"]


@dataclass(frozen=True, slots=True)
class Make:
    """A model by its class in transformers, and what its config says otherwise than that of all.

    Attributes:
        refused: what the one line says, of one that cannot be exported; a pattern.
    """

    model: str
    config: Mapping[str, object]
    size: tuple[int, int] = (64, 64)
    refused: str = ""


SEGMENTATION = [
    Make("SegformerForSemanticSegmentation", {**PYRAMID, "decoder_hidden_size": 32}, (64, 96)),
    Make(
        "BeitForSemanticSegmentation",
        {**DEEP, "use_relative_position_bias": True, "out_indices": [1, 2, 3, 4]},
    ),
    Make("DPTForSemanticSegmentation", DPT),
    Make("MobileNetV2ForSemanticSegmentation", {"depth_multiplier": 0.25}, (65, 65)),
    Make(
        "UperNetForSemanticSegmentation",
        {
            "backbone_config": {"model_type": "convnext", **PYRAMID, "out_features": STAGES},
            "hidden_size": 32,
            "auxiliary_in_channels": 32,
            "auxiliary_channels": 16,
        },
    ),
    Make("ViTModel", VIT, refused="has no semantic-segmentation model of type 'vit'"),
]
CLASSIFICATION = [
    Make("ViTForImageClassification", VIT, (96, 64)),
    Make("DeiTForImageClassificationWithTeacher", VIT),
    Make("SwinForImageClassification", SWIN),
    Make("Swinv2ForImageClassification", SWIN),
    Make("ConvNextV2ForImageClassification", PYRAMID),
    Make(
        "MobileViTForImageClassification",
        {
            "image_size": 64,
            "hidden_sizes": [24, 32, 40],
            "neck_hidden_sizes": [8, 16, 24, 32, 40, 48, 64],
        },
    ),
    Make(
        "EfficientNetForImageClassification",
        {"width_coefficient": 0.25, "depth_coefficient": 0.3, "hidden_dim": 320},
    ),
    Make("ResNetForImageClassification", {**PYRAMID, "embedding_size": 16}),
    Make("RegNetForImageClassification", {**PYRAMID, "embedding_size": 16, "groups_width": 8}),
    Make("MobileNetV1ForImageClassification", {"depth_multiplier": 0.25}),
    Make("PoolFormerForImageClassification", PYRAMID),
    Make(
        "CvtForImageClassification",
        {"embed_dim": [16, 24, 32], "depth": [1, 2, 3], "num_heads": [1, 2, 4]},
        refused="opset 11: Exporting the operator 'aten::einsum' to ONNX opset version 11 is not",
    ),
    Make("ViTModel", VIT, refused=r"2 weights of a vit .* are not in it, classifier\.bias"),
]
DEPTH = [
    Make("DPTForDepthEstimation", {**DPT, "readout_type": "project"}),
    Make("DPTForDepthEstimation", DPT, (64, 96), refused="torch cannot run it at 1x3x64x96"),
    Make("GLPNForDepthEstimation", {**GLPN, "decoder_hidden_size": 32}, (64, 96)),
    Make(
        "DepthAnythingForDepthEstimation",
        {
            **NECK,
            "backbone_config": {
                **DINO,
                "model_type": "dinov2",
                "num_hidden_layers": 4,
                "patch_size": 14,
                "out_indices": [1, 2, 3, 4],
                "reshape_hidden_states": False,
            },
            "reassemble_hidden_size": 32,
            "head_hidden_size": 8,
        },
        (70, 98),
    ),
]
FEATURES = [
    Make("Dinov2Model", {**DINO, "patch_size": 14}, (56, 84)),
    Make("Dinov2WithRegistersModel", {**DINO, "patch_size": 14}, (56, 84)),
    Make("DINOv3ViTModel", {**VIT, "num_register_tokens": 4}, (64, 96)),
    Make("ConvNextModel", PYRAMID, (64, 96)),
    Make("SiglipModel", {"vision_config": VIT, "text_config": {**PLAIN, "vocab_size": 100}}),
    Make("CLIPVisionModel", VIT, (96, 64)),
]
MAKES: list[tuple[Task, Make]] = [
    *(("semantic-segmentation", make) for make in SEGMENTATION),
    *(("image-classification", make) for make in CLASSIFICATION),
    *(("depth-estimation", make) for make in DEPTH),
    *(("image-feature-extraction", make) for make in FEATURES),
]


def write_checkpoint(make: Make, labels: int, folder: Path) -> None:
    """Write a model whose weights keep the size of what goes through it, so that answers differ."""
    import torch
    import transformers

    kind = getattr(transformers, make.model)
    torch.manual_seed(0)
    model = kind(kind.config_class(**make.config, num_labels=labels))
    for name, weight in model.named_parameters():
        fan_in = weight[0].numel() if weight.dim() > 1 else 1
        if fan_in > 1:
            weight.data = torch.randn(weight.shape) * (2 / fan_in) ** 0.5
        elif "bias" in name:
            weight.data = torch.randn(weight.shape) * 0.1
    model.save_pretrained(folder)


def recipe_for(task: Task, make: Make) -> Recipe:
    segments = task == "semantic-segmentation"
    spec = replace(TINY.export, opset=11, shape=(1, 3, *make.size), output_name="found")
    return replace(
        TINY,
        checkpoint=replace(TINY.checkpoint, task=task),
        export=spec,
        classes=CLASSES if segments else (),
        head=HeadSpec("argmax" if segments else "none", 1, keepdims=True, output_name="classes"),
    )


@pytest.mark.parametrize(
    ("task", "make"),
    MAKES,
    ids=[f"{make.model}-{'no' if make.refused else 'yes'}-{task}" for task, make in MAKES],
)
def test_a_model_of_any_make_says_the_same_as_onnx_or_is_refused(
    task: Task, make: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(make, len(CLASSES), tmp_path / "checkpoint")
    recipe, noise = recipe_for(task, make), np.random.default_rng(0)
    images = [
        NamedImage(str(one), noise.integers(0, 256, (*make.size, 3), dtype=np.uint8))
        for one in range(2)
    ]
    for folder in ("exported", "optimized"):
        (tmp_path / folder).mkdir()

    if make.refused:
        with pytest.raises(ExportError, match=make.refused) as refusal:
            export(recipe, tmp_path / "checkpoint", images, tmp_path / "exported")
        assert "\n" not in str(refusal.value)
        assert capfd.readouterr().out == ""
        return
    exported = export(recipe, tmp_path / "checkpoint", images, tmp_path / "exported")
    simple = optimize(recipe, exported.path, images, 2, tmp_path / "optimized")

    assert 0 < exported.max_abs_diff < 1e-2
    assert (exported.agreement, simple.agreement) == pytest.approx((1.0, 1.0), abs=1e-9)
    assert np.load(simple.reference).std() > 0
    assert sum(simple.ops_after.values()) <= sum(exported.ops.values())
    assert not {"Shape", "If", "Loop", "Constant", "Identity"} & simple.ops_after.keys()
