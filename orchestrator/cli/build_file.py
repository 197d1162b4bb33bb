"""`orch build --config FILE`: an axmodel by a build config of one's own."""

from __future__ import annotations

import json as json_text
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.console import out, print_facts, print_json, progress
from orchestrator.cli.options import open_ledger
from orchestrator.cli.runs import ended, new_run, recorded
from orchestrator.errors import ConfigError
from orchestrator.explain import in_words
from orchestrator.file_build import build_files, open_file_build
from orchestrator.pulsar2.build_config import build_argv
from orchestrator.wiring import make_workshop, open_workplace

if TYPE_CHECKING:
    from orchestrator.actions import Workshop
    from orchestrator.domain import ActionRecord, Json
    from orchestrator.file_build import FileBuild
    from orchestrator.wiring import Workplace


#: As long as a recipe's build may take by default.
TIMEOUT_S = 7200.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that matter without a recipe."""

    inventory: Path | None
    fleet: str
    toolchain: str | None
    config: Path
    onnx: Path | None
    output: Path | None


def refuse_recipe_options(
    recipe: str | None, checkpoint: Path | None, calibration: Path | None, images: Path | None
) -> None:
    """Refuse what would be ignored. Raises ConfigError."""
    given = {
        "--recipe": recipe,
        "--checkpoint": checkpoint,
        "--calibration": calibration,
        "--images": images,
    }
    for option, value in given.items():
        if value is not None:
            message = f"{option} is for a recipe; here the build config names model and images"
            raise ConfigError(message, "leave it out; or give --recipe and leave out --onnx")


def build_file(asked: Asked, *, dry_run: bool, json: bool) -> None:
    """Build what a config file names, and print where the axmodel is."""
    place = open_workplace(asked.inventory)
    named = asked.toolchain or place.inventory.fleet(asked.fleet).toolchain
    with open_ledger(place, keep=not dry_run) as ledger, progress() as shown:
        shop = make_workshop(place, ledger, place.inventory.toolchain(named), shown)
        identity = shop.toolchain.identity()
        work = open_file_build(asked.config, asked.onnx, identity, TIMEOUT_S)
        for note in work.staged.notes:
            shown.event("compile", note)
        if dry_run:
            _print_plan(work, shop, json=json)
            return
        started = new_run("build", "-", work.name)
        with recorded(ledger, started) as ending:
            action, hit = build_files(work, shop, started.run_id)
            ending.run = ended(started, 0)
        if asked.output is not None:
            with shop.blobs.open(action.outputs["axmodel"].sha256) as path:
                shutil.copyfile(path, asked.output)
    _print_made(place, action, started.run_id, hit=hit, json=json)


def _print_plan(work: FileBuild, shop: Workshop, *, json: bool) -> None:
    """Print the very command and config, and what is copied to where."""
    staged, explained = work.staged, shop.cache.explain(work.wanted)
    files = {place: str(path) for place, path in work.files.items()}
    if json:
        plan: dict[str, Json] = {
            "argv": list(build_argv(staged.target)),
            "config": staged.config,
            "model": str(staged.model),
            "files": dict(files),
            "hit": explained.hit,
        }
        print_json(plan)
        return
    console = out()
    made_by = work.identity
    simulated = ", SIMULATED" if made_by.simulated else ""
    rows = [
        ("compile", in_words(explained)),
        ("toolchain", f"{made_by.name}: pulsar2 {made_by.version} ({made_by.commit}){simulated}"),
        ("model", str(staged.model)),
        *files.items(),
        ("command", " ".join(build_argv(staged.target))),
    ]
    print_facts(rows, console=console)
    console.print("config:", json_text.dumps(staged.config, indent=2), markup=False)
    console.print("nothing was touched")


def _print_made(
    place: Workplace, action: ActionRecord, run_id: str, *, hit: bool, json: bool
) -> None:
    item = action.outputs["axmodel"]
    path = f"{place.blobs_url}/{item.sha256[:2]}/{item.sha256}"
    if json:
        print_json(
            {
                "run_id": run_id,
                "key": action.key,
                "cached": hit,
                "seconds": action.seconds,
                "facts": dict(action.facts),
                "axmodel": {"sha256": item.sha256, "bytes": item.size_bytes, "path": path},
            }
        )
        return
    rows = [
        ("axmodel", str(action.facts.get("summary"))),
        ("sha256", item.sha256),
        ("bytes", f"{item.size_bytes:,}"),
        ("path", path),
        ("log", str(action.facts.get("log"))),
    ]
    print_facts(rows, console=out())
