from __future__ import annotations

import pytest

from board_agent.protocol import FrameError
from orchestrator.domain import Json
from orchestrator.errors import AgentError
from orchestrator.shell.facts import read_facts
from orchestrator.shell.frame import read_frame
from orchestrator.shell.replies import failure, lease_result, probe_result
from orchestrator.shell.requests import request_lines

FRAME = (
    b"Welcome to the board\n"
    b"\nORCH-SH/2 begin n0\n"
    b"lease 7\n"
    b"bytes log 20\nORCH-SH/2 end n0\nxyz\n"
    b"text uid\n|ax_uid: 0x6007080746221049\n"
    b"ORCH-SH/2 end n0\n"
    b"logout\n"
)


def test_a_whole_frame_is_read_whatever_stands_around_it() -> None:
    entries = read_frame(FRAME, "n0")

    assert [entry.key for entry in entries] == ["lease", "bytes", "text"]
    assert entries[1].data == b"ORCH-SH/2 end n0\nxyz"
    assert lease_result(entries) == {"lease": {"token": 7}, "holder": None}


@pytest.mark.parametrize("cut", range(22, len(FRAME) - len(b"\nlogout\n"), 7))
def test_a_frame_that_is_cut_is_none(cut: int) -> None:
    with pytest.raises(FrameError):
        read_frame(FRAME[:cut], "n0")


def test_an_answer_to_another_question_is_none() -> None:
    with pytest.raises(FrameError, match="no frame"):
        read_frame(FRAME, "n1")


@pytest.mark.parametrize("line", ["bytes log x", "bytes log -1", "bytes log " + "9" * 30])
def test_a_size_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(FrameError):
        read_frame(f"\nORCH-SH/2 begin n\n{line}\n\nORCH-SH/2 end n\n".encode(), "n")


def test_an_error_has_its_code_words_and_details() -> None:
    frame = b"\nORCH-SH/2 begin n\nerror LEASED\ndetail holder 3 me@host 4 60 false\n"
    frame += b"text message\n|held by me\nORCH-SH/2 end n\n"

    found = failure(read_frame(frame, "n"))

    assert found is not None
    assert (found.code, found.message) == ("LEASED", "held by me")
    holder = {"token": 3, "owner": "me@host", "age_s": 4.0, "ttl_s": 60.0, "foreign": False}
    assert found.details == {"holder": holder}


def test_a_probe_has_what_was_asked_and_what_else_is_there() -> None:
    a, b = "a" * 64, "b" * 64
    frame = f"\nORCH-SH/2 begin n\nblob {a} 5\nblob {b} 6\npart {b}.part 2\npart junk 9\n"
    frame += "release r1\ncurrent r1\nencoding zlib\nORCH-SH/2 end n\n"

    found = probe_result(read_frame(frame.encode(), "n"), [a, "c" * 64])

    assert found["blobs"] == {a: 5}
    assert found["have"] == {a: 5, b: 6}
    assert found["parts"] == {b: 2}
    assert (found["current"], found["previous"]) == ("r1", None)
    assert (found["releases"], found["encodings"]) == (["r1"], ["zlib"])


def test_facts_are_read_from_the_boards_own_texts() -> None:
    found = read_facts(
        {
            "uid": "ax_uid: 0x6007080746221049",
            "version": "Ax_Version V1.45.0_P39_20240830020829",
            "temperature": "49263",
            "npu_clock": "800M",
            "npu_top": "core:vnpu-Non\nutilization:96%\nutilization:3%",
            "cmm": " total size=4096KB(4MB),used=1024KB(1MB + 0KB),remain=3072KB(3MB + 0KB),x",
            "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 9 1 8 11% /",
        },
        frozenset({"simulated"}),
    )

    assert found["uid"] == "0x6007080746221049"
    assert found["sdk_version"] == "V1.45.0_P39_20240830020829"
    assert (found["temperature_c"], found["npu_clock_mhz"]) == (49.263, 800)
    assert found["npu_load_percent"] == 96.0
    assert found["cmm_free_bytes"] == 3072 * 1024
    assert found["disk_free_bytes"] == 8192
    assert (found["simulated"], found["work_dir_writable"]) == (True, False)
    assert found["chip_type"] is None


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("cancel", {"run_id": "a b"}),
        ("cancel", {"run_id": "x\nop break"}),
        ("cancel", {"run_id": "../x"}),
        ("gc", {"keep": ["$(reboot)"]}),
        ("lease", {"op": "renew", "owner": "a b", "ttl_s": 5}),
        ("lease", {"op": "renew", "owner": "a", "ttl_s": 0}),
        ("stage", {"release_id": "r", "manifest": {"files": {}}}),
        (
            "stage",
            {
                "release_id": "r",
                "manifest": {"files": {"a/b": {"sha256": "a" * 64, "size_bytes": 1}}},
            },
        ),
        ("rollback", {"token": "7"}),
    ],
)
def test_what_is_no_plain_word_does_not_get_to_the_shell(kind: str, asked: dict[str, Json]) -> None:
    with pytest.raises(AgentError) as raised:
        request_lines(kind, asked)

    assert raised.value.code == "BAD_REQUEST"


def test_a_request_is_one_line_for_each_thing() -> None:
    files: dict[str, Json] = {"model": {"sha256": "a" * 64, "size_bytes": 3}}
    asked: dict[str, Json] = {"token": 4, "release_id": "r1", "manifest": {"files": files}}

    lines = request_lines("stage", asked).decode().splitlines()

    assert lines[0] == "release_id r1"
    assert lines[1].startswith('manifest {"files": ')
    assert lines[2:] == [f"file {'a' * 64} 3 model", "token 4", "end "]
