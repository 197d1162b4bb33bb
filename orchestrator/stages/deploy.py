"""Bring a release to one board: only what is missing, verified and proved before the switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.agent import SHORT_DEADLINE_S, Agent
from orchestrator.domain import Artifact, Board, Delivery, Json, Release
from orchestrator.errors import AgentError
from orchestrator.leases import look
from orchestrator.replies import Probe
from orchestrator.transfer.shipping import Sent, Shipment, deliver, plan_transfer

if TYPE_CHECKING:
    from orchestrator.transfer.encoding import Encoder

#: Making blobs of what was sent: hashing and unpacking on the board.
_STAGE_DEADLINE_S = 600.0

_LOOK = """
cd "$1" && test "$(readlink current)" = "releases/$2" && shift 2 || exit 1
for blob; do test -f "blobs/$blob" || exit 1; done
"""

#: Has a board fetch blobs from its site; None where they have to come from here.
Fetch = Callable[[Agent, Sequence[Artifact]], Sent | None]


@dataclass(frozen=True, slots=True)
class Means:
    """How a release gets to a board, and what it must prove there.

    `prove` runs the staged release and raises where it is not to become the current one; what it
    gives is kept with the delivery. Where nothing comes behind it, the switch is the `last` that is
    asked under the lease.
    """

    encoder: Encoder
    fetch: Fetch | None = None
    prove: Callable[[], float] | None = None
    last: bool = False


def deploy(agent: Agent, probe: Probe, release: Release, means: Means) -> Delivery:
    """Make `release` the current one of a board whose lease the agent has.

    Raises:
        AgentError, Unreachable: on the way; what has arrived is kept for the next time.
    """
    missing = missing_blobs(probe, release)
    switch = needs_switch(probe, release)
    delivery = Delivery(release.release_id, 0, agent.uploaded, False, probe.facts)
    if not missing and not switch:
        return delivery
    fetched = means.fetch(agent, missing) if means.fetch is not None else None
    if fetched is not None:
        delivery = replace(delivery, site_bytes=fetched.site_bytes)
        missing = []
    # What has nothing to prove is switched to as soon as it is verified.
    at_once = switch and means.prove is None
    reply, sent = _send(agent, probe, release, means, missing, "activate" if at_once else "stage")
    delivery = replace(delivery, uploaded_bytes=sent.uplink_bytes)
    if not switch:
        return delivery
    if means.prove is not None:
        delivery = replace(delivery, proved=means.prove())
        reply = agent.ask("activate", _switch(release, means), _STAGE_DEADLINE_S)
    return replace(delivery, activated=reply.get("switched") is True, before=probe.current)


def stage(agent: Agent, probe: Probe, release: Release, encoder: Encoder) -> None:
    """Bring a release there, verified, beside the current one. Raises as `deploy` does."""
    missing = missing_blobs(probe, release)
    _send(agent, probe, release, Means(encoder), missing, "stage")


def _send(
    agent: Agent,
    probe: Probe,
    release: Release,
    means: Means,
    missing: Sequence[Artifact],
    kind: str,
) -> tuple[dict[str, Json], Sent]:
    """Send what is missing, and have the board make blobs of it and `stage` or `activate` them."""

    def commit(unpack: list[Json]) -> dict[str, Json]:
        request = _switch(release, means) if kind == "activate" else manifest(release)
        return agent.ask(kind, request | {"unpack": unpack}, _STAGE_DEADLINE_S)

    def again() -> tuple[Shipment, ...]:
        found = look(agent, [item.sha256 for item in wanted(release)])
        return plan(agent.board, found, missing_blobs(found, release), means.encoder, plain=True)

    shipments = plan(agent.board, probe, missing, means.encoder)
    return deliver(agent, shipments, means.encoder, commit, again)


def is_there(agent: Agent, release: Release) -> bool:
    """Look, in one short command and without a lease, whether a board has the release as it is.

    Its blobs were verified when they got their names; here only the names are looked at.
    """
    names = [item.sha256 for item in wanted(release)]
    argv = ["sh", "-c", _LOOK, "sh", agent.board.work_dir, release.release_id, *names]
    return agent.transport.run(argv, deadline_s=agent.left(SHORT_DEADLINE_S)).returncode == 0


def _switch(release: Release, means: Means) -> dict[str, Json]:
    return manifest(release) | {"last": means.last}


def plan(
    board: Board,
    probe: Probe,
    missing: Sequence[Artifact],
    encoder: Encoder,
    *,
    plain: bool = False,
) -> tuple[Shipment, ...]:
    """Say what is sent to a board, and how; `plain` as it is, whatever else would be less."""
    damaged = {item.sha256 for item in missing}
    there = {**probe.have, **probe.blobs}
    return plan_transfer(
        missing,
        {sha256: size for sha256, size in there.items() if sha256 not in damaged},
        probe.parts,
        () if plain else probe.encodings,
        encoder,
        board.limit_bytes_per_s,
    )


def wanted(release: Release) -> tuple[Artifact, ...]:
    """Give all blobs of a release and of its evaluation set."""
    return (*release.files.values(), *release.inputs)


def wrong_release(agent: Agent, probe: Probe, release: Release) -> AgentError:
    """Say that a board has another release than the one that is asked about."""
    return AgentError(
        f"{agent.board.name}: it has release {probe.current or 'none'}, not {release.release_id}",
        "bring it there first: orch deploy",
        "NO_RELEASE",
    )


def missing_blobs(probe: Probe, release: Release) -> list[Artifact]:
    """Give what the board lacks of a release and of its evaluation set, each blob once."""
    blobs = {item.sha256: item for item in wanted(release)}
    return [item for sha256, item in blobs.items() if probe.blobs.get(sha256) != item.size_bytes]


def needs_switch(probe: Probe, release: Release) -> bool:
    """Say whether the board has yet to be switched to the release, or has lost files of it."""
    here = all(probe.blobs.get(item.sha256) == item.size_bytes for item in release.files.values())
    return not here or probe.current != release.release_id


def manifest(release: Release) -> dict[str, Json]:
    """Give what `stage` and `activate` are told of a release."""
    files: dict[str, Json] = {
        name: {"sha256": item.sha256, "size_bytes": item.size_bytes}
        for name, item in release.files.items()
    }
    content: Mapping[str, Json] = {
        "files": files,
        "target": str(release.target),
        "pulsar2_version": release.pulsar2_version,
        "simulated": release.simulated,
    }
    return {"release_id": release.release_id, "manifest": dict(content)}
