from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.agent import Agent, load_agent
from orchestrator.domain import CommandResult
from orchestrator.errors import AgentError, BoardError

Scripted = Callable[[dict[str, dict[str, Any]]], Any]
AgentOf = Callable[[Any], Agent]


class Shell:
    """A board whose every command ends in one way."""

    def __init__(self, returncode: int, stdout: bytes = b"", stderr: bytes = b"") -> None:
        self._result = CommandResult(returncode, stdout, stderr)

    def run(self, *_: object, **__: object) -> CommandResult:
        return self._result

    def put(self, *_: object, **__: object) -> int:
        return 0


def test_a_request_has_version_kind_and_work_dir(
    scripted_board: Scripted, agent_of: AgentOf
) -> None:
    board = scripted_board({"probe": protocol.success({"a": 1})})

    assert agent_of(board).ask("probe", {"blobs": []}) == {"a": 1}
    assert board.asked == [{"version": 2, "kind": "probe", "work_dir": ".orch", "blobs": []}]


def test_the_agent_is_sent_once_and_then_found(local_board: Any, agent_of: AgentOf) -> None:
    local_board = replace(local_board, apart=True)
    first = agent_of(local_board)
    assert first.ask("probe", {"blobs": []})["current"] is None
    assert first.uploaded

    second = agent_of(local_board)
    second.ask("probe", {"blobs": []})
    assert not second.uploaded

    agents = list((local_board.home / ".orch" / "agent").glob("*.pyz"))
    assert [path.name for path in agents] == [f"{load_agent().sha256}.pyz"]
    assert agents[0].read_bytes() == load_agent().content


def test_a_part_of_an_agent_left_by_a_cut_line_is_no_obstacle(
    local_board: Any, agent_of: AgentOf
) -> None:
    local_board = replace(local_board, apart=True)
    folder = local_board.home / ".orch" / "agent"
    folder.mkdir(parents=True)
    (folder / f"{load_agent().sha256}.pyz.1.part").write_bytes(b"x" * 1_000_000)

    assert agent_of(local_board).ask("probe", {"blobs": []})["current"] is None


def test_an_agent_that_arrives_damaged_is_not_run(local_board: Any, agent_of: AgentOf) -> None:
    damaging = replace(local_board, spoils=b"#", apart=True)

    with pytest.raises(BoardError, match="b1: bringing the agent there failed: arrived as "):
        agent_of(damaging).ask("probe", {"blobs": []})

    assert not list((local_board.home / ".orch" / "agent").iterdir())


@pytest.mark.parametrize("code", sorted(protocol.ERRORS))
def test_a_typed_error_keeps_its_code(
    scripted_board: Scripted, agent_of: AgentOf, code: str
) -> None:
    agent = agent_of(scripted_board({"probe": protocol.failure(code, "it is so")}))

    with pytest.raises(AgentError, match=r"^b1: it is so$") as caught:
        agent.ask("probe", {})

    assert caught.value.code == code


@pytest.mark.parametrize(
    "reply",
    [
        {"ok": False, "error": {"code": "rm -rf /", "message": "x\x1b[2J\ny\ud800" + "z" * 10_000}},
        {"ok": False, "error": {"code": ["BUSY"], "message": {"a": 1}}},
        {"ok": False, "error": "no"},
        {"ok": False},
        {"ok": True},
        {"ok": True, "result": [1]},
        {"ok": 1, "result": {}},
        {},
    ],
)
def test_a_reply_of_no_known_form_is_an_error_in_one_plain_line(
    scripted_board: Scripted, agent_of: AgentOf, reply: dict[str, Any]
) -> None:
    with pytest.raises(AgentError, match=r"^b1: ") as caught:
        agent_of(scripted_board({"probe": reply})).ask("probe", {})

    assert caught.value.code == "INTERNAL"
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 2000


@pytest.mark.parametrize(
    ("returncode", "stdout", "stderr", "said"),
    [
        (1, b"", b"Traceback\nSyntaxError: bad\n", "SyntaxError: bad"),
        (0, b"Welcome to the board\n", b"", "Welcome to the board"),
        (-9, b"", b"", "nothing"),
        (1, b"", b"\xff\x1b[31mred", "red"),
    ],
)
def test_no_frame_is_no_answer(
    agent_of: AgentOf, returncode: int, stdout: bytes, stderr: bytes, said: str
) -> None:
    with pytest.raises(AgentError) as caught:
        agent_of(Shell(returncode, stdout, stderr)).ask("probe", {})

    assert f"ended with {returncode}, saying: " in caught.value.message
    assert caught.value.message.endswith(said)
    assert caught.value.message.isprintable()


def test_a_board_without_python_is_told_so(agent_of: AgentOf) -> None:
    with pytest.raises(AgentError, match="b1: it has no python3") as caught:
        agent_of(Shell(127, stderr=b"sh: python3: not found")).ask("probe", {})

    assert caught.value.code == "OLD_PYTHON"


def test_a_frame_is_found_behind_a_banner(agent_of: AgentOf) -> None:
    frame = protocol.pack(protocol.success(json.loads('{"a": "\\u00e4"}')))

    assert agent_of(Shell(0, b"motd\nORCH/1 nonsense\n" + frame + b"bye\n")).ask("probe", {}) == {
        "a": "ä"
    }
