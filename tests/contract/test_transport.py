"""One contract, kept by every transport: what a stage may rely on when it talks to a board."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.backends.local_transport import LocalConnect
from orchestrator.domain import Board
from orchestrator.errors import BoardError, DeadlineError, Unreachable
from orchestrator.seams import Transport
from orchestrator.simulation import SimulatedFleet

MEGABYTE = 1024 * 1024
Open = Callable[[str], AbstractContextManager["Link"]]
Silence = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Link:
    """An open transport; on the board's side `cut` is the shell command that ends the server.

    `silence` makes the server stop answering while its line stays open.
    """

    transport: Transport
    cut: str
    silence: Silence

    def shell(self, script: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        result = self.transport.run(
            ["sh", "-c", script], stdin, deadline_s=30, limit_bytes=16 * MEGABYTE
        )
        return result.returncode, result.stdout, result.stderr


REMOTE = ("asyncssh", "asyncssh without SFTP", pytest.param("OpenSSH", marks=pytest.mark.docker))


@pytest.fixture(scope="session")
def open_link(
    request: pytest.FixtureRequest,
    sim_fleet: Callable[..., AbstractContextManager[SimulatedFleet]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Open:
    @contextmanager
    def container() -> Iterator[Link]:
        start: Callable[[], AbstractContextManager[Board]]
        start = request.getfixturevalue("board_container")
        docker: Callable[..., str] = request.getfixturevalue("docker_engine")
        with start() as board, FabricConnect(())(board) as transport:
            # A command's parent is the sshd of its connection.
            yield Link(transport, "kill -9 $PPID", lambda: docker("pause", board.name))

    @contextmanager
    def fleet(*options: str) -> Iterator[Link]:
        with (
            sim_fleet("--name", "board", *options) as running,
            FabricConnect(())(running.boards["board"]) as transport,
        ):
            stop = (running.pid, signal.SIGSTOP)
            yield Link(transport, f"kill -9 {running.pid}", lambda: os.kill(*stop))

    @contextmanager
    def local() -> Iterator[Link]:
        home = tmp_path_factory.mktemp("home")
        board = Board("board", "127.0.0.1", 22, "root")
        with LocalConnect(home, {"HOME": str(home), "PATH": os.defpath})(board) as transport:
            yield Link(transport, "", lambda: None)

    def opened(kind: str) -> AbstractContextManager[Link]:
        if kind == "OpenSSH":
            return container()
        if kind == "local":
            return local()
        return fleet(*(("--no-sftp", "board") if "without" in kind else ()))

    return opened


@pytest.fixture(scope="module", params=[*REMOTE, "local"])
def link(request: pytest.FixtureRequest, open_link: Open) -> Iterator[Link]:
    """A link that all tests of a kind share; they must leave it usable."""
    with open_link(request.param) as opened:
        yield opened


@pytest.fixture(params=REMOTE)
def doomed(request: pytest.FixtureRequest, open_link: Open) -> Iterator[Link]:
    """A link that a test may break."""
    with open_link(request.param) as opened:
        yield opened


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(300_001))
    return path


def test_streams_carry_any_bytes_and_stay_apart(link: Link) -> None:
    data = os.urandom(MEGABYTE)
    assert link.shell("cat; echo oops >&2; exit 3", data) == (3, data, b"oops\n")


def test_input_and_output_larger_than_any_window_do_not_block_each_other(link: Link) -> None:
    data = os.urandom(6 * MEGABYTE)
    code, out, _ = link.shell("cat", data)
    assert code == 0
    assert out == data


def test_a_flood_on_stderr_does_not_block_stdout(link: Link) -> None:
    code, out, err = link.shell("head -c 6000000 /dev/zero >&2; echo done")
    assert (code, out, len(err)) == (0, b"done\n", 6_000_000)


def test_a_command_need_not_read_its_input(link: Link) -> None:
    assert link.shell("exec true", bytes(4 * MEGABYTE))[0] == 0


def test_arguments_arrive_as_they_are(link: Link) -> None:
    awkward = [
        "",
        "two words",
        "it's",
        '"',
        "a\nb",
        "grüße 你好",
        "$HOME",
        "*",
        ";",
        "\\",
        "-n",
        "`id`",
    ]
    result = link.transport.run(["printf", "%s\\0", *awkward], deadline_s=10)
    assert result.stdout.decode().split("\0")[:-1] == awkward


def test_a_program_that_is_not_there_is_a_result(link: Link) -> None:
    result = link.transport.run(["no-such-program"], deadline_s=10)
    assert result.returncode == 127
    assert b"no-such-program" in result.stderr


def test_a_command_that_was_killed_is_a_result_other_than_0(link: Link) -> None:
    assert link.shell("kill -9 $$")[0] != 0


def test_more_output_than_allowed_is_an_error_of_the_board(link: Link) -> None:
    with pytest.raises(BoardError, match=r"board.*said more than 1000 bytes"):
        link.transport.run(["yes"], deadline_s=30, limit_bytes=1000)
    assert link.shell("echo fine")[1] == b"fine\n"


def test_a_command_past_its_deadline_is_given_up(link: Link) -> None:
    with pytest.raises(DeadlineError, match=r"board.*sleep 30.* took over 0.3 s"):
        link.transport.run(["sleep", "30"], deadline_s=0.3)
    assert link.shell("echo fine")[1] == b"fine\n"


def test_a_file_arrives_whole_in_the_home(link: Link, blob: Path) -> None:
    assert link.transport.put(blob, "whole", deadline_s=30) == 300_001
    assert link.transport.get("whole", 300_001, deadline_s=30) == blob.read_bytes()
    assert link.shell('cat "$HOME/whole"')[1] == blob.read_bytes()


def test_a_file_that_was_cut_is_resumed(link: Link, blob: Path) -> None:
    link.shell("cat > cut", blob.read_bytes()[:100_000])
    assert link.transport.put(blob, "cut", 100_000, deadline_s=30) == 200_001
    assert link.transport.get("cut", MEGABYTE, deadline_s=30) == blob.read_bytes()


def test_a_file_replaces_a_longer_one(link: Link, blob: Path) -> None:
    link.shell("cat > longer", bytes(MEGABYTE))
    link.transport.put(blob, "longer", deadline_s=30)
    assert link.transport.get("longer", MEGABYTE, deadline_s=30) == blob.read_bytes()


@pytest.mark.parametrize("path", ["no-such-folder/file", "/dev/full", "."])
def test_a_file_that_cannot_be_written_is_an_error_of_the_board(
    link: Link, blob: Path, path: str
) -> None:
    with pytest.raises(BoardError, match=f"board.*: writing {path} failed") as caught:
        link.transport.put(blob, path, deadline_s=30)
    assert not isinstance(caught.value, Unreachable)
    assert link.shell("echo fine")[1] == b"fine\n"


def test_a_file_that_is_missing_or_too_large_is_an_error_of_the_board(link: Link) -> None:
    link.shell("echo 12345 > six")
    assert link.transport.get("six", 6, deadline_s=10) == b"12345\n"
    with pytest.raises(BoardError, match="more than 5 bytes"):
        link.transport.get("six", 5, deadline_s=10)
    with pytest.raises(BoardError, match=r"board.*: reading absent failed"):
        link.transport.get("absent", 6, deadline_s=10)


def test_a_line_that_is_cut_in_mid_command_leaves_the_board_unreachable(
    doomed: Link, blob: Path
) -> None:
    with pytest.raises(Unreachable, match=r"board.*: the connection was lost") as caught:
        doomed.shell(f"echo begun; {doomed.cut}; sleep 1")
    assert "kept" in caught.value.hint
    with pytest.raises(Unreachable):
        doomed.shell("echo never")
    with pytest.raises(Unreachable):
        doomed.transport.put(blob, "never", deadline_s=10)
    with pytest.raises(Unreachable):
        doomed.transport.get("never", 10, deadline_s=10)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda one, _: one.run(["true"], deadline_s=0.5), id="run"),
        pytest.param(lambda one, blob: one.put(blob, "never", deadline_s=0.5), id="put"),
    ],
)
def test_a_server_that_falls_silent_holds_nobody_up(
    doomed: Link, blob: Path, ask: Callable[[Transport, Path], object]
) -> None:
    doomed.silence()
    with pytest.raises((DeadlineError, Unreachable)):
        ask(doomed.transport, blob)
