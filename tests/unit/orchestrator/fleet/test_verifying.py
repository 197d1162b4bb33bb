from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from board_agent import protocol
from orchestrator.accuracy import answers_sha256
from orchestrator.agent import Agent
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.domain import Artifact, CommandResult, Gates, Json, Recipe, Release, RunRecord
from orchestrator.errors import AgentError
from orchestrator.fleet.errands import Answer
from orchestrator.fleet.verifying import Examination, conclude, examine, in_words, outcome_of
from orchestrator.transfer.encoding import Encoder
from orchestrator.transfer.payloads import Payloads
from tests.unit.orchestrator.stand_ins import Answering

RUN = RunRecord("run-1", "verify-accuracy", "f", "small", "t", None, None, {})


@dataclass
class Classifier(Answering):
    """A board that has a release and some images, and says class `says` of every pixel."""

    current: str | None
    blobs: dict[str, int]
    says: int = 0
    asked: list[dict[str, Json]] = field(default_factory=list)

    def run(
        self, argv: Sequence[str], stdin: bytes = b"", *, deadline_s: float, limit_bytes: int = 0
    ) -> CommandResult:
        assert argv
        assert deadline_s > 0
        request = json.loads(stdin)
        self.asked.append(request)
        reply = protocol.pack(protocol.success(self._reply(request)))
        assert len(reply) <= limit_bytes
        return CommandResult(0, reply, b"")

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        assert deadline_s > 0
        assert path.endswith(".part")
        return len(blob.read_bytes()[offset:])

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        raise NotImplementedError

    def _reply(self, request: dict[str, Json]) -> dict[str, Json]:
        if request["kind"] == "probe":
            facts: Json = {"simulated": False, "sdk_version": "V3.6.4", "vnpu": "disable"}
            return {
                "facts": facts,
                "blobs": dict(self.blobs),
                "parts": {},
                "current": self.current,
                "previous": None,
                "lease": {"token": 1},
            }
        inputs = request.get("inputs")
        content = zlib.compress(np.full(8, self.says, np.int32).tobytes())
        tensor: Json = {
            "dtype": "int32",
            "shape": [1, 1, 2, 4],
            "data": base64.b64encode(content).decode(),
        }
        count = len(inputs) if isinstance(inputs, list) else 0
        return {"outputs": [{"argmax_output": tensor}] * count}

    @property
    def kinds(self) -> list[Json]:
        return [one["kind"] for one in self.asked]


@pytest.fixture
def encoder(tmp_path: Path) -> Encoder:
    return Encoder(FsspecBlobs(str(tmp_path / "cas")), Payloads(tmp_path / "payloads"))


@pytest.fixture
def kept(release: Callable[..., Release], encoder: Encoder, tmp_path: Path) -> Release:
    """A release with three images, which are among the blobs of this host."""
    made = release({"model.axmodel": b"model"}, [b"one", b"two", b"three"])
    inputs = []
    for name in (b"one", b"two", b"three"):
        path = tmp_path / f"{name.decode()}.bin"
        path.write_bytes(name)
        inputs.append(encoder.blobs.put(path, path.name))
    return replace(made, inputs=tuple(inputs))


@pytest.fixture
def asked(kept: Release, recipe: Recipe) -> Examination:
    reference = tuple(np.zeros((2, 4), np.int32) for _ in kept.inputs)
    return Examination(recipe, kept, reference, "run-1", "me", 60)


def sizes(items: Sequence[Artifact]) -> dict[str, int]:
    return {item.sha256: item.size_bytes for item in items}


def whole(release: Release) -> dict[str, int]:
    return sizes([*release.files.values(), *release.inputs])


def test_a_board_answers_and_nothing_is_timed_or_switched(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    board = Classifier(asked.release.release_id, whole(asked.release))

    found = examine(agent_of(board), asked, encoder)

    assert board.kinds == ["probe", "infer", "lease"]
    assert found.outcome.agreement is not None
    assert (found.outcome.agreement.share, found.outcome.agreement.images) == (1, 3)
    assert found.outcome.output_sha256 == answers_sha256(asked.reference)
    assert found.outcome.measurement is None
    assert in_words(found) == "agreement 100.00% on 3 images"


def test_only_images_that_are_missing_are_sent(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    there = whole(asked.release)
    del there[asked.release.inputs[1].sha256]
    board = Classifier(asked.release.release_id, there)

    found = examine(agent_of(board), asked, encoder)

    assert board.kinds == ["probe", "stage", "infer", "lease"]
    assert found.outcome.delivery is not None
    assert found.outcome.delivery.uploaded_bytes == len(b"two")
    assert not found.outcome.delivery.activated
    assert in_words(found).endswith(", 3 bytes of images uploaded")


@pytest.mark.parametrize("current", ["another", None])
def test_a_board_with_another_release_is_left_alone(
    asked: Examination,
    encoder: Encoder,
    agent_of: Callable[[Classifier], Agent],
    current: str | None,
) -> None:
    board = Classifier(current, whole(asked.release))

    with pytest.raises(AgentError, match="not r-") as caught:
        examine(agent_of(board), asked, encoder)

    assert caught.value.code == "NO_RELEASE"
    assert board.kinds == ["probe", "lease"]


def test_many_images_go_in_several_requests(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    many = replace(asked.release, inputs=asked.release.inputs[:1] * 150)
    reference = tuple(asked.reference[:1] * 150)
    board = Classifier(asked.release.release_id, whole(asked.release))

    found = examine(agent_of(board), replace(asked, release=many, reference=reference), encoder)

    work = [one for one in board.asked if one["kind"] == "infer"]
    assert [one["run_id"] for one in work] == ["run-1-infer", "run-1-infer-2", "run-1-infer-3"]
    assert [len(one["inputs"]) for one in work if isinstance(one["inputs"], list)] == [64, 64, 22]
    assert len(found.answers) == 150


def test_a_board_that_could_not_answer_fails_and_the_others_are_judged(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    board = Classifier(asked.release.release_id, whole(asked.release))
    good = outcome_of(Answer("b1", examine(agent_of(board), asked, encoder)), None)
    lost = outcome_of(Answer("b2", None, "UNREACHABLE", "b2: gone", "is it on?"), None)

    run = conclude(RUN, asked, [good, lost], {})

    assert (lost.error_code, lost.hint) == ("UNREACHABLE", "is it on?")
    assert run.exit_code == 1
    assert run.summary["failed_boards"] == ["b2"]
    assert run.summary["sentence"] == "1 of 2 boards judged on 3 images"
    assert run.finished_at


def test_the_gates_of_accuracy_are_judged(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    strict = replace(asked, recipe=replace(asked.recipe, gates=Gates(0.5, None, 0.001)))
    board = Classifier(asked.release.release_id, whole(asked.release), says=1)

    outcome = outcome_of(Answer("b1", examine(agent_of(board), strict, encoder)), None)
    run = conclude(RUN, strict, [outcome], {})

    assert run.exit_code == 3
    assert run.summary["failed_gates"] == [
        "b1: agreement 0.0000 (3 images, an interval takes 10) is under 0.5"
    ]


def test_the_board_that_answers_otherwise_is_named(
    asked: Examination, encoder: Encoder, agent_of: Callable[[Classifier], Agent]
) -> None:
    outcomes = []
    for number, says in enumerate((0, 0, 2), start=1):
        board = Classifier(asked.release.release_id, whole(asked.release), says=says)
        found = outcome_of(Answer("b1", examine(agent_of(board), asked, encoder)), None)
        outcomes.append(replace(found, board=f"b{number}"))

    run = conclude(RUN, asked, outcomes, {})

    assert run.exit_code == 3
    assert run.summary["sentence"] == ("3 of 3 boards judged on 3 images; answers of its own: b3")
    gates = run.summary["failed_gates"]
    assert isinstance(gates, list)
    assert [str(gate)[:9] for gate in gates] == ["b3 gives "]
