"""Four scripted boards, and a release that is rolled through them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from board_agent import protocol
from orchestrator.agents import load_agents
from orchestrator.backends.engines import ThreadEngine
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.boards.need import Need
from orchestrator.boards.remembering import open_notes
from orchestrator.domain import Board, Caps, Fleet, Json, Recipe, Release, Rollout, RunRecord
from orchestrator.fleet.rolling import Crew, Roll, Rolled, roll
from orchestrator.fleet.visits import Gear, Visit
from orchestrator.seams import Transport
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads

REFERENCE = (np.zeros((2, 4), np.int32), np.zeros((2, 4), np.int32))
RUN = RunRecord("run-1", "deploy", "f", "r", "2026-11-24T00:00:00+00:00", None, None, {})


def replies(samples_ns: int, current: str, blobs: Sequence[str]) -> dict[str, dict[str, Json]]:
    """A board that has everything but `current`, if that is another release."""
    ids: dict[str, Json] = {
        "dtype": "int32",
        "shape": [1, 1, 2, 4],
        "data": base64.b64encode(zlib.compress(np.zeros(8, np.int32).tobytes())).decode(),
    }
    facts: Json = {"simulated": True, "chip_type": "AX650N_CHIP", "vnpu": "disable"}
    found: dict[str, dict[str, Json]] = {
        "probe": {
            "facts": facts,
            "blobs": dict.fromkeys(blobs, 1),
            "parts": {},
            "current": current,
            "previous": None,
            "lease": {"token": 1},
        },
        "lease": {},
        "stage": {},
        "activate": {"switched": True},
        "rollback": {"current": current},
        "gc": {"removed": {"blobs": [], "releases": []}, "freed_bytes": 0},
        "benchmark": {
            "load_ns": 1,
            "first_ns": 1,
            "warmup_ns": [],
            "samples_ns": [samples_ns] * 5,
            "runtime": {},
            "before": {},
            "after": {},
        },
        "infer": {"outputs": [{"argmax_output": ids}] * 2},
    }
    return {kind: protocol.success(result) for kind, result in found.items()}


@dataclass
class Net:
    """What connecting to each board comes to: errors, one after the other, then the board."""

    boards: Mapping[str, Any]
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    begin: dict[str, Callable[[], None]] = field(default_factory=dict)

    def __call__(self, board: Board) -> AbstractContextManager[Transport]:
        self.opened.append(board.name)
        return self._open(board)

    @contextmanager
    def _open(self, board: Board) -> Iterator[Transport]:
        if self.errors.get(board.name):
            raise self.errors[board.name].pop(0)
        self.begin.get(board.name, lambda: None)()
        yield self.boards[board.name]


class Yard:
    """Rolls a release through four boards that a test has prepared."""

    def __init__(
        self,
        scripted: Callable[..., Any],
        recipe: Recipe,
        release: Release,
        progress: Any,
        folder: Path,
    ) -> None:
        self.recipe, self.release, self.progress, self.folder = recipe, release, progress, folder
        blobs = [item.sha256 for item in (*release.files.values(), *release.inputs)]
        self.boards = tuple(Board(f"b{n}", f"192.0.2.{n}", 22, "root") for n in range(1, 5))
        self.net = Net({b.name: scripted(replies(1000, "old", blobs)) for b in self.boards})
        self.slow = replies(2000, "old", blobs)
        self.ledger = SqlLedger(f"sqlite:///{folder / 'orch.db'}")
        self.ledger.start_run(RUN)

    def roll(self, rollout: Rollout | None = None, **options: Any) -> Rolled:
        encoder = Encoder(FsspecBlobs(str(self.folder / "cas")), Payloads(self.folder / "p"))
        fleet = Fleet("f", self.boards, None, "sim", Caps(4), rollout or Rollout())
        visit = Visit(
            recipe=self.recipe,
            release=self.release,
            reference=REFERENCE,
            golden=(),
            agents=load_agents(),
            run_id="run-1",
            owner="me",
            only_measure=False,
            deadline_s=60,
            need=Need(),
            rollout=fleet.rollout,
            baselines=options.pop("baselines", {}),
        )
        crew = Crew(
            self.net,
            ThreadEngine(),
            encoder,
            self.ledger,
            open_notes(self.ledger),
            self.progress,
            self.folder,
        )
        asked = Roll(fleet, visit, Gear(self.net, encoder), (), self.folder, patience=0)
        done = options.pop("done", ())
        return roll(replace(asked, **options), crew, done)
