"""What to build and how to judge it, and where it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.domain.basic import Json, Rgb, Target
from orchestrator.domain.instruments import Instrument, PowerHook

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


@dataclass(frozen=True, slots=True)
class Board:
    """One device as the inventory describes it; who it really is, its `uid` tells.

    Attributes:
        port: 0 is not given: what ~/.ssh/config says, else 22.
        user: "" is not given: what ~/.ssh/config says, else root.
        host_keys: public keys, `ssh-ed25519 AAAA…`, that the board may show; empty: known_hosts.
        work_dir: where orch may write on the board, relative to the login's home or absolute.
        simulated: the board is a program on this machine or in a container.
        jump: hosts to go through, first to last: `user@host:port`, `host`.
        password: where the login's password comes from: `env:NAME`, `prompt`; None: keys only.
        sudo: what runs on the board runs as root, through sudo.
        sudo_password: as `password`, for sudo; None: sudo asks for none.
        switch: boards behind one network switch share its `max_parallel`.
        relay: hands blobs on to the other boards of its site.
        limit_bytes_per_s: what transfers to it may use of the line; None: all of it.
        power: a program on this host that tells what it draws; None: there is none.
    """

    name: str
    host: str
    port: int
    user: str
    host_keys: tuple[str, ...] = ()
    identity_file: str | None = None
    work_dir: str = ".orch"
    site: str = "default"
    tags: tuple[str, ...] = ()
    simulated: bool = False
    connect_timeout_s: float = 10.0
    jump: tuple[str, ...] = ()
    password: str | None = None
    sudo: bool = False
    sudo_password: str | None = None
    switch: str | None = None
    relay: bool = False
    limit_bytes_per_s: int | None = None
    power: PowerHook | None = None

    @property
    def address(self) -> str:
        """Where it is reached, in words: `user@host:port`, less what the inventory leaves open."""
        if self.simulated:
            return "simulated"
        user = f"{self.user}@" if self.user else ""
        return user + self.host + (f":{self.port}" if self.port else "")


@dataclass(frozen=True, slots=True)
class ToolchainSpec:
    """Which `pulsar2` compiles: an image for the Docker engine, or a program on this machine.

    `path` is the vendor's package tree; None: where `PULSAR2_HOME` says.
    At most `max_builds` run at once on its engine; `sim` has no such limit.
    """

    name: str
    kind: Literal["docker", "local", "package", "sim"]
    image: str | None
    command: tuple[str, ...]
    max_builds: int = 1
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """In which steps a release goes through a fleet, and what ends it early.

    Attributes:
        canary: boards that go first, on their own.
        waves: how far each wave goes, of all boards: `1` board, `10%`, `100%`.
        max_failed: boards that may fail, `2` or `10%`, before no further wave is begun.
        max_slowdown: share by which a board's p50 may be above its baseline, 0.1 for 10 %.
        max_agreement_loss: how far a board's pixel agreement may be below its baseline, 0..1.
    """

    canary: tuple[str, ...] = ()
    waves: tuple[str, ...] = ("100%",)
    max_failed: str = "100%"
    max_slowdown: float | None = None
    max_agreement_loss: float | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """How many boards are worked on at once: in all, and behind one site or switch."""

    in_all: int
    sites: Mapping[str, int] = field(default_factory=dict)
    switches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fleet:
    """A named set of boards; one that fails `quarantine_after` times in a row rests a while."""

    name: str
    boards: tuple[Board, ...]
    recipe: str | None
    toolchain: str
    caps: Caps
    rollout: Rollout = Rollout()
    board_deadline_s: float = 3600.0
    quarantine_after: int = 3
