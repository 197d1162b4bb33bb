"""What can be done with the releases on a board: go back to the one before, throw away the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.agent import Agent
from orchestrator.errors import AgentError
from orchestrator.leases import leased, look
from orchestrator.replies import Cleaned, parse_cleaned, parse_moved


@dataclass(frozen=True, slots=True)
class Holdings:
    """Which releases a board has; `blob_bytes` is what all its blobs take."""

    current: str | None
    previous: str | None
    others: tuple[str, ...]
    blob_bytes: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A board went back: from which release to which."""

    before: str
    now: str


def holdings(agent: Agent) -> Holdings:
    """Look which releases a board has."""
    probe = look(agent, ())
    linked = {probe.current, probe.previous}
    others = tuple(name for name in probe.releases if name not in linked)
    return Holdings(probe.current, probe.previous, others, sum(probe.have.values()))


def go_back(agent: Agent, owner: str) -> Moved:
    """Make the release before the current one again. Raises AgentError NO_RELEASE, LEASED."""
    name = agent.board.name
    with leased(agent, owner, ()) as probe:
        if probe.current is None or probe.previous is None:
            has = f"it has {probe.current} alone" if probe.current else "nothing is deployed"
            raise AgentError(
                f"{name}: there is no release before: {has}",
                "deploy what it should have: orch deploy",
                "NO_RELEASE",
            )
        try:
            reply = agent.ask("rollback", {"from": probe.current})
        except AgentError as error:
            if error.code != "HASH_MISMATCH":
                raise
            raise AgentError(
                f"{error.message}: release {probe.previous} is damaged, {probe.current} stays",
                "bring it there anew: orch deploy with its recipe",
                error.code,
            ) from error
        return Moved(probe.current, parse_moved(name, reply))


def clean(agent: Agent, owner: str, keep: Sequence[str], *, dry_run: bool) -> Cleaned:
    """Remove what neither the current release nor the one before needs, nor `keep` names."""
    with leased(agent, owner, ()):
        return collect(agent, keep, dry_run=dry_run)


def collect(agent: Agent, keep: Sequence[str], *, dry_run: bool = False) -> Cleaned:
    """As `clean`, under a lease that the agent has already."""
    reply = agent.ask("gc", {"keep": list(keep), "dry_run": dry_run})
    return parse_cleaned(agent.board.name, reply)
