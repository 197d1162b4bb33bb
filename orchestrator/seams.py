"""The places where one implementation can be put for another; each has one contract test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.domain import (
    ActionRecord,
    Artifact,
    Board,
    BoardOutcome,
    CommandResult,
    KeptAction,
    KeptRelease,
    RunRecord,
    StoredBlob,
    ToolchainIdentity,
)
from orchestrator.fleet_history import FleetHistory
from orchestrator.fleet_memory import FleetMemory


class Toolchain(Protocol):
    """Something that runs `pulsar2`."""

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        ...

    def engine_id(self) -> str:
        """Name what its builds share: a Docker engine, or this machine. Raises ToolchainMissing."""
        ...

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `argv` with `work_dir` as its current folder, handing over each line as it comes.

        A line that ends with a carriage return is one state of a progress bar.
        stdout of the result holds both streams as they came. Nothing is left running when it
        returns or raises. Raises DeadlineError, ToolchainError, ToolchainMissing.
        """
        ...


class Transport(Protocol):
    """An open connection to one board. Paths are relative to the login's home, or absolute."""

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", *, deadline_s: float, limit_bytes: int = ...
    ) -> CommandResult:
        """Run a command. Raises Unreachable when the connection goes, DeadlineError."""
        ...

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        """Write `blob` from byte `offset` on to `path`; give the number of bytes sent."""
        ...

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        """Read a file of at most `limit_bytes`. Raises BoardError when it is missing or larger."""
        ...

    def hold(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> AbstractContextManager[bytes]:
        """Start a command and give what it has said as soon as `until` finds that enough.

        Its stdin stays open as long as the context; leaving closes it and ends the command.
        `deadline_s` is for the beginning. Raises BoardError when it ends before it has said
        enough, Unreachable, DeadlineError.
        """
        ...


class Connect(Protocol):
    """Opens a board. Raises Unreachable, HostKeyError, LoginRefused."""

    def __call__(self, board: Board) -> AbstractContextManager[Transport]:
        """Give the open connection; leaving the context closes it."""
        ...


class Blobs(Protocol):
    """Files by sha256. A blob has its name only when it is complete."""

    def has(self, sha256: str) -> bool:
        """Say whether the blob is there."""
        ...

    def put(self, source: Path, name: str) -> Artifact:
        """Keep a copy of the file; the same content twice is one blob."""
        ...

    def open(self, sha256: str) -> AbstractContextManager[Path]:
        """Give a readable local file with the blob's content. Raises KeyError."""
        ...

    def stored(self) -> list[StoredBlob]:
        """List all whole blobs."""
        ...

    def remove(self, sha256: str) -> None:
        """Remove a blob, if it is there."""
        ...

    def remove_halves(self, before: float, *, dry_run: bool = False) -> int:
        """Remove what writers left half done before that time; give its bytes."""
        ...


class Ledger(FleetMemory, FleetHistory, Protocol):
    """What happened: runs, actions, board outcomes with raw samples; and what boards were like."""

    def start_run(self, run: RunRecord) -> None:
        """Write down that a run has begun."""
        ...

    def finish_run(self, run: RunRecord) -> None:
        """Write down how it ended."""
        ...

    def record_action(self, action: ActionRecord) -> None:
        """Keep a finished action; the newest of a key wins."""
        ...

    def find_action(self, key: str) -> ActionRecord | None:
        """Give the action with this key."""
        ...

    def last_action(self, stage: str, recipe: str) -> ActionRecord | None:
        """Give the newest action of a stage for a recipe."""
        ...

    def record_use(self, key: str, used_at: str) -> None:
        """Write down when an action was last used."""
        ...

    def kept_actions(self) -> list[KeptAction]:
        """Give the newest action of every key, newest first."""
        ...

    def forget_action(self, key: str) -> None:
        """Drop all actions with this key."""
        ...

    def record_release(self, release: KeptRelease) -> None:
        """Write down what a release is made of; the same id again replaces it."""
        ...

    def kept_releases(self) -> list[KeptRelease]:
        """Give all releases, the last used first."""
        ...

    def forget_release(self, release_id: str) -> None:
        """Drop a release."""
        ...

    def record_outcome(self, run_id: str, outcome: BoardOutcome) -> None:
        """Keep what a run learned of one board."""
        ...

    def runs(self, limit: int) -> list[RunRecord]:
        """Give the newest runs, newest first."""
        ...

    def run(self, run_id: str) -> RunRecord | None:
        """Give one run."""
        ...

    def outcomes(self, run_id: str) -> list[BoardOutcome]:
        """Give the outcomes of a run in the order of board names."""
        ...


class Progress(Protocol):
    """Where a stage says what it does. One line per event: subject first, numbers with units."""

    def event(self, subject: str, message: str) -> None:
        """Something has happened."""
        ...

    def advance(self, subject: str, label: str, done: float, total: float) -> None:
        """Long work has come this far."""
        ...

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show figures that belong together."""
        ...


@dataclass(frozen=True, slots=True)
class Bench:
    """Where `pulsar2` is run for one action: in a fresh `folder`, with its lines kept in `log`."""

    toolchain: Toolchain
    identity: ToolchainIdentity
    progress: Progress
    folder: Path
    log: Path
