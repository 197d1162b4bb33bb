"""Checkpoints with random weights and the true architecture of the models that recipes name.

The numbers are those of the models' config.json on the hub; nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

#: Depths of the four stages, their widths, the decoder's width.
_MIX_TRANSFORMERS = {
    "b0": ([2, 2, 2, 2], [32, 64, 160, 256], 256),
    "b1": ([2, 2, 2, 2], [64, 128, 320, 512], 256),
    "b2": ([3, 4, 6, 3], [64, 128, 320, 512], 768),
    "b3": ([3, 4, 18, 3], [64, 128, 320, 512], 768),
    "b4": ([3, 8, 27, 3], [64, 128, 320, 512], 768),
    "b5": ([3, 6, 40, 3], [64, 128, 320, 512], 768),
}
#: Width, layers and heads.
_DINOV2 = {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}


def segformer(size: str, classes: int, *, narrow: int = 1) -> PretrainedConfig:
    """Give the config of a SegFormer, `b0` to `b5`; its widths are divided by `narrow`."""
    from transformers import SegformerConfig

    depths, widths, decoder = _MIX_TRANSFORMERS[size]
    return SegformerConfig(
        depths=depths,
        hidden_sizes=[width // narrow for width in widths],
        decoder_hidden_size=decoder // narrow,
        num_labels=classes,
    )


def dinov2(size: str, *, layers: int | None = None, narrow: int = 1) -> PretrainedConfig:
    """Give the config of a DINOv2, `small` to `large`; its width is divided by `narrow`.

    It has fewer layers where they are named.
    """
    from transformers import Dinov2Config

    width, depth, heads = _DINOV2[size]
    return Dinov2Config(
        hidden_size=width // narrow,
        num_hidden_layers=layers or depth,
        num_attention_heads=heads,
        image_size=518,
        patch_size=14,
    )


def depth_anything() -> PretrainedConfig:
    """Give the config of Depth-Anything V2 small."""
    from transformers import DepthAnythingConfig, Dinov2Config

    width, depth, heads = _DINOV2["small"]
    backbone = Dinov2Config(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        image_size=518,
        patch_size=14,
        out_indices=[3, 6, 9, 12],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=width,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
    )


def resnet50() -> PretrainedConfig:
    """Give the config of ResNet-50 with its 1000 classes."""
    from transformers import ResNetConfig

    return ResNetConfig(num_labels=1000)


def mobilenet_v2() -> PretrainedConfig:
    """Give the config of MobileNetV2 1.0 at 224, with its 1001 classes."""
    from transformers import MobileNetV2Config

    return MobileNetV2Config(num_labels=1001, tf_padding=True)


def write_checkpoint(config: PretrainedConfig, task: str, folder: Path, seed: int = 0) -> Path:
    """Write what `save_pretrained()` does, with weights drawn from a seed; give the folder."""
    import torch
    import transformers

    torch.manual_seed(seed)
    made: dict[str, Callable[[], object]] = {
        "semantic-segmentation": lambda: transformers.AutoModelForSemanticSegmentation,
        "image-classification": lambda: transformers.AutoModelForImageClassification,
        "depth-estimation": lambda: transformers.AutoModelForDepthEstimation,
        "image-feature-extraction": lambda: transformers.AutoModel,
    }
    model = made[task]().from_config(config)  # type: ignore[attr-defined] # transformers is not checked
    model.save_pretrained(folder)
    return folder
