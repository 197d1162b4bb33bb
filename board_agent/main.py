"""The agent's entry: one request on stdin, one frame on stdout, nothing else there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Sequence

from board_agent import detach, facts, jobs, protocol, request, store, supervise
from board_agent.answer import answer
from board_agent.places import Board, this_board
from board_agent.results import Results
from board_agent.store import Store


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one request; `worker FOLDER RUN_ID` makes this the supervisor of detached work."""
    given = sys.argv[1:] if arguments is None else arguments
    if given:
        _, folder, run_id = given
        return supervise.main(this_board(os.environ), Results(Path(folder)), run_id)
    # Nothing that is loaded from here on can print between the bytes of the frame.
    reply_to = os.dup(1)
    os.dup2(2, 1)
    return send(reply_to, answer(_answer_stdin))


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


def _answer_stdin() -> dict[str, Any]:
    asked = request.read(sys.stdin.buffer.read(request.MAX_REQUEST_BYTES + 1))
    place = Store(request.work_dir(asked))
    return _KINDS[asked["kind"]](asked, place, this_board(os.environ))


def _probe(asked: dict[str, Any], place: Store, board: Board) -> dict[str, Any]:
    wanted = request.digests(asked, "blobs")
    found = store.survey(place, wanted)
    found["facts"] = facts.read_facts(board, place.work_dir)
    return protocol.success(found)


def _activate(asked: dict[str, Any], place: Store, _board: Board) -> dict[str, Any]:
    release_id = request.matching(asked, "release_id", request.ID)
    return protocol.success(store.activate(place, release_id, request.manifest(asked)))


def _rollback(asked: dict[str, Any], place: Store, _board: Board) -> dict[str, Any]:
    given = asked.get("from") is not None
    expected = request.matching(asked, "from", request.ID) if given else None
    return protocol.success(store.rollback(place, expected))


def _work(asked: dict[str, Any], place: Store, board: Board) -> dict[str, Any]:
    deadline_s = request.deadline_s(asked)
    return detach.run(jobs.resolve(asked, place), deadline_s, place, board)


_KINDS: dict[str, Callable[[dict[str, Any], Store, Board], dict[str, Any]]] = {
    "probe": _probe,
    "activate": _activate,
    "rollback": _rollback,
    "benchmark": _work,
    "infer": _work,
}
