from __future__ import annotations

import hashlib

import pytest

from board_agent import protocol


def frame_of(body: bytes) -> bytes:
    head = f"ORCH/1 {len(body)} {hashlib.sha256(body).hexdigest()}\n"
    return head.encode() + body + b"\n"


def test_a_frame_is_found_between_chatter() -> None:
    message = protocol.success({"text": "grün"})
    data = b"Welcome!\nORCH/1 is spoken here\n" + protocol.pack(message) + b"logout\n"

    assert protocol.unpack(data) == message


def test_a_cut_frame_before_a_whole_one_is_passed_over() -> None:
    message = protocol.failure("BUSY", "m")
    packed = protocol.pack(message)

    assert protocol.unpack(packed[:90] + packed) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame",
        protocol.pack({"a": 1})[:-3],
        protocol.pack({"a": 1}).replace(b'"a"', b'"b"'),
        frame_of(b"[1]"),
        frame_of(b"{"),
        frame_of(b'{"a": "\xff"}'),
        frame_of(b"[" * 100_000),
    ],
)
def test_anything_else_is_no_frame(data: bytes) -> None:
    with pytest.raises(protocol.FrameError):
        protocol.unpack(data)


def test_a_board_cannot_keep_the_host_busy_with_headers() -> None:
    header = b"ORCH/1 4000000 " + b"0" * 64 + b"\n"

    with pytest.raises(protocol.FrameError):
        protocol.unpack(header * 100_000)
