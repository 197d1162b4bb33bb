"""The agent's entry: one request on stdin, one frame on stdout, nothing else there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Sequence

from board_agent import kinds, protocol, request
from board_agent.answer import answer
from board_agent.kinds import Here
from board_agent.places import this_board
from board_agent.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one request; `worker FOLDER RUN_ID` makes this the supervisor of detached work."""
    given = sys.argv[1:] if arguments is None else arguments
    if given:
        from board_agent import supervise
        from board_agent.results import Results

        _, folder, run_id = given
        return supervise.main(this_board(os.environ), Results(Path(folder)), run_id)
    # Nothing that is loaded from here on can print between the bytes of the frame.
    reply_to = os.dup(1)
    os.dup2(2, 1)
    reply = answer(lambda: _answer_stdin(reply_to))
    return 0 if reply is None else send(reply_to, reply)


def send(descriptor: int, reply: dict[str, Any]) -> int:
    """Write one frame; the exit code is 0 when all of it was written."""
    frame = protocol.pack(reply)
    if len(frame) > protocol.MAX_REPLY_BYTES:
        message = f"the reply has {len(frame)} bytes, a host reads {protocol.MAX_REPLY_BYTES}"
        frame = protocol.pack(protocol.failure("BAD_REQUEST", message + ": ask for less at once"))
    rest = memoryview(frame)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        return 1  # the connection is gone; what detached work found stays under results/
    return 0


def _answer_stdin(reply_to: int) -> dict[str, Any] | None:
    # One line: what serves for as long as its stdin is open has to start before it ends.
    asked = request.read(sys.stdin.buffer.readline(request.MAX_REQUEST_BYTES + 1))
    return carry_out(asked, reply_to)


def carry_out(asked: dict[str, Any], reply_to: int) -> dict[str, Any] | None:
    """The reply to a request; None where it was sent to `reply_to` already."""
    place = Store(request.work_dir(asked), request.token(asked))
    here = Here(place, this_board(os.environ), lambda reply: send(reply_to, reply))
    return kinds.carry_out(asked, here)
