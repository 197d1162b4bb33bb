"""The right to change or measure a board: taken with the first look at it, kept by a heartbeat.

The board decides: it refuses whatever comes with a token that is no longer the newest, so a host
that was stopped and goes on later changes nothing.
"""

from __future__ import annotations

import errno
import getpass
import os
import re
import socket
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from orchestrator.agent import Agent
from orchestrator.domain import Json
from orchestrator.errors import AgentError, BoardError, DeadlineError, Leased
from orchestrator.replies import Probe, parse_probe, parse_token

#: How long a board stays ours after the last sign of life.
TTL_S = 60.0
_HEARTBEAT_S = TTL_S / 4
_RENEW_DEADLINE_S = 20.0
#: How long somebody who has pressed Ctrl-C waits for boards that do not answer.
_LEAVE_DEADLINE_S = 5.0

#: The agents that have a lease in this process, by id.
_holding: dict[int, Agent] = {}


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
def leased(
    agent: Agent,
    owner: str,
    blobs: Sequence[str],
    *,
    after: int | None = None,
    dead: Collection[str] = (),
) -> Iterator[Probe]:
    """Take the board's lease with the first look at it; give it back at the end.

    Meanwhile every request of the agent carries the token. Nothing was changed where it raises
    Leased, for somebody else has the board, or STALE_TOKEN, for somebody else has had it since
    `after`, the token under which this work was begun. What owners who are `dead` hold is free.
    """
    probe = _take(agent, owner, blobs)
    if probe.holder is not None and probe.holder.owner in dead:
        _give_back_for(agent, probe.holder.owner)
        probe = _take(agent, owner, blobs)
    if probe.token is None:
        raise _taken(agent.board.name, probe)
    agent.token, agent.freed = probe.token, False
    _holding[id(agent)] = agent
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(agent, owner, ended), daemon=True)
    beating.start()
    try:
        if after is not None and probe.token != after + 1:
            raise _passed_over(agent.board.name, after, probe.token)
        yield probe
    finally:
        ended.set()
        _holding.pop(id(agent), None)
        # Best effort: what cannot be given back runs out by itself.
        with suppress(BoardError, DeadlineError):
            if not agent.freed:
                agent.ask("lease", {"op": "release"}, _RENEW_DEADLINE_S)
        agent.token = None


def _take(agent: Agent, owner: str, blobs: Sequence[str]) -> Probe:
    wanted: dict[str, Json] = {"owner": owner, "ttl_s": TTL_S}
    request: dict[str, Json] = {"blobs": list(blobs), "lease": wanted}
    return parse_probe(agent.board.name, agent.ask("probe", request))


def _give_back_for(agent: Agent, dead: str) -> None:
    """Free a board in the name of a dead owner, which ends what they left at work there.

    In no other name: then nothing happens where somebody else was faster.
    """
    with suppress(AgentError):
        wanted: dict[str, Json] = {"op": "acquire", "owner": dead, "ttl_s": TTL_S}
        agent.token = parse_token(agent.board.name, agent.ask("lease", wanted))
        agent.ask("lease", {"op": "release"})
    agent.token = None


def give_all_back() -> dict[str, bool]:
    """Give back all that this process holds, which ends what runs there; say by board if it did.

    It is for a process that is about to end: those who work with the boards are not asked.
    """
    freed = {agent.board.name: False for agent in _holding.values()}

    def give_back(agent: Agent) -> None:
        with suppress(BoardError, DeadlineError):
            agent.ask("lease", {"op": "release"}, _LEAVE_DEADLINE_S)
            freed[agent.board.name] = True

    giving = [
        threading.Thread(target=give_back, args=(agent,), daemon=True)
        for agent in tuple(_holding.values())
    ]
    for one in giving:
        one.start()
    end = time.monotonic() + _LEAVE_DEADLINE_S
    for one in giving:
        one.join(max(0.0, end - time.monotonic()))
    return dict(freed)


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
    if holder is None:
        return _unwritable(name, str(probe.facts.get("work_dir_error") or "nobody knows why"))
    left_s = holder.ttl_s - holder.age_s
    return Leased(
        f"{name}: another orch holds it: {holder}",
        f"wait for its end; if it is gone for good: orch fleet unlock {name}",
        min(TTL_S, max(0.0, left_s)),  # a board is not trusted
    )


def _unwritable(name: str, why: str) -> AgentError:
    full = why == os.strerror(errno.ENOSPC)
    return AgentError(
        f"{name}: its work_dir cannot be written to: {why}",
        "free some room on the board, or set work_dir to a larger disk"
        if full
        else "is its file system read-only, is work_dir another user's? set boards.*.work_dir",
        "DISK_FULL" if full else "NOT_WRITABLE",
    )


def _passed_over(name: str, after: int, token: int) -> AgentError:
    return AgentError(
        f"{name}: another orch has had it meanwhile, or its lease was broken: this work was begun "
        f"under token {after}, the next was to be {after + 1} and is {token}",
        "it is left as that one has left it; run the same command again if it is to be changed",
        "STALE_TOKEN",
    )
