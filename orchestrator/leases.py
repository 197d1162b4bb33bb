"""The right to change or measure a board: taken with the first look at it, kept by a heartbeat.

The board decides: it refuses whatever comes with a token that is no longer the newest, so a host
that was stopped and goes on later changes nothing.
"""

from __future__ import annotations

import getpass
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from orchestrator.agent import Agent
from orchestrator.domain import Json
from orchestrator.errors import AgentError, BoardError, DeadlineError
from orchestrator.replies import Probe, parse_probe

#: How long a board stays ours after the last sign of life.
TTL_S = 60.0
_HEARTBEAT_S = TTL_S / 4
_RENEW_DEADLINE_S = 20.0


def owner_of(run_id: str) -> str:
    """Name a run to those who find a board taken: `user@host/run`, without blanks."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no such uid in the password file
        user = "unknown"
    return re.sub(r"[^\w@./-]", "_", f"{user}@{socket.gethostname()}/{run_id}", flags=re.ASCII)


def look(agent: Agent, blobs: Sequence[str]) -> Probe:
    """Ask a board what it is and has, and take no lease."""
    return parse_probe(agent.board.name, agent.ask("probe", {"blobs": list(blobs)}))


@contextmanager
def leased(agent: Agent, owner: str, blobs: Sequence[str]) -> Iterator[Probe]:
    """Take the board's lease with the first look at it; give it back at the end.

    Meanwhile every request of the agent carries the token. Raises AgentError LEASED when somebody
    else has the board: then nothing was changed.
    """
    wanted: dict[str, Json] = {"owner": owner, "ttl_s": TTL_S}
    probe = parse_probe(
        agent.board.name, agent.ask("probe", {"blobs": list(blobs), "lease": wanted})
    )
    if probe.token is None:
        raise _taken(agent.board.name, probe)
    agent.token = probe.token
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(agent, owner, ended), daemon=True)
    beating.start()
    try:
        yield probe
    finally:
        ended.set()
        # Best effort: what cannot be given back runs out by itself.
        with suppress(BoardError, DeadlineError):
            agent.ask("lease", {"op": "release"}, _RENEW_DEADLINE_S)
        agent.token = None


def _beat(agent: Agent, owner: str, ended: threading.Event) -> None:
    """Renew until the end, or until the lease is lost: then the board refuses the work itself."""
    while not ended.wait(_HEARTBEAT_S):
        try:
            agent.ask("lease", {"op": "renew", "owner": owner, "ttl_s": TTL_S}, _RENEW_DEADLINE_S)
        except (BoardError, DeadlineError) as error:
            if isinstance(error, AgentError) and error.code == "STALE_TOKEN":
                return


def _taken(name: str, probe: Probe) -> AgentError:
    holder = probe.holder
    if holder is not None and holder.foreign:
        return AgentError(
            f"{name}: it is held by another program: {holder}",
            "wait until it ends, or stop it on the board; orch does not break its lock",
            "LEASED",
        )
    return AgentError(
        f"{name}: another orch holds it: {holder or 'unknown'}",
        f"wait for its end; if it is gone for good: orch fleet unlock {name}",
        "LEASED",
    )
