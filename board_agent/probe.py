"""Everything that a host wants to know before it does anything, and the lease, in one reply."""

from __future__ import annotations

from typing import Any

from board_agent import facts, request, store
from board_agent.errors import AgentError
from board_agent.lease import Lease, described
from board_agent.places import Board
from board_agent.protocol import ENCODINGS
from board_agent.store import Store


def probe(asked: dict[str, Any], place: Store, board: Board) -> dict[str, Any]:
    """The result of `probe`; it changes nothing unless a lease is asked for."""
    wanted, wish = request.digests(asked, "blobs"), asked.get("lease")
    lease, known = Lease(place, board), facts.read_facts(board, place.work_dir)
    token, holder, problem = None, None, None
    if wish is None:
        holder = described(lease.holder())
    elif not isinstance(wish, dict):
        raise request.refuse(f"lease is {wish!r:.200}, not an object")
    else:
        from board_agent import claims

        try:
            token = claims.acquire(request.claim(wish), lease)
        except AgentError as error:
            if error.code != "LEASED":
                raise
            holder = error.details
        except OSError as error:  # the host is to hear of the disk, not of a bug
            problem = error.strerror
    known["work_dir_error"] = problem
    found = store.survey(place._replace(token=token or place.token), wanted)
    found["lease"] = None if token is None else {"token": token}
    found["holder"], found["facts"] = holder, known
    found["encodings"] = [name for name in ENCODINGS[1:] if name != "lzma" or _has_lzma()]
    return found


def _has_lzma() -> bool:
    try:
        import _lzma  # noqa: F401 - cheaper than all of lzma
    except ImportError:  # a Python that was built without it
        return False
    return True
