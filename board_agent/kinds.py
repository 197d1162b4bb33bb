"""What each kind of request does. A kind's own modules are loaded when it is asked for."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional

from board_agent import files, protocol, request
from board_agent.lease import Lease
from board_agent.places import Board
from board_agent.store import Store


class Here(NamedTuple):
    """Where a request is carried out.

    Attributes:
        place: the work_dir, with the request's token.
        say: sends a reply before the request has ended.
    """

    place: Store
    board: Board
    say: Callable[[dict[str, Any]], int]

    @property
    def lease(self) -> Lease:
        """The board's lease."""
        return Lease(self.place, self.board)


#: Gives the reply; None where it has been said already.
Kind = Callable[["dict[str, Any]", Here], Optional["dict[str, Any]"]]


def _probe(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import probe

    return protocol.success(probe.probe(asked, here.place, here.board))


def _lease(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import claims

    return protocol.success(claims.carry_out(asked, here.lease))


def _stage(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import release

    plan = release.read(asked)
    with here.lease.fenced(here.place.token):
        return protocol.success(release.stage(here.place, plan))


def _activate(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import release

    plan = release.read(asked)
    with here.lease.fenced(here.place.token):
        return protocol.success(release.activate(here.place, plan))


def _rollback(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import release

    expected = request.optional(asked, "from", request.ID)
    with here.lease.fenced(here.place.token):
        return protocol.success(release.rollback(here.place, expected))


def _work(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import detach, jobs

    return detach.run(jobs.read(asked), here.lease)


def _gc(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import garbage

    keep, dry_run = request.digests(asked, "keep"), request.flag(asked, "dry_run")
    with here.lease.fenced(here.place.token):
        return protocol.success(garbage.collect(here.place, keep, dry_run=dry_run))


def _cancel(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import cancel
    from board_agent.results import Results

    run_id = request.optional(asked, "run_id", request.ID)
    with here.lease.fenced(here.place.token):
        ended = cancel.cancel(Results(here.place.path("results")), run_id)
    return protocol.success({"cancelled": ended})


def _fetch(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import relay

    wanted = relay.read(asked)
    with here.lease.fenced(here.place.token):
        files.make_dir(here.place.incoming(here.place.token))
    # Not under the lock: it may last, and what it writes is of no use to another token.
    try:
        fetched_bytes = relay.fetch(here.place, wanted)
    except FileNotFoundError:  # who has the lease now has removed the folder
        with here.lease.fenced(here.place.token):
            raise
    with here.lease.fenced(here.place.token):
        relay.take(here.place, wanted)
    return protocol.success({"fetched_bytes": fetched_bytes})


def _serve(asked: dict[str, Any], here: Here) -> None:
    import sys

    from board_agent import relay

    relay.serve(
        here.place, asked, lambda result: here.say(protocol.success(result)), sys.stdin.fileno()
    )


def _runtime(_asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import packages

    return protocol.success(packages.describe(here.board, here.place.work_dir))


def _install(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import install

    return protocol.success(install.carry_out(asked, here.lease))


def _selftest(asked: dict[str, Any], here: Here) -> dict[str, Any]:
    from board_agent import selftest

    return protocol.success(selftest.carry_out(asked, here.lease))


KINDS: dict[str, Kind] = {
    "probe": _probe,
    "lease": _lease,
    "stage": _stage,
    "activate": _activate,
    "rollback": _rollback,
    "benchmark": _work,
    "infer": _work,
    "tool": _work,
    "contend": _work,
    "gc": _gc,
    "cancel": _cancel,
    "fetch": _fetch,
    "serve": _serve,
    "runtime": _runtime,
    "install": _install,
    "selftest": _selftest,
}


def carry_out(asked: dict[str, Any], here: Here) -> dict[str, Any] | None:
    """The reply to a request; None where it has been said already.

    The lease is given back behind one that was carried out and says that it was the last.
    """
    last = request.flag(asked, "last")
    reply = KINDS[asked["kind"]](asked, here)
    if last and reply is not None and reply["ok"]:
        from board_agent import claims

        claims.carry_out({"op": "release"}, here.lease)
        reply["result"]["freed"] = True
    return reply
