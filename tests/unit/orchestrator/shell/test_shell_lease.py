"""The lease by shell: one holder, numbers that only go up, and zombies that change nothing."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.domain import Json
from orchestrator.errors import AgentError
from orchestrator.shell.agent import ShellAgent

if TYPE_CHECKING:
    from tests.unit.orchestrator.shell.conftest import Kit, ShellBoard

#: Stops where a sh process is between its check and its rename, and says so.
SHIM = """#!{sh}
case "$*" in
*{pattern}*)
    if [ ! -e {folder}/stopped ]; then
        : >{folder}/stopped
        until [ -e {folder}/go ]; do {sleep} 0.05; done
    fi
    ;;
esac
exec {real} "$@"
"""
MUTATING: list[tuple[str, dict[str, Json]]] = [
    ("rollback", {}),
    ("gc", {"keep": [], "dry_run": False}),
    ("cancel", {}),
    ("lease", {"op": "renew", "owner": "me", "ttl_s": 60}),
    (
        "benchmark",
        {"run_id": "x", "model": "model.axmodel", "deadline_s": 5, "warmup": 1, "iterations": 1},
    ),
    ("infer", {"run_id": "x", "model": "model.axmodel", "deadline_s": 5, "inputs": ["a" * 64]}),
]


def test_a_probe_takes_the_lease_and_says_who_holds_it(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    mine = kit.acquire(agent)
    theirs = kit.acquire(board.agent(), "other@host/20261124-1")

    assert mine["lease"] == {"token": 1}
    assert mine["holder"] is None
    assert theirs["lease"] is None
    assert theirs["holder"] == {
        "token": 1,
        "owner": "me",
        "age_s": 0.0,
        "ttl_s": 60.0,
        "foreign": False,
    }


def test_a_look_changes_nothing(board: ShellBoard, agent: ShellAgent) -> None:
    agent.guest = True

    found = agent.ask("probe", {"blobs": []})

    assert found["lease"] is None
    assert not board.work.exists()


def test_an_acquired_lease_refuses_another_and_tells_whose_it_is(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)

    with pytest.raises(AgentError, match="held by me") as raised:
        board.agent().ask("lease", {"op": "acquire", "owner": "other", "ttl_s": 60})

    assert raised.value.code == "LEASED"


@pytest.mark.parametrize("ended", ["released", "expired", "rebooted", "broken", "same owner"])
def test_a_lease_that_ended_is_taken_with_a_larger_number(
    board: ShellBoard, agent: ShellAgent, kit: Kit, ended: str
) -> None:
    kit.acquire(agent)
    if ended == "released":
        agent.ask("lease", {"op": "release"})
    elif ended == "expired":
        board.boot("boot-1", uptime_s=161.5)
    elif ended == "rebooted":
        board.boot("boot-2")
    elif ended == "broken":
        board.agent().ask("lease", {"op": "break"})

    found = kit.acquire(board.agent(), "me" if ended == "same owner" else "other")

    assert found["lease"] == {"token": 3 if ended == "broken" else 2}
    assert len(list(board.work.glob("lease/*"))) == 1


def test_a_heartbeat_keeps_the_lease(board: ShellBoard, agent: ShellAgent, kit: Kit) -> None:
    kit.acquire(agent)
    board.boot("boot-1", uptime_s=150)
    agent.ask("lease", {"op": "renew", "owner": "me", "ttl_s": 60})
    board.boot("boot-1", uptime_s=200)

    assert kit.acquire(board.agent(), "other")["lease"] is None


def test_another_tools_live_lock_is_respected(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    (board.root / "tmp/magnetar-lease/lock").mkdir(parents=True)

    found = kit.acquire(agent)

    holder = found["holder"]
    assert found["lease"] is None
    assert isinstance(holder, dict)
    assert holder["foreign"] is True


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "request_"), MUTATING, ids=[kind for kind, _ in MUTATING])
def test_a_zombie_with_an_old_token_is_refused(
    board: ShellBoard, agent: ShellAgent, kit: Kit, kind: str, request_: dict[str, Json]
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", **{"model.axmodel": b"m", "model.json": SIDECAR})
    board.boot("boot-1", uptime_s=500)
    kit.acquire(board.agent(), "other")

    with pytest.raises(AgentError) as raised:
        agent.ask(kind, request_)

    assert raised.value.code == "STALE_TOKEN"


SIDECAR = (
    b'{"inputs": [{"name": "x", "dtype": "uint8", "shape": [1]}],'
    b' "outputs": [], "simulated": false}'
)


def test_nothing_is_changed_without_a_token(agent: ShellAgent, kit: Kit) -> None:
    kit.acquire(agent)
    agent.token = None

    with pytest.raises(AgentError, match="no token") as raised:
        agent.ask("activate", kit.release("r1", {"model": b"one"}))

    assert raised.value.code == "STALE_TOKEN"


@pytest.mark.parametrize(
    ("tool", "pattern"),
    [
        ("mv", "/current"),
        pytest.param("mv", "/previous", marks=pytest.mark.slow),
        pytest.param("mv", "blobs/", marks=pytest.mark.slow),
        pytest.param("mv", "releases/", marks=pytest.mark.slow),
        pytest.param("ln", "/current", marks=pytest.mark.slow),
        pytest.param("dd", "manifest.json", marks=pytest.mark.slow),
    ],
)
def test_a_zombie_stopped_between_check_and_rename_changes_nothing(
    board: ShellBoard, agent: ShellAgent, kit: Kit, tmp_path: Path, tool: str, pattern: str
) -> None:
    kit.acquire(agent)
    kit.deploy(board, agent, "r1", model=b"one")
    kit.send(board, agent, b"two")
    stop_at(board, tool, pattern, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        zombie = pool.submit(agent.ask, "activate", kit.release("r2", {"model": b"two"}))
        try:
            wait_for(tmp_path / "stopped")
            board.boot("boot-1", uptime_s=500)
            successor = board.agent()
            kit.acquire(successor, "other")
            kit.deploy(board, successor, "r3", model=b"three")
            before = tree(board.work)
        finally:
            (tmp_path / "go").touch()
        with pytest.raises(AgentError) as raised:
            zombie.result(30)

    assert raised.value.code == "STALE_TOKEN"
    assert tree(board.work) == before
    assert (board.work / "current").readlink().name == "r3"


def test_a_zombies_open_upload_does_not_reach_what_its_successor_has(
    board: ShellBoard, agent: ShellAgent, kit: Kit
) -> None:
    kit.acquire(agent)
    kit.send(board, agent, b"half", "a" * 64)
    with (board.folder / "home" / agent.incoming("a" * 64)).open("ab") as upload:
        board.boot("boot-2")
        successor = board.agent()

        found = kit.acquire(successor, "other")
        upload.write(b"more")

    assert found["parts"] == {"a" * 64: 4}
    part = board.folder / "home" / successor.incoming("a" * 64)
    assert part.read_bytes() == b"half"


def test_of_many_at_once_one_gets_the_lease(board: ShellBoard, agent: ShellAgent, kit: Kit) -> None:
    agent.ask("probe", {"blobs": []})
    owners = [f"owner-{number}" for number in range(6)]

    def take(owner: str) -> Json:
        try:
            return kit.acquire(board.agent(), owner)["lease"]
        except AgentError as error:
            return None if error.code in {"STALE_TOKEN", "LEASED"} else error.code

    for turn in range(3):
        board.boot(f"boot-{turn + 2}")
        with ThreadPoolExecutor(len(owners)) as pool:
            got = [lease for lease in pool.map(take, owners) if lease]
        newest = max(int(path.name) for path in board.work.glob("lease/*"))
        assert got in ([], [{"token": newest}])


def stop_at(board: ShellBoard, tool: str, pattern: str, folder: Path) -> None:
    """Make the first use of a tool on a path wait until the file `go` is there."""
    shim = board.folder / "bin" / tool
    real = shim.resolve()
    command = f"{real} {tool}" if board.shell == "busybox" else str(real)
    sleep = (
        f"{board.program('sleep')} sleep" if board.shell == "busybox" else board.program("sleep")
    )
    shim.unlink()
    shim.write_text(
        SHIM.format(
            sh=board.folder / "bin/sh", pattern=pattern, folder=folder, sleep=sleep, real=command
        )
    )
    shim.chmod(0o755)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.01)


def tree(work: Path) -> dict[str, object]:
    """Everything but the agents."""
    return {
        str(path.relative_to(work)): (
            path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        )
        for path in work.rglob("*")
        if path.parent.name != "agent"
    }


def test_the_script_is_one_that_every_posix_shell_reads(board: ShellBoard) -> None:
    script = board.folder / "agent.sh"
    script.write_bytes(board.agent().program.content)

    subprocess.run([board.folder / "bin/sh", "-n", script], check=True)
