from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from board_agent import protocol
from orchestrator.accuracy import Truth, answers_sha256
from orchestrator.agents import load_agents
from orchestrator.backends.engines import ThreadEngine
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.boards.need import Need
from orchestrator.boards.remembering import open_notes
from orchestrator.domain import Board, Caps, Fleet, Json, Recipe, Release, Rollout, RunRecord
from orchestrator.errors import AgentError, Leased, Unreachable
from orchestrator.fleet.rolling import Crew, Roll, Rolled, roll
from orchestrator.fleet.visiting import Gear, Visit
from orchestrator.recipe import load_recipe
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


@pytest.fixture
def yard(
    scripted_board: Callable[..., Any],
    recipe: Recipe,
    release: Callable[..., Release],
    progress: Any,
    tmp_path: Path,
) -> Iterator[Yard]:
    made = Yard(
        scripted_board, recipe, release({"m.axmodel": b""}, [b"a", b"b"]), progress, tmp_path
    )
    yield made
    made.ledger.close()


def codes(rolled: Rolled) -> dict[str, str]:
    return {one.board: one.error_code for one in rolled.outcomes}


def test_every_board_is_visited_and_its_outcome_kept(yard: Yard) -> None:
    rolled = yard.roll()

    assert codes(rolled) == dict.fromkeys(("b1", "b2", "b3", "b4"), "")
    assert [one.board for one in yard.ledger.outcomes("run-1")] == ["b1", "b2", "b3", "b4"]
    assert all(one.delivery and one.delivery.activated for one in rolled.outcomes)
    assert not rolled.waiting


def test_answers_are_hashed_and_judged_by_the_masks_as_they_come(yard: Yard) -> None:
    scenes = load_recipe("segformer-tiny")
    few = replace(scenes, evaluation=replace(scenes.evaluation, count=2))

    rolled = yard.roll(truth=Truth(few, REFERENCE))

    assert {one.output_sha256 for one in rolled.outcomes} == {answers_sha256(REFERENCE)}
    for one in yard.ledger.outcomes("run-1"):  # and kept as they were
        assert one.accuracy is not None
        assert one.accuracy.figures["miou_loss"] == 0
        assert one.accuracy.per_class["sky"] == 0


def test_a_wave_begins_when_the_one_before_has_ended(yard: Yard) -> None:
    yard.roll(Rollout(canary=("b3",), waves=("50%",)))

    assert yard.net.opened[:2] == ["b3", "b1"]
    assert sorted(yard.net.opened[2:]) == ["b2", "b4"]


def test_no_wave_begins_when_too_many_have_failed(yard: Yard) -> None:
    yard.net.errors["b1"] = [AgentError("b1: no", "", "MODEL_REJECTED")]

    rolled = yard.roll(Rollout(waves=("1", "100%"), max_failed="0"))

    assert (codes(rolled), rolled.waiting) == ({"b1": "MODEL_REJECTED"}, ("b2", "b3", "b4"))
    assert rolled.stopped
    assert "1 of 4 boards failed (b1), the rollout allows 0" in rolled.ended
    assert yard.net.opened == ["b1"]


def test_a_broken_line_is_tried_again_and_then_it_is_well(yard: Yard) -> None:
    yard.net.errors["b2"] = [Unreachable("b2: gone"), Unreachable("b2: gone")]

    rolled = yard.roll()

    assert codes(rolled)["b2"] == ""
    assert yard.net.opened.count("b2") == 3
    said = [text for subject, text in yard.progress.events if subject == "b2"]
    assert said[0] == "b2: gone; tried again in 1 s"


def test_a_lease_that_a_dead_orch_left_is_waited_for(yard: Yard) -> None:
    yard.net.errors["b2"] = [Leased("b2: another orch holds it", "", 45.0) for _ in range(5)]

    assert codes(yard.roll()) == dict.fromkeys(("b1", "b2", "b3", "b4"), "")
    assert yard.net.opened.count("b2") == 6


def test_a_lease_that_goes_on_is_the_boards_outcome_in_the_end(yard: Yard) -> None:
    yard.net.errors["b2"] = [Leased("b2: another orch holds it", "", 45.0) for _ in range(20)]

    assert codes(yard.roll()) == {"b1": "", "b2": "LEASED", "b3": "", "b4": ""}


def test_boards_that_fail_for_different_reasons_are_both_tried_again(yard: Yard) -> None:
    yard.net.errors["b1"] = [Leased("b1: another orch holds it", "", 5.0)]
    yard.net.errors["b2"] = [Unreachable("b2: gone")]

    assert set(codes(yard.roll()).values()) == {""}
    assert sorted(yard.net.opened[4:]) == ["b1", "b2"]


def test_a_board_that_another_has_had_between_two_tries_is_left_to_that_one(yard: Yard) -> None:
    board = yard.net.boards["b2"]
    board.replies["benchmark"] = protocol.failure("BUSY", "for now", {})
    tokens = iter((1, 3))  # 2 was another's

    def begin() -> None:
        board.replies["probe"]["result"]["lease"] = {"token": next(tokens)}

    yard.net.begin["b2"] = begin

    assert codes(yard.roll())["b2"] == "STALE_TOKEN"
    kinds = [asked["kind"] for asked in board.asked]
    assert kinds.count("activate") == 1
    assert kinds[-2:] == ["probe", "lease"]


def test_a_board_that_nobody_else_has_had_between_two_tries_is_tried_again(yard: Yard) -> None:
    board = yard.net.boards["b2"]
    whole = board.replies["benchmark"]
    board.replies["benchmark"] = protocol.failure("BUSY", "for now", {})
    tokens = iter((1, 2))

    def begin() -> None:
        board.replies["probe"]["result"]["lease"] = {"token": next(tokens)}
        if board.asked:
            board.replies["benchmark"] = whole

    yard.net.begin["b2"] = begin

    assert codes(yard.roll())["b2"] == ""


def test_a_model_that_is_refused_is_not_tried_again(yard: Yard) -> None:
    yard.net.errors["b2"] = [AgentError("b2: no", "", "MODEL_REJECTED")]

    assert codes(yard.roll())["b2"] == "MODEL_REJECTED"
    assert yard.net.opened.count("b2") == 1


def test_work_that_failed_for_the_boards_state_gets_a_name_of_its_own(yard: Yard) -> None:
    yard.net.errors["b2"] = [AgentError("b2: busy", "", "BUSY")]

    yard.roll()

    asked = {one["run_id"] for one in yard.net.boards["b2"].asked if "run_id" in one}
    assert asked == {"run-1-2-benchmark", "run-1-2-infer"}


def test_a_pause_ends_after_a_wave_and_going_on_does_nothing_twice(yard: Yard) -> None:
    paused = yard.roll(Rollout(waves=("1", "50%")), pause=True)

    assert (codes(paused), paused.waiting) == ({"b1": ""}, ("b2", "b3", "b4"))
    assert paused.ended == "paused after wave 1 of 3"
    assert not paused.stopped

    rest = yard.roll(Rollout(waves=("1", "50%")), done=paused.outcomes)

    assert sorted(codes(rest)) == ["b1", "b2", "b3", "b4"]
    assert sorted(yard.net.opened) == ["b1", "b2", "b3", "b4"]


def test_a_board_that_became_slower_goes_back_and_stops_the_rollout(yard: Yard) -> None:
    before = yard.roll().outcomes
    yard.net.boards["b1"].replies = yard.slow
    yard.net.opened.clear()

    rolled = yard.roll(
        Rollout(waves=("1",), max_failed="0", max_slowdown=0.1),
        baselines={one.board: one for one in before},
    )

    (first,) = rolled.outcomes
    assert first.delivery is not None
    assert "100.0% above its baseline" in first.delivery.undone[0]
    assert [one["from"] for one in yard.net.boards["b1"].asked if one["kind"] == "rollback"] == [
        yard.release.release_id
    ]
    assert rolled.waiting == ("b2", "b3", "b4")


def test_a_crash_of_orch_itself_is_one_boards_outcome(yard: Yard) -> None:
    yard.net.errors["b4"] = [ZeroDivisionError("oops")]

    rolled = yard.roll()

    assert codes(rolled)["b4"] == "INTERNAL"
    assert sorted(codes(rolled)) == ["b1", "b2", "b3", "b4"]
