"""One contract, kept by every transport: what a stage may rely on when it talks to a board."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.errors import BoardError, DeadlineError, Unreachable
from orchestrator.seams import Transport
from orchestrator.simulation import SimulatedFleet

if TYPE_CHECKING:
    from tests.contract.conftest import Link

MEGABYTE = 1024 * 1024


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


def test_what_lies_beyond_the_offset_is_cut_off(link: Link, blob: Path) -> None:
    link.shell("cat > beyond", blob.read_bytes()[:100_000] + bytes(MEGABYTE))
    assert link.transport.put(blob, "beyond", 100_000, deadline_s=30) == 200_001
    assert link.transport.get("beyond", 2 * MEGABYTE, deadline_s=30) == blob.read_bytes()


@pytest.mark.parametrize("has", ["printf 1234 > short", "rm -f short"])
def test_a_file_is_not_gone_on_with_beyond_its_end(link: Link, blob: Path, has: str) -> None:
    link.shell(has)
    with pytest.raises(BoardError, match="writing short failed"):
        link.transport.put(blob, "short", 100_000, deadline_s=30)
    assert link.shell("cat short 2>/dev/null")[1] in {b"1234", b""}


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


def test_a_held_command_lives_until_its_context_is_left(link: Link) -> None:
    script = "read first; echo $first $$; cat; echo ended > ended-here"
    with link.transport.hold(
        ["sh", "-c", script], b"hello\n", until=lambda said: said.endswith(b"\n"), deadline_s=30
    ) as said:
        greeting, pid = said.split()
        assert greeting == b"hello"
        assert link.shell(f"kill -0 {pid.decode()} && echo alive; cat ended-here")[1] == b"alive\n"
    gone = f"n=0; while kill -0 {pid.decode()} && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done"
    link.shell(gone + " 2>/dev/null")
    assert link.shell("cat ended-here; rm ended-here")[1] == b"ended\n"


def test_a_held_command_that_ends_too_early_is_an_error_of_the_board(link: Link) -> None:
    with (
        pytest.raises(BoardError, match=r"board.*ended too early: no port left") as caught,
        link.transport.hold(["sh", "-c", "echo no port left >&2"], until=bool, deadline_s=30),
    ):
        pytest.fail("it was held")
    assert not isinstance(caught.value, Unreachable)


def test_a_held_command_that_says_nothing_is_given_up(link: Link) -> None:
    with (
        pytest.raises(DeadlineError, match=r"board.*took over 0.3 s"),
        link.transport.hold(["sleep", "30"], until=bool, deadline_s=0.3),
    ):
        pytest.fail("it was held")
    assert link.shell("echo fine")[1] == b"fine\n"


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


def test_a_limit_that_makes_a_file_late_is_named_at_once(
    sim_fleet: Callable[..., AbstractContextManager[SimulatedFleet]], blob: Path
) -> None:
    with sim_fleet("--name", "board") as running:
        limited = replace(running.boards["board"], limit_bytes_per_s=1000)
        with FabricConnect(())(limited) as transport:
            with pytest.raises(DeadlineError, match=r"over 20 s at a limit of 1000 bytes/s"):
                transport.put(blob, "slow", deadline_s=20)
            shared = FabricConnect((), site_limits={limited.site: 2000})
            with (
                shared(replace(limited, limit_bytes_per_s=None)) as other,
                pytest.raises(DeadlineError, match=r"over 9 s at a limit of 2000 bytes/s"),
            ):
                other.put(blob, "slow", deadline_s=9)
            assert transport.run(["true"], deadline_s=10).returncode == 0


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
