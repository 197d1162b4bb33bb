"""What a deploy or build would do."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping, Sequence

from orchestrator.building import find_sources
from orchestrator.cache import Cache, Explanation
from orchestrator.cli.board_plan import plan_boards, print_planned
from orchestrator.cli.console import out, print_json, print_table
from orchestrator.cli.options import Job, open_ledger
from orchestrator.domain import Json, ToolchainIdentity
from orchestrator.explain import explain_stages, in_words
from orchestrator.hashing import as_json
from orchestrator.pulsar2.build_config import build_argv, build_config
from orchestrator.wiring import make_toolchain

_STAGES = ("export", "optimize", "compile", "check")


def print_plan(
    job: Job, *, json: bool, ask_boards: bool = False, ignore_learned: bool = False
) -> None:
    """Print which stages would run and why, the very build command, and the boards.

    With `ask_boards`, and where nothing is left to be built, what would be done on each of them.
    """
    sources = find_sources(job.recipe, make_toolchain(job.toolchain, job.place.home))
    with open_ledger(job.place, keep=False) as ledger:
        cache = Cache(ledger, job.place.blobs(), job.place.home / "work")
        explained = {one.stage: one for one in explain_stages(job.recipe, sources, cache)}
    made_by, argv = sources.toolchain, build_argv(job.recipe.compile.target)
    config = build_config(job.recipe, made_by.version)
    stages = {stage: _words(explained.get(stage)) for stage in _STAGES}
    planned = plan_boards(job, sources, ignore_learned=ignore_learned) if ask_boards else ()
    boards = [(board.name, board.address) for board in job.fleet.boards]
    if json:
        print_json(
            {
                "recipe": job.recipe.name,
                "fleet": job.fleet.name,
                "toolchain": as_json(made_by),
                "stages": dict(stages),
                "argv": list(argv),
                "config": config,
                "boards": dict(boards),
                "plan": {name: as_json(one) for name, one in planned},
            }
        )
        return
    console = out()
    print_table(f"Plan for {job.recipe.name}", ("stage", ""), list(stages.items()), console=console)
    _print_command(made_by, argv, config)
    if planned:
        print_planned(planned)
        console.print("nothing was built, copied or switched")
    else:
        print_table(f"Fleet {job.fleet.name}", ("board", "address"), boards, console=console)
        console.print("nothing was touched; boards were not asked")


def _print_command(
    made_by: ToolchainIdentity, argv: Sequence[str], config: Mapping[str, Json]
) -> None:
    console, simulated = out(), ", SIMULATED" if made_by.simulated else ""
    console.print(
        f"toolchain {made_by.name}: pulsar2 {made_by.version} ({made_by.commit}){simulated}"
    )
    console.print(f"command: {' '.join(argv)}", markup=False, soft_wrap=True)
    console.print("config:", json_text.dumps(config, indent=2), markup=False)


def _words(explanation: Explanation | None) -> str:
    return in_words(explanation) if explanation else "follows: an earlier stage has to run first"
