from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from containers.board_sim.replaying import TRACE_FILE, read_script
from containers.board_sim.serve import keep_key, main

Fleet = dict[str, Any]
Connect = Callable[..., paramiko.SSHClient]


def run(client: paramiko.SSHClient, command: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    given, out, err = client.exec_command(command)
    given.write(stdin)
    given.channel.shutdown_write()
    return out.channel.recv_exit_status(), out.read(), err.read()


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within 10 s")


def board_of(fleet: Fleet, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(board for board in fleet["boards"] if board["name"] == name)
    return found


def test_fleet_json_says_that_it_is_a_simulation(fleet: Fleet) -> None:
    assert fleet["simulated"] is True
    assert [board["name"] for board in fleet["boards"]] == [f"sim-{n:02d}" for n in range(1, 9)]
    assert {board["host"] for board in fleet["boards"]} == {"127.0.0.1"}
    assert {board["profile"] for board in fleet["boards"]} == {"m4n-ubuntu22", "m4n-debian12"}


def test_a_command_finds_a_bare_environment(fleet: Fleet, connect: Connect) -> None:
    root = board_of(fleet, "sim-01")["root"]
    status, out, _ = run(connect(fleet, "sim-01"), "env; pwd")
    assert status == 0
    *variables, here = out.decode().splitlines()
    assert here == f"{root}/root"
    assert dict(line.split("=", 1) for line in variables if line[:1] != "_") == {
        "HOME": f"{root}/root",
        "PATH": f"{root}/bin:/usr/bin:/bin",
        "ORCH_SYSROOT": root,
        "LANG": "C",
        "PWD": f"{root}/root",
    }


def test_streams_carry_any_bytes_and_stay_apart(fleet: Fleet, connect: Connect) -> None:
    data = os.urandom(1_000_000)
    status, out, err = run(connect(fleet, "sim-01"), "cat; echo oops >&2; exit 3", data)
    assert (status, err) == (3, b"oops\n")
    assert out == data


def test_a_command_killed_by_a_signal_gives_no_exit_status(fleet: Fleet, connect: Connect) -> None:
    status, _, _ = run(connect(fleet, "sim-01"), "kill -9 $$")
    assert status == -1


def test_a_board_runs_axengine(fleet: Fleet, connect: Connect) -> None:
    command = (
        "PYTHONPATH=$(echo $ORCH_SYSROOT/opt/site-packages/local/lib/python3*/dist-packages)"
        " python3 -c 'import axengine; print(axengine.__file__)'"
    )
    status, out, _ = run(connect(fleet, "sim-01"), command)
    first, where = out.decode().splitlines()
    assert status == 0
    assert first == "[INFO] Available providers:  ['AxEngineExecutionProvider']"
    assert where.startswith(board_of(fleet, "sim-01")["root"])


def test_sftp_takes_relative_paths_from_the_home(fleet: Fleet, connect: Connect) -> None:
    home = Path(board_of(fleet, "sim-01")["root"], "root")
    with connect(fleet, "sim-01").open_sftp() as sftp:
        sftp.putfo(io.BytesIO(b"hello"), "by-name")
        sftp.putfo(io.BytesIO(b"there"), str(home / "by-path"))
        assert sftp.normalize(".") == str(home)
    assert (home / "by-name").read_bytes() == b"hello"
    assert (home / "by-path").read_bytes() == b"there"


def test_a_dropped_connection_ends_the_command_but_not_what_has_left_the_session(
    fleet: Fleet, connect: Connect
) -> None:
    home = Path(board_of(fleet, "sim-01")["root"], "root")
    client = connect(fleet, "sim-01")
    client.exec_command(
        "trap 'touch hung-up; exit' HUP; mkfifo gate;"
        " setsid sh -c 'read line <gate; touch went-on' >/dev/null 2>&1 </dev/null &"
        " touch started; while :; do sleep 0.05; done"
    )
    wait_for((home / "started").exists)
    client.close()
    wait_for((home / "hung-up").exists)
    with (home / "gate").open("w") as gate:
        gate.write("now\n")
    wait_for((home / "went-on").exists)


def test_a_client_that_leaves_amid_output_and_input_ends_both_commands(
    fleet: Fleet, connect: Connect
) -> None:
    home = Path(board_of(fleet, "sim-01")["root"], "root")
    client = connect(fleet, "sim-01")
    _, flood, _ = client.exec_command("echo $$ > pids; exec yes")
    assert flood.read(2) == b"y\n"
    given, out, _ = client.exec_command("echo $$ >> pids; echo; exec cat > half")
    assert out.read(1) == b"\n"
    given.write(b"x" * 1000)
    given.flush()
    client.close()
    pids = [int(line) for line in (home / "pids").read_text().split()]
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert run(connect(fleet, "sim-01"), "echo fine")[1] == b"fine\n"


def test_another_key_or_user_is_not_let_in(fleet: Fleet, connect: Connect, tmp_path: Path) -> None:
    keep_key(tmp_path / "other")
    with pytest.raises(paramiko.AuthenticationException):
        connect(fleet, "sim-01", key=tmp_path / "other")
    with pytest.raises(paramiko.SSHException):
        connect(fleet, "sim-01", user="admin")


def test_a_board_without_sftp_still_runs_commands(fleet: Fleet, connect: Connect) -> None:
    client = connect(fleet, "sim-03")
    assert run(client, "echo here")[1] == b"here\n"
    with pytest.raises(paramiko.SSHException):
        client.open_sftp()


def test_a_board_without_python_has_a_shell_and_tools(fleet: Fleet, connect: Connect) -> None:
    client = connect(fleet, "sim-04")
    assert run(client, "python3 -V")[0] == 127
    assert run(client, "echo x | sha256sum | cut -c 1-8")[1] == b"73cb3858\n"


def test_a_board_may_show_another_host_key_than_the_one_it_is_known_by(
    fleet: Fleet, connect: Connect
) -> None:
    with pytest.raises(paramiko.BadHostKeyException):
        connect(fleet, "sim-05")


def test_faults_show_in_the_facts(fleet: Fleet, connect: Connect) -> None:
    split = run(connect(fleet, "sim-06"), "cat $ORCH_SYSROOT/proc/ax_proc/npu/vnpu")
    old = run(connect(fleet, "sim-07"), "cat $ORCH_SYSROOT/proc/ax_proc/version")
    assert split[1] == b"enable\n"
    assert old[1] == b"Ax_Version V1.14.0_20230506154237\n"


def test_a_hanging_board_takes_the_connection_and_says_nothing(fleet: Fleet) -> None:
    with socket.create_connection(("127.0.0.1", board_of(fleet, "sim-08")["port"])) as line:
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            line.recv(1)


def test_host_keys_and_homes_outlive_a_restart(
    start_fleet: Callable[..., AbstractContextManager[Fleet]], connect: Connect, tmp_path: Path
) -> None:
    with start_fleet(tmp_path, "--name", "desk") as fleet:
        before = board_of(fleet, "desk")
        run(connect(fleet, "desk"), "echo mine > kept")
    with start_fleet(tmp_path, "--name", "desk") as fleet:
        assert board_of(fleet, "desk")["host_key"] == before["host_key"]
        assert run(connect(fleet, "desk"), "cat kept")[1] == b"mine\n"


def test_a_fleet_is_served_once_at_a_time(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(fleet["key"]).parent
    with pytest.raises(SystemExit):
        main(["--root", str(folder / "fleet"), "--authorized-key", str(fleet["key"])])
    assert "another process serves this fleet" in capsys.readouterr().err
    assert (folder / "fleet" / "fleet.json").exists()


def test_private_keys_are_for_their_owner_only(fleet: Fleet) -> None:
    assert Path(fleet["key"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "options",
    [
        ["--boards", "2"],
        ["--boards", "0", "--make-key", "key"],
        ["--boards", "2", "--make-key", "key", "--fault", "sim-09=hang"],
        ["--boards", "2", "--make-key", "key", "--fault", "sim-01=nonsense"],
        ["--name", "../up", "--make-key", "key"],
        ["--name", "twin", "--name", "twin", "--make-key", "key"],
    ],
    ids=["no key", "no board", "fault of no board", "no such fault", "a path", "twins"],
)
def test_a_fleet_that_makes_no_sense_is_not_started(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["--root", str(tmp_path / "fleet"), *options])
    assert caught.value.code == 2
    assert not list(tmp_path.iterdir())


def test_boards_are_scripted_where_a_trace_is_asked_for(
    tmp_path: Path, start_fleet: Callable[..., AbstractContextManager[Fleet]]
) -> None:
    options = ["--trace", "clean", "--trace", "sim-02=thermal", "--seed", "7", "--base-ms", "5"]
    with start_fleet(tmp_path, "--boards", "3", "--axengine", "0.1.3rc0", *options) as fleet:
        told = {board["name"]: board["trace"] for board in fleet["boards"]}
        root = Path(board_of(fleet, "sim-02")["root"])
        script = read_script((root / TRACE_FILE).read_text())
        marker = (root / "etc/orch-simulated-board").read_text()
    assert told == {"sim-01": "clean seed 7", "sim-02": "thermal seed 8", "sim-03": "clean seed 9"}
    assert (script.kind, script.seed, script.base_latency_ms) == ("thermal", 8, 5.0)
    assert "axengine: 0.1.3rc0\n" in marker


@pytest.mark.parametrize(
    "options", [["--trace", "sunny"], ["--trace", "sim-9=clean"], ["--base-ms", "0"]]
)
def test_a_trace_that_is_none_is_a_usage_error(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--root", str(tmp_path), "--boards", "1", "--make-key", str(tmp_path / "k"), *options]
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "trace" in capsys.readouterr().err or options[0] == "--base-ms"
