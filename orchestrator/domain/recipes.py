"""What to build, how to measure it and how to judge it: a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.domain.basic import Json, Rgb, Target
from orchestrator.domain.instruments import Instrument

#: What a model is for, in the words of the Hugging Face hub.
Task = Literal[
    "semantic-segmentation",
    "image-classification",
    "depth-estimation",
    "image-feature-extraction",
]


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How an 8-bit image becomes the float input: `(x - mean) / std`, per channel, 0..255.

    Attributes:
        colour: the order of the channels that the model was trained on.
        fit: `stretch` the image to the input's size, or `crop`: resize its shorter edge to
            `crop_edge` and take the middle.
        crop_edge: in pixels; None: as small as covers the input.
        resample: how pixels are made when it is resized.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    colour: Literal["RGB", "BGR"]
    fit: Literal["stretch", "crop"] = "stretch"
    crop_edge: int | None = None
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the model comes from.

    Attributes:
        source: a hub id or a folder as `save_pretrained()` writes it; for `onnx` a file.
        kind: `hf`, or `onnx` for a model that has been exported already.
    """

    source: str
    revision: str | None
    task: Task
    kind: Literal["hf", "onnx"] = "hf"


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """A static ONNX graph: `shape` is (N, C, H, W)."""

    opset: int
    input_name: str
    output_name: str
    shape: tuple[int, int, int, int]
    max_abs_diff: float
    min_agreement: float


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """The head put on the graph: `argmax` over `axis`, or `none`."""

    op: Literal["argmax", "none"]
    axis: int
    keepdims: bool
    output_name: str


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Images: a folder, or `count` scenes drawn by a generator from `seed` on.

    Exactly one of `folder` and `generator` is set; neither is where the recipe leaves it to the
    command line.

    Attributes:
        masks: folder of class-id images, each named as its image; None: there are none, but those
            that a generator draws.
    """

    folder: str | None
    generator: str | None
    seed: int
    count: int
    masks: str | None = None


@dataclass(frozen=True, slots=True)
class CompileSpec:
    """What `pulsar2 build` is asked for; `pulsar2` holds raw keys merged over the config.

    `precision_analysis` is `PerLayer`, `EndToEnd`, or None for none.
    """

    target: Target
    calibration: ImageSource
    calibration_method: str
    precision_analysis: str | None
    timeout_s: float
    pulsar2: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What the compiled model must do under `pulsar2 run`; `images` 0 leaves it out.

    The rules are against the float model; `None` is no rule.
    """

    images: int
    timeout_s: float
    min_agreement: float | None
    min_miou: float | None
    min_cosine: float | None


@dataclass(frozen=True, slots=True)
class SmokeSpec:
    """What a staged release must do on a board before it becomes the current one.

    Attributes:
        images: how many of the evaluation images it runs on; 0 leaves it out.
        min_agreement: pixel agreement with the golden class maps, 0..1.
    """

    images: int
    min_agreement: float


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How a board is measured.

    Attributes:
        warmup: runs that do not count; None: until the drift is inside a bound.
        iterations: samples of the steady state; at least so many where `min_duration_s` is set.
        min_duration_s: how long the steady state lasts at least; None: `iterations` decide.
        blocks: of how many blocks the steady state is made; sensors are read between them.
        instruments: what times the model; the first one is always `axengine`.
    """

    warmup: int | None
    iterations: int
    timeout_s: float
    min_duration_s: float | None = None
    blocks: int = 10
    instruments: tuple[Instrument, ...] = ("axengine",)


@dataclass(frozen=True, slots=True)
class Again:
    """How often a measurement that is not VALID is made again, and after what rest.

    Attributes:
        times: at most so often; 0: never.
        cool_to_c: how far the board cools down before; None: to about where it was before the first
            measurement, and only where it was too hot.
    """

    times: int = 0
    cool_to_c: float | None = None


@dataclass(frozen=True, slots=True)
class Gates:
    """The rules that make a run pass or fail; `None` is no rule.

    Attributes:
        min_miou: against the float model.
        min_mask_miou: against the evaluation set's masks.
        max_mask_miou_loss: how far it may be below the float model's, both against the masks.
    """

    min_agreement: float | None
    min_miou: float | None
    max_p50_ms: float | None
    max_p90_ms: float | None = None
    max_p99_ms: float | None = None
    min_mask_miou: float | None = None
    max_mask_miou_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build and how to judge it; a task without classes has none, and no palette.

    Attributes:
        layers: tensors inside the graph that become outputs of their own, or how many such, spread
            evenly; 0: none.
    """

    name: str
    checkpoint: Checkpoint
    export: ExportSpec
    preprocess: Preprocess
    head: HeadSpec
    compile: CompileSpec
    check: CheckSpec
    smoke: SmokeSpec
    run: RunSpec
    evaluation: ImageSource
    gates: Gates
    classes: tuple[str, ...]
    palette: tuple[Rgb, ...]
    layers: tuple[str, ...] | int = 0
