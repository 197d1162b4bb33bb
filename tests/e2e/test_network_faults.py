"""Lines that are slow, lossy, late, silent or cut at the worst moment: one command converges."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from containers.faults import link
from containers.faults.boards import Network, Order, Started, board, board_network
from containers.faults.disk import not_converged, read_disk, violations
from containers.faults.engine import docker
from containers.faults.forwarder import Line, forwarding, mute_server
from containers.faults.link import Link
from containers.faults.mischief import MISCHIEF, Deed, Victim
from containers.faults.yard import Yard, end, finish

pytestmark = [pytest.mark.docker, pytest.mark.slow]

WORK_DIR = "/root/.orch"
WAIT_S = 240.0
#: How long a fault lasts that comes in mid-upload.
LASTS_S = 2.0
UPLOAD_FAULTS = ("disconnected", "reset", "black hole", "board killed")
#: What happens while a board is at work, and how it is seen that it is.
MOMENTS = {"upload": ("incoming", ".part"), "run": ("results", "-benchmark.pid")}


@dataclass(frozen=True, slots=True)
class Lines:
    """Boards in a network of their own."""

    network: Network
    boards: tuple[Started, ...]

    def wipe(self) -> None:
        for one in self.boards:
            docker("exec", one.name, "rm", "-rf", WORK_DIR)

    def victim(self, number: int) -> Victim:
        return Victim(self.boards[number], self.network, "")

    def assert_converged(self, release_id: str) -> None:
        for one in self.boards:
            assert not_converged(read_disk(one.name, WORK_DIR), release_id) == []


@pytest.fixture(scope="module")
def lines(docker_engine: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    assert docker_engine
    if reason := link.missing():
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    keys = tmp_path_factory.mktemp("keys")
    mark = os.urandom(3).hex()
    with ExitStack() as stack:
        network = stack.enter_context(board_network())
        boards = []
        for number in range(len(UPLOAD_FAULTS) + 1):
            name, address = f"orch-{mark}-line-{number}", network.address(number + 2)
            order = Order(name, network=network, address=address)
            boards.append(stack.enter_context(board(order, keys)))
        yield Lines(network, tuple(boards))


def test_slow_lossy_and_late_lines_get_there_and_a_mute_server_holds_up_nobody(
    yard: Yard, lines: Lines
) -> None:
    lines.wipe()
    slow, lossy, late, mute, sound = (one.name for one in lines.boards)
    with ExitStack() as stack:
        stack.enter_context(Link(slow).broken(rate="1mbit"))
        stack.enter_context(Link(lossy).broken(loss=0.01))
        line = stack.enter_context(forwarding(lines.boards[2].host, 22, Line(delay_s=0.1)))
        port = stack.enter_context(mute_server())
        ways: Mapping[str, Mapping[str, object]] = {
            late: {"host": "127.0.0.1", "port": line.port},
            mute: {"host": "127.0.0.1", "port": port, "connect_timeout_s": 3.0},
        }
        yard.list_boards(lines.boards, ways)
        report = yard.deploy()
    assert report.errors() == {mute: "UNREACHABLE"}, report.said
    for name in (slow, lossy, late, sound):
        assert not_converged(read_disk(name, WORK_DIR), report.release_id) == []
        assert report.boards[name]["delivery"]["uploaded_bytes"] > 100_000
    assert "current" not in read_disk(mute, WORK_DIR).links


def test_whatever_cuts_an_upload_the_same_command_converges(yard: Yard, lines: Lines) -> None:
    lines.wipe()
    yard.list_boards(lines.boards)
    *_, sound = lines.boards
    for one in lines.boards[: len(UPLOAD_FAULTS)]:
        Link(one.name).slow("1mbit")
    undone: list[tuple[Victim, Deed]] = []
    with yard.start_deploy() as process:
        for number, fault in enumerate(UPLOAD_FAULTS):
            victim = lines.victim(number)
            wait_until_at(victim.name, "upload", process)
            do, undo = MISCHIEF[fault]
            do(victim)
            undone.append((victim, undo))
        time.sleep(LASTS_S)
        for victim, undo in undone:
            undo(victim)
        for one in lines.boards[: len(UPLOAD_FAULTS)]:
            Link(one.name).mend()
        report = finish(process)

    assert sound.name not in report.errors(), report.said
    for one in lines.boards:
        assert violations(read_disk(one.name, WORK_DIR)) == []
    done = yard.converge()
    assert done.through, done.report
    lines.assert_converged(report.release_id)


def test_a_line_that_is_cut_after_so_many_bytes_goes_on_where_it_was(
    yard: Yard, lines: Lines
) -> None:
    lines.wipe()
    first = lines.boards[0]
    line = Line(after_bytes=300_000)
    with forwarding(first.host, 22, line) as way:
        yard.list_boards([first], {first.name: {"host": "127.0.0.1", "port": way.port}})
        report = end(yard.start_deploy())
        assert line.cuts > 0
        assert violations(read_disk(first.name, WORK_DIR)) == []
        line.after_bytes = None
        done = yard.converge()
    assert done.through, report
    assert done.report is not None
    assert not_converged(read_disk(first.name, WORK_DIR), done.report.release_id) == []


def test_a_board_that_is_cut_off_in_mid_run_converges_and_the_others_go_on(
    yard: Yard, lines: Lines
) -> None:
    yard.list_boards(lines.boards[:2])
    victim, other = lines.victim(0), lines.boards[1]
    do, undo = MISCHIEF["disconnected"]
    with yard.start_deploy("two", "--iterations", "200") as process:
        wait_until_at(victim.name, "run", process)
        do(victim)
        time.sleep(LASTS_S)
        undo(victim)
        report = finish(process)
    assert other.name not in report.errors(), report.said
    assert violations(read_disk(victim.name, WORK_DIR)) == []
    done = yard.converge("two")
    assert done.through, done.report
    assert done.report is not None
    assert not_converged(read_disk(victim.name, WORK_DIR), done.report.release_id) == []


def wait_until_at(name: str, moment: str, process: subprocess.Popen[str]) -> None:
    """Return when a board is at the moment, or past it."""
    folder, mark = MOMENTS[moment]
    end_s = time.monotonic() + WAIT_S
    while time.monotonic() < end_s and process.poll() is None:
        listed = docker("exec", name, "sh", "-c", f"find {WORK_DIR}/{folder} 2>/dev/null; :")
        if mark in listed:
            return
        time.sleep(0.05)
    pytest.fail(f"{name}: it was never at its {moment}; orch ended with {process.poll()}")
