"""A release made of one file, brought to a fleet by the product's own deploy stage.

argv: inventory, file or `-`, hosts at once. What `orch deploy` does beside this, the measuring on
the boards, has no counterpart in the peers.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from orchestrator.agent import Agent, AgentProgram, load_agent
from orchestrator.domain import Artifact, Board, Release, Target
from orchestrator.leases import leased, owner_of
from orchestrator.parallel import AtOnce, Failed
from orchestrator.seams import Connect
from orchestrator.stages.deploy import Means, deploy, is_there
from orchestrator.wiring import make_connect, make_engine, open_workplace


def release_of(item: Artifact) -> Release:
    return Release(
        release_id=f"bench-{item.sha256[:12]}",
        files={"model.axmodel": item},
        target=Target("AX650", "NPU3"),
        pulsar2_version="5.2",
        simulated=True,
        inputs=(),
    )


def bring(
    board: Board,
    connect: Connect,
    program: AgentProgram,
    release: Release,
    means_of: Callable[[], Means],
) -> int:
    with connect(board) as transport:
        agent = Agent(board, transport, program)
        if is_there(agent, release):
            return 0
        wanted = [item.sha256 for item in release.files.values()]
        with leased(agent, owner_of("benchmark"), wanted) as probe:
            return deploy(agent, probe, release, means_of()).uploaded_bytes


def main() -> int:
    """Print a line for each board that has it, and the bytes; 1 when one has not."""
    inventory, file, at_once = sys.argv[1:]
    place = open_workplace(Path(inventory))
    blobs = place.blobs()
    release = release_of(blobs.put(Path(file), "model.axmodel"))
    connect, program, failed = make_connect(place), load_agent(), 0
    boards = place.inventory.fleet("bench").boards

    @cache
    def means() -> Means:
        from orchestrator.transfer.encoding import Encoder
        from orchestrator.transfer.payloads import Payloads

        return Means(Encoder(blobs, Payloads(place.home / "payloads")), last=True)

    def work(board: Board) -> int:
        return bring(board, connect, program, release, means)

    for result in make_engine(None).map(work, boards, AtOnce(int(at_once))):
        if isinstance(result, Failed):
            failed += 1
            print(f"failed {result.item.host}: {result.error}", flush=True)
        else:
            print(f"done {result.item.host} {result.value} bytes", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    ended = main()
    gc.freeze()  # as `orch` does
    sys.exit(ended)
