"""One deploy to a fleet of all kinds of boards, sound and not: each gets what it can take."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from containers.faults.boards import Order, Started, board
from containers.faults.disk import not_converged, read_disk
from containers.faults.yard import Report, Yard

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Docker = Callable[..., str]
UID = "00000000c10be000"
#: What a board is called in this file → its image, its faults, and options of `docker run`.
BOARDS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "debian12": ("debian12", (), ()),
    "ubuntu22": ("ubuntu22", (), ()),
    "pyramid": ("pyramid", (), ()),
    "buildroot": ("buildroot", (), ()),
    "debian11": ("debian11", (), ()),
    "hot": ("debian12", ("hot",), ()),
    "cmm-full": ("debian12", ("cmm-full",), ()),
    "tenant": ("debian12", ("tenant",), ()),
    "clock-1970": ("debian12", ("clock-1970",), ()),
    "disk-full": ("debian12", (), ("--tmpfs", "/root/.orch:size=300k")),
    "twin-1": ("debian12", (), ()),
    "twin-2": ("debian12", (), ()),
}
SOUND = ("debian12", "ubuntu22", "pyramid", "buildroot", "clock-1970")


@dataclass(frozen=True, slots=True)
class Mixed:
    """The boards by what they are called here, and how the deploy to all of them ended."""

    boards: Mapping[str, Started]
    report: Report

    def outcome(self, called: str) -> Mapping[str, Any]:
        return self.report.boards[self.boards[called].name]

    def work_dir(self, called: str) -> str:
        return "/var/lib/orch" if called == "pyramid" else "/root/.orch"


@pytest.fixture(scope="module")
def mixed(yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    keys = tmp_path_factory.mktemp("keys")
    mark = os.urandom(3).hex()
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:

        def start(called: str) -> tuple[str, Started]:
            kind, faults, options = BOARDS[called]
            uid = UID if called.startswith("twin") else None
            order = Order(f"orch-{mark}-{called}", kind, faults, uid=uid, options=options)
            return called, stack.enter_context(board(order, keys))

        first = start("debian12")  # makes the client's key
        others = pool.map(start, [called for called in BOARDS if called != "debian12"])
        boards = dict([first, *others])
        yard.list_boards(list(boards.values()))
        yield Mixed(boards, yard.deploy())


@pytest.mark.parametrize("called", SOUND)
def test_a_sound_board_of_any_kind_gets_the_release_and_runs_it(mixed: Mixed, called: str) -> None:
    outcome = mixed.outcome(called)
    assert outcome["error"] == ""
    assert outcome["agreement"]["share"] > 0.95
    disk = read_disk(mixed.boards[called].name, mixed.work_dir(called))
    assert not_converged(disk, mixed.report.release_id) == []


@pytest.mark.parametrize(
    ("called", "code", "said"),
    [
        ("debian11", "OLD_PYTHON", "Python 3.9 < 3.10"),
        ("hot", "TOO_HOT", "it has 11"),
        ("cmm-full", "CMM_FULL", "of 4295.0 MB of NPU memory (CMM) are free"),
        ("tenant", "LEASED", "held by another program: magnetar"),
        ("disk-full", "DISK_FULL", "MB of disk are free, 0.9 MB are sent"),
    ],
)
def test_a_board_that_cannot_take_it_says_why_and_is_left_as_it_was(
    mixed: Mixed, called: str, code: str, said: str
) -> None:
    outcome = mixed.outcome(called)
    assert (outcome["error_code"], outcome["measurement"]) == (code, None)
    assert said in outcome["error"]
    assert outcome["hint"]
    disk = read_disk(mixed.boards[called].name, mixed.work_dir(called))
    assert "current" not in disk.links


def test_of_two_boards_with_one_uid_one_is_refused(mixed: Mixed) -> None:
    codes = sorted(mixed.outcome(called)["error_code"] for called in ("twin-1", "twin-2"))
    assert codes == ["", "DUPLICATE_UID"]


def test_boards_are_told_apart_though_all_have_one_host_name(mixed: Mixed) -> None:
    facts = [mixed.outcome(called)["facts"] for called in SOUND]
    assert {one["hostname"] for one in facts} == {"ax650"}
    assert len({one["uid"] for one in facts}) == len(SOUND)


def test_libraries_that_only_a_login_shell_would_find_are_found(mixed: Mixed) -> None:
    assert mixed.outcome("ubuntu22")["facts"]["library_path"] == "/sim/soc/lib"
    assert mixed.outcome("debian12")["facts"]["library_path"] is None


def test_a_clock_in_1970_is_seen_and_does_no_harm(mixed: Mixed) -> None:
    facts = mixed.outcome("clock-1970")["facts"]
    assert facts["clock_unix_s"] < 86_400


def test_the_bare_board_has_neither_python_nor_sftp(mixed: Mixed, docker_engine: Docker) -> None:
    name = mixed.boards["buildroot"].name
    tools = docker_engine("exec", name, "/bin/board-shell", "-c", "command -v python3 bash scp; :")
    assert tools == ""
    places = ("/usr/lib/sftp-server", "/usr/lib/openssh")
    assert not any(docker_engine("exec", name, "find", "/", "-path", one) for one in places)


def test_sudo_writes_as_root_where_the_login_cannot(mixed: Mixed, docker_engine: Docker) -> None:
    name = mixed.boards["pyramid"].name
    owner = docker_engine("exec", name, "stat", "-c", "%U", "/var/lib/orch/current")
    assert owner == "root"
    assert Path(mixed.work_dir("pyramid")).parent == Path("/var/lib")
