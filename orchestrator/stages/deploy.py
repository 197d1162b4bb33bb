"""Bring a release to one board: only what is missing, verified there, switched at once."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.agent import Agent
from orchestrator.domain import Artifact, Delivery, Json, Release
from orchestrator.errors import AgentError, Refused
from orchestrator.pulsar2.targets import HARDWARE_OF_CHIP
from orchestrator.replies import Probe, parse_probe
from orchestrator.seams import Blobs

#: A board's disk must hold what is sent and some room beside it.
_DISK_MARGIN = 1.2
#: What one transfer may take: a start, and a slow link of 100 kB/s.
_TRANSFER_START_S, _SLOWEST_BYTES_PER_S = 60.0, 100_000.0


def deploy(agent: Agent, release: Release, blobs: Blobs) -> Delivery:
    """Make `release` the current one of a board.

    Raises:
        Refused: the board cannot run it; nothing was copied.
        AgentError, Unreachable: on the way; what has arrived is kept for the next time.
    """
    probe, uploaded = _send_missing(agent, release, blobs)
    switched = False
    here = all(item.sha256 in probe.blobs for item in release.files.values())
    if not here or probe.current != release.release_id:
        try:
            switched = _activate(agent, release)
        except AgentError as error:
            if error.code != "HASH_MISMATCH":
                raise
            # The agent has thrown away what did not arrive as it was sent: send that again, once.
            uploaded += _send_missing(agent, release, blobs)[1]
            switched = _activate(agent, release)
    return Delivery(release.release_id, uploaded, agent.uploaded, switched, probe.facts)


def _send_missing(agent: Agent, release: Release, blobs: Blobs) -> tuple[Probe, int]:
    """Send every blob that the board lacks; give what it had before, and the bytes sent."""
    name = agent.board.name
    wanted = {item.sha256: item for item in (*release.files.values(), *release.inputs)}
    probe = parse_probe(name, agent.ask("probe", {"blobs": list(wanted)}))
    missing = [item for sha256, item in wanted.items() if sha256 not in probe.blobs]
    check_board(name, probe.facts, release, sum(item.size_bytes for item in missing))
    if missing:
        agent.prepare()
    return probe, sum(_upload(agent, item, probe, blobs) for item in missing)


def check_board(
    name: str, facts: Mapping[str, Json], release: Release, needed_bytes: int = 0
) -> None:
    """Refuse a board that cannot run a release, naming both sides. Raises Refused."""
    simulated = facts.get("simulated") is True
    if simulated != release.simulated:
        kinds = {True: "simulated", False: "genuine"}
        raise Refused(
            f"{name}: a {kinds[simulated]} board does not run a {kinds[release.simulated]} axmodel",
            "deploy to a fleet whose toolchain fits its boards: fleets.*.toolchain",
        )
    chip, target = facts.get("chip_type"), release.target
    hardware = HARDWARE_OF_CHIP.get(str(chip))
    if hardware != target.hardware:
        raise Refused(
            f"{name}: its chip is {chip} ({hardware or 'unknown'}), the model is for {target}",
            f"set compile.target_hardware: {hardware}" if hardware else "is this an AXERA board?",
        )
    if target.npu_mode != "NPU1" and facts.get("vnpu") == "enable":
        raise Refused(
            f"{name}: its NPU is split (vnpu enable), the model is for {target}",
            "set compile.npu_mode: NPU1, or turn the virtual NPU off on the board",
        )
    free = facts.get("disk_free_bytes")
    if isinstance(free, int) and needed_bytes * _DISK_MARGIN > free:
        raise Refused(
            f"{name}: {free / 1e6:.1f} MB of disk are free, {needed_bytes / 1e6:.1f} MB come",
            "free some room on the board, or set work_dir to a larger disk",
        )


def _upload(agent: Agent, item: Artifact, probe: Probe, blobs: Blobs) -> int:
    """Send what is missing of one blob; the agent verifies it when it is activated."""
    offset = probe.parts.get(item.sha256, 0)
    if offset > item.size_bytes:
        offset = 0
    path = f"{agent.board.work_dir.rstrip('/')}/incoming/{item.sha256}.part"
    deadline = _TRANSFER_START_S + item.size_bytes / _SLOWEST_BYTES_PER_S
    with blobs.open(item.sha256) as local:
        return agent.transport.put(local, path, offset, deadline_s=deadline)


def _activate(agent: Agent, release: Release) -> bool:
    """Have the release verified and made current; False where it was that already."""
    files: dict[str, Json] = {
        name: {"sha256": item.sha256, "size_bytes": item.size_bytes}
        for name, item in release.files.items()
    }
    manifest: dict[str, Json] = {
        "files": files,
        "target": str(release.target),
        "pulsar2_version": release.pulsar2_version,
        "simulated": release.simulated,
    }
    request: dict[str, Json] = {"release_id": release.release_id, "manifest": manifest}
    return agent.ask("activate", request).get("switched") is True
