"""What was built, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.domain.basic import Artifact, Json, Target, TensorSpec
from orchestrator.domain.compared import Agreement
from orchestrator.domain.instruments import Contention, Power, ToolMeasurement
from orchestrator.domain.measured import Attempt, Judged, Measurement


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What deploying to one board did.

    Attributes:
        uploaded_bytes: that went over the line to the board.
        activated: the release became the current one now; False: it was already.
        site_bytes: that it fetched from a relay of its site.
        proved: pixel agreement of the staged release with the golden class maps, 0..1.
        before: the release that was the current one.
        undone: why the release before was made the current one again; empty: it was not.
    """

    release_id: str
    uploaded_bytes: int
    agent_uploaded: bool
    activated: bool
    facts: Mapping[str, Json]
    site_bytes: int = 0
    proved: float | None = None
    before: str | None = None
    undone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """What a board's figures are grouped by later, as far as the board itself does not tell.

    Attributes:
        toolchain_digest: of what compiled the model.
        max_cycle: what the compiler predicts for an inference, in NPU cycles; None: it does not.
    """

    site: str
    pulsar2: str
    toolchain_digest: str
    max_cycle: int | None = None


@dataclass(frozen=True, slots=True)
class BoardOutcome:
    """Everything one run learned of one board; `error` says why the rest may be missing.

    Attributes:
        agreement: with the float model, on the evaluation images.
        accuracy: against the evaluation set's masks; None: it has none.
        output_sha256: of the answers to all evaluation images, in order; empty: there are none.
        attempts: measurements before `measurement`, in order, that were not VALID.
        tool: what `ax_run_model` found beside our own measurement; None: it was not asked.
        contention: several processes at once, where that was asked for.
        power: what the board drew meanwhile; None: it has no power hook.
        origin: None: it was recorded by an orch that did not keep it.
    """

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
    accuracy: Agreement | None = None
    output_sha256: str = ""
    attempts: tuple[Attempt, ...] = ()
    tool: ToolMeasurement | None = None
    contention: Contention | None = None
    power: Power | None = None
    origin: Origin | None = None

    @property
    def title(self) -> str:
        """Name the board to people, and say where it is simulated."""
        return self.board + (" (simulated)" if self.simulated else "")


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
