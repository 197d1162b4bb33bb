"""What is asked of the lease, and what a change of hands entails."""

from __future__ import annotations

from typing import Any

from board_agent import cancel, compiled, files, request
from board_agent.answer import NO_ROOM
from board_agent.lease import Lease, described
from board_agent.request import Claim
from board_agent.results import Results

OPS = ("acquire", "renew", "release", "break", "look")


def carry_out(asked: dict[str, Any], lease: Lease) -> dict[str, Any]:
    """The result of a request of kind `lease`."""
    op, token = asked.get("op"), lease.place.token
    if op not in OPS:
        raise request.refuse(f"op is {op!r:.200}, not one of {', '.join(OPS)}")
    if op == "acquire":
        return _state(acquire(request.claim(asked), lease), lease)
    if not lease.place.work_dir.is_dir():
        if op != "look":
            lease.check(token or 0)
        return _state(None, lease)
    claim = request.claim(asked) if op == "renew" else None
    with files.locked(lease.place.path("lock")):
        if claim is not None:
            lease.renew(token, claim)
        elif op == "release":
            lease.release(token)
            _leave_nothing(lease)
        elif op == "break":
            lease.end()
            _leave_nothing(lease)
        return _state(token if claim is not None else None, lease)


def acquire(claim: Claim, lease: Lease) -> int:
    """A new token. Raises LEASED. A worker of somebody else's, who is gone, is ended first."""
    files.make_dir(lease.place.work_dir)
    with files.locked(lease.place.path("lock")):
        before = lease.owner()
        try:
            token = lease.acquire(claim)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            # What makes room needs a lease, and a lease some room.
            compiled.drop(lease.place.path("agent"))
            token = lease.acquire(claim)
        if before != claim.owner:
            _leave_nothing(lease)
        return token


def _leave_nothing(lease: Lease) -> None:
    """End the worker that is at it; its run may be asked for again as if it had never been."""
    cancel.end(Results(lease.place.path("results")), None)


def _state(token: int | None, lease: Lease) -> dict[str, Any]:
    held = None if token is None else {"token": token}
    return {"lease": held, "holder": None if held else described(lease.holder())}
