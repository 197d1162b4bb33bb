"""The values that travel between stages: frozen, slotted, free of behaviour that needs the world.

The words are those of the glossary (docs/reference/glossary.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

#: A colour, 0..255 each.
Rgb = tuple[int, int, int]

#: What may be believed of a measurement.
Verdict = Literal["VALID", "NOISY", "THROTTLED", "CONTENDED", "INVALID"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file named by what is in it."""

    sha256: str
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True)
class Target:
    """What a model is compiled for, in Pulsar2's own words: `AX650`, `NPU3`."""

    hardware: str
    npu_mode: str

    def __str__(self) -> str:
        return f"{self.hardware}/{self.npu_mode}"


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model: `dtype` is numpy's name, `shape` has no unknown axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How an 8-bit image becomes the float input: `(x - mean) / std`, per channel, 0..255.

    `colour` is the order of the channels that the model was trained on: `RGB` or `BGR`.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    colour: Literal["RGB", "BGR"]


# ------------------------------------------------------------------------------- what to build
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where the weights are: a hub id with its revision, or a folder on this machine."""

    source: str
    revision: str | None
    task: str


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
    """

    folder: str | None
    generator: str | None
    seed: int
    count: int


@dataclass(frozen=True, slots=True)
class CompileSpec:
    """What `pulsar2 build` is asked for; `pulsar2` holds raw keys merged over the config."""

    target: Target
    calibration: ImageSource
    calibration_method: str
    timeout_s: float
    pulsar2: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class RunSpec:
    """How a board is measured."""

    warmup: int
    iterations: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Gates:
    """The rules that make a run pass or fail; `None` is no rule."""

    min_agreement: float | None
    min_miou: float | None
    max_p50_ms: float | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to build and how to judge it."""

    name: str
    checkpoint: Checkpoint
    export: ExportSpec
    preprocess: Preprocess
    head: HeadSpec
    compile: CompileSpec
    run: RunSpec
    evaluation: ImageSource
    gates: Gates
    classes: tuple[str, ...]
    palette: tuple[Rgb, ...]


# -------------------------------------------------------------------------------- where it runs
@dataclass(frozen=True, slots=True)
class Board:
    """One device as the inventory describes it; who it really is, its `uid` tells.

    Attributes:
        host_keys: public keys, `ssh-ed25519 AAAA…`, that the board may show; empty: known_hosts.
        work_dir: where orch may write on the board, relative to the login's home or absolute.
        simulated: the board is a program on this machine or in a container.
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


@dataclass(frozen=True, slots=True)
class ToolchainSpec:
    """Which `pulsar2` compiles: an image for the Docker engine, or a program on this machine."""

    name: str
    kind: Literal["docker", "local", "sim"]
    image: str | None
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """A named set of boards, with what it is built with by default."""

    name: str
    boards: tuple[Board, ...]
    recipe: str | None
    toolchain: str
    max_parallel: int


# ------------------------------------------------------------------------------- what was built
@dataclass(frozen=True, slots=True)
class ToolchainIdentity:
    """Who compiled: `digest` is the image's, or the hash of the program's files."""

    name: str
    version: str
    commit: str
    digest: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class AxmodelHeader:
    """What an axmodel says of itself, readable without any vendor software.

    Attributes:
        layouts: runtime layout per tensor, `NHWC` or `NCHW`, where the file says so.
        subgraphs: names of the NPU subgraphs.
        doc_string: as it stands in the file.
    """

    target: Target
    pulsar2_version: str
    pulsar2_commit: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    layouts: Mapping[str, str]
    subgraphs: tuple[str, ...]
    producer: str
    ir_version: int
    opset: int
    doc_string: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended; a return code other than 0 is a result like any other."""

    returncode: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """What is activated on a board as one: `release_id` follows from the files' hashes.

    Attributes:
        files: by the name they have in the release; the axmodel and its sidecar.
        target: what the axmodel was compiled for.
        pulsar2_version: by which toolchain.
        simulated: the axmodel was made by the stand-in and runs on simulated boards only.
        inputs: the evaluation set as a board is fed it, one artifact per image, in order.
    """

    release_id: str
    files: Mapping[str, Artifact]
    target: Target
    pulsar2_version: str
    simulated: bool
    inputs: tuple[Artifact, ...]


# --------------------------------------------------------------------------- what was measured
@dataclass(frozen=True, slots=True)
class Agreement:
    """Class maps from a board against those of the float ONNX, over all evaluation images.

    Attributes:
        pixel_agreement: share of pixels with the same class, 0..1.
        miou: mean over the classes that occur in either map, 0..1.
        per_image: pixel agreement of each image, in order.
        images: how many.
    """

    pixel_agreement: float
    miou: float
    per_image: tuple[float, ...]
    images: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """The timed inferences of one model on one board; raw, in ns, warm-up and first run apart."""

    board: str
    load_ns: int
    first_ns: int
    warmup_ns: tuple[int, ...]
    samples_ns: tuple[int, ...]
    runtime: Mapping[str, Json]
    before: Mapping[str, Json]
    after: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict with the reasons for it."""

    verdict: Verdict
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What deploying to one board did."""

    release_id: str
    uploaded_bytes: int
    agent_uploaded: bool
    activated: bool
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class BoardOutcome:
    """Everything one run learned of one board; `error` says why the rest may be missing."""

    board: str
    simulated: bool
    facts: Mapping[str, Json]
    delivery: Delivery | None = None
    measurement: Measurement | None = None
    judged: Judged | None = None
    agreement: Agreement | None = None
    error_code: str = ""
    error: str = ""
    hint: str = ""
    overlays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One stage execution: `fields` are what its key was made of, flat and readable."""

    key: str
    stage: str
    recipe: str
    run_id: str
    fields: Mapping[str, str]
    outputs: Mapping[str, Artifact]
    facts: Mapping[str, Json]
    seconds: float
    created_at: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One pipeline execution, as the ledger keeps it."""

    run_id: str
    command: str
    fleet: str
    recipe: str
    started_at: str
    finished_at: str | None
    exit_code: int | None
    summary: Mapping[str, Json]
