"""Releases on a board that has nothing but a shell: whole, switched at once, and collected."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest

from orchestrator.domain import Json
from orchestrator.errors import AgentError
from orchestrator.shell.agent import ShellAgent

if TYPE_CHECKING:
    from tests.unit.orchestrator.shell.conftest import Kit, ShellBoard


def test_an_activated_release_is_whole_and_current(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)

    result = kit.deploy(board, agent, "r1", model=b"one", sidecar=b"{}")

    assert result == {"current": "r1", "previous": None, "switched": True}
    assert (board.work / "current").readlink().as_posix() == "releases/r1"
    blob = board.work / "blobs" / kit.digest(b"one")
    assert blob.read_bytes() == b"one"
    assert not list(board.work.glob("incoming/*/*"))
    assert not [path for path in board.work.glob("lease/*/*") if path.name != "holder"]


def test_the_same_release_again_switches_nothing(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")

    again = agent.ask("activate", kit.release("r1", {"model": b"one"}))

    assert again == {"current": "r1", "previous": None, "switched": False}


def test_staging_switches_nothing(board: ShellBoard, agent: ShellAgent, kit: Kit) -> None:
    kit.acquire(agent)
    kit.send(board, agent, b"one")

    result = agent.ask("stage", kit.release("r1", {"model": b"one"}))

    assert result == {"current": None, "previous": None, "switched": False}
    assert agent.ask("probe", {"blobs": []})["releases"] == ["r1"]


def test_rolling_back_goes_to_the_release_before_and_only_from_the_one_named(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")
    kit.deploy(board, agent, "r2", model=b"two")

    back = agent.ask("rollback", {"from": "r2"})
    again = agent.ask("rollback", {"from": "r2"})

    assert back == {"current": "r1", "previous": "r2", "switched": True}
    assert again == back | {"switched": False}


def test_there_is_nothing_to_roll_back_to_after_one_release(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")

    with pytest.raises(AgentError, match="no release before r1") as raised:
        agent.ask("rollback", {})

    assert raised.value.code == "NO_RELEASE"


@pytest.mark.parametrize("arrived", [b"on", b"0ne", None], ids=["cut", "damaged", "missing"])
def test_what_did_not_arrive_as_it_was_sent_is_no_release(
    board: ShellBoard, agent: ShellAgent, kit: Kit, arrived: bytes | None
) -> None:
    kit.acquire(agent)
    if arrived is not None:
        kit.send(board, agent, arrived, kit.digest(b"one"))

    with pytest.raises(AgentError) as raised:
        agent.ask("activate", kit.release("r1", {"model": b"one"}))

    assert raised.value.code == "HASH_MISMATCH"
    kept = [path.read_bytes() for path in board.work.glob("incoming/*/*")]
    assert kept == ([b"on"] if arrived == b"on" else [])
    assert not list(board.work.glob("releases/*"))
    assert not (board.work / "current").is_symlink()


def test_a_rotten_blob_is_replaced_by_what_is_sent_again(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")
    blob = board.work / "blobs" / kit.digest(b"one")
    blob.write_bytes(b"0ne")

    kit.send(board, agent, b"one")
    agent.ask("activate", kit.release("r1", {"model": b"one"}))

    assert blob.read_bytes() == b"one"


def test_zlib_is_unpacked_by_gzip(board: ShellBoard, agent: ShellAgent, kit: Kit) -> None:
    assert kit.acquire(agent)["encodings"] == ["zlib"]
    data = b"weights " * 100_000
    payload = zlib.compress(data)
    kit.send(board, agent, payload)
    asked = kit.release("r1", {"model": data})
    asked["unpack"] = [
        {
            "sha256": kit.digest(data),
            "size_bytes": len(data),
            "encoding": "zlib",
            "payload": kit.digest(payload),
        }
    ]

    agent.ask("activate", asked)

    assert (board.work / "blobs" / kit.digest(data)).read_bytes() == data
    assert not list(board.work.glob("incoming/*/*"))


def test_what_the_release_is_run_with_is_unpacked_with_it(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    image = b"pixels " * 1000
    payload = zlib.compress(image)
    kit.send(board, agent, b"one")
    kit.send(board, agent, payload)
    packed: dict[str, Json] = {
        "sha256": kit.digest(image),
        "size_bytes": len(image),
        "encoding": "zlib",
        "payload": kit.digest(payload),
    }

    for _ in range(2):  # the second time nothing is left to do
        agent.ask("stage", kit.release("r1", {"model": b"one"}) | {"unpack": [packed]})

    assert (board.work / "blobs" / kit.digest(image)).read_bytes() == image
    assert not list(board.work.glob("incoming/*/*"))


def test_an_input_that_was_cut_off_is_no_blob(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.send(board, agent, b"one")
    raw: dict[str, Json] = {
        "sha256": kit.digest(b"image"),
        "size_bytes": 5,
        "encoding": "raw",
        "payload": kit.digest(b"image"),
    }
    kit.send(board, agent, b"ima", kit.digest(b"image"))

    with pytest.raises(AgentError, match="3 of 5 bytes arrived") as raised:
        agent.ask("stage", kit.release("r1", {"model": b"one"}) | {"unpack": [raw]})

    assert raised.value.code == "HASH_MISMATCH"


def test_garbage_is_what_no_kept_release_needs(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    for at, name in enumerate(("r1", "r2", "r3")):
        kit.deploy(board, agent, name, model=name.encode())
        os.utime(board.work / "releases" / name, (at, at))
    kit.send(board, agent, b"half of something")
    (board.work / "agent/old.sh").write_bytes(b"old")
    keep = kit.digest(b"r1")

    planned = agent.ask("gc", {"keep": [keep], "dry_run": True})
    done = agent.ask("gc", {"keep": [keep], "dry_run": False})
    rest = agent.ask("gc", {"keep": [], "dry_run": False})

    assert planned == done
    assert done["removed"] == {"releases": ["r1"], "blobs": [], "agents": 1, "parts": 1}
    assert rest["removed"] == {"releases": [], "blobs": [keep], "agents": 0, "parts": 0}
    assert rest["freed_bytes"] == 2
    found = agent.ask("probe", {"blobs": []})
    assert found["releases"] == ["r2", "r3"]
    assert len(list(board.work.glob("agent/*"))) == 1


def test_a_release_is_not_replaced_by_one_of_the_same_name_with_other_files(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")

    with pytest.raises(AgentError, match="with other files") as raised:
        kit.deploy(board, agent, "r1", model=b"two")

    assert raised.value.code == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("missing", "said"),
    [(["sha256sum"], "no sha256sum"), (["sync"], "no sync or fsync"), (["mv"], "no mv")],
)
def test_a_board_without_the_tools_is_refused_with_their_names(
    board: ShellBoard, kit: Kit, missing: list[str], said: str
) -> None:
    agent = board.agent()
    agent.ask("probe", {"blobs": []})
    board.furnish(without=missing)

    with pytest.raises(AgentError) as raised:
        kit.acquire(agent)

    assert raised.value.code == "NO_TOOLS"
    assert said in raised.value.message


def test_a_full_disk_is_named_and_leaves_the_release_before(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")
    dd = board.folder / "bin/dd"
    dd.unlink()
    dd.write_text(f"#!{board.folder}/bin/sh\necho 'dd: x: No space left on device' >&2\nexit 1\n")
    dd.chmod(0o755)

    with pytest.raises(AgentError) as raised:
        kit.deploy(board, agent, "r2", model=b"two")

    assert raised.value.code == "DISK_FULL"
    assert (board.work / "current").readlink().name == "r1"
    assert not (board.work / "releases/r2").exists()
