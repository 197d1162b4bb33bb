"""What `orch deploy` and `orch run` were asked for, kept with the run so that it can go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.contending import contend_of
from orchestrator.cli.options import Job, open_fleet_job
from orchestrator.cli.runs import new_run
from orchestrator.domain import Again, Contend, Json
from orchestrator.errors import ConfigError
from orchestrator.hashing import as_json
from orchestrator.overrides import Overrides

if TYPE_CHECKING:
    from orchestrator.domain import RunRecord


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was asked for: kept with its run, so that the run can go on after a break."""

    fleet: str
    recipe: str | None
    toolchain: str | None
    overrides: Overrides
    limit: str | None = None
    exclude: str | None = None
    ignore_learned: bool = False
    no_measure: bool = False
    again: Again = field(default_factory=Again)
    contend: Contend | None = None

    def job(self, inventory: Path | None) -> Job:
        """Check it against recipe and inventory. Raises ConfigError."""
        return open_fleet_job(
            inventory,
            self.fleet,
            self.recipe,
            self.toolchain,
            self.overrides,
            self.limit,
            self.exclude,
        )

    def new_run(self, command: str, job: Job) -> RunRecord:
        """Name a run that starts now."""
        run = new_run(command, job.fleet.name, job.recipe.name)
        over = self.overrides
        whole = Overrides(
            _whole(over.checkpoint), _whole(over.calibration), _whole(over.images), over.iterations
        )
        return replace(run, summary={"asked": as_json(replace(self, overrides=whole))})


def asked_of(run: RunRecord) -> Asked:
    """Read what `Asked.new_run` has written. Raises ConfigError where there is nothing of it."""
    kept = run.summary.get("asked")
    if not isinstance(kept, dict) or run.command not in {"deploy", "run"}:
        raise ConfigError(f"run {run.run_id} is no deploy that can go on", "start a new one")
    over = kept.get("overrides")
    folders = over if isinstance(over, dict) else {}
    texts = {name: value for name, value in (kept | folders).items() if isinstance(value, str)}
    iterations = folders.get("iterations")
    overrides = Overrides(
        _path(texts, "checkpoint"),
        _path(texts, "calibration"),
        _path(texts, "images"),
        iterations if isinstance(iterations, int) else None,
    )
    return Asked(
        texts["fleet"],
        texts.get("recipe"),
        texts.get("toolchain"),
        overrides,
        texts.get("limit"),
        texts.get("exclude"),
        ignore_learned=kept.get("ignore_learned") is True,
        no_measure=kept.get("no_measure") is True,
        again=_again(kept.get("again")),
        contend=contend_of(kept.get("contend")),
    )


def _again(kept: Json) -> Again:
    """Read how often a measurement is repeated; an older run says nothing of it."""
    known = kept if isinstance(kept, dict) else {}
    times, cool_to_c = known.get("times"), known.get("cool_to_c")
    return Again(
        times if isinstance(times, int) else 0,
        float(cool_to_c) if isinstance(cool_to_c, int | float) else None,
    )


def _path(texts: Mapping[str, str], name: str) -> Path | None:
    return Path(texts[name]) if name in texts else None


def ask(
    fleet: str | None, recipe: str | None, toolchain: str | None, overrides: Overrides
) -> Asked:
    """Keep what the options say. Raises ConfigError where no fleet is named."""
    if fleet is None:
        raise ConfigError("no fleet is named", "name one with --fleet, or a run with --resume")
    return Asked(fleet, recipe, toolchain, overrides)


def repeat(until_valid: int | None, cool_to: float | None) -> Again:
    """Keep what the options say of measuring again. Raises ConfigError."""
    if cool_to is not None and until_valid is None:
        raise ConfigError(
            f"--cool-to {cool_to:g} is about measuring again, and nothing is to be",
            "say how often at most: --until-valid 3",
        )
    return Again(until_valid or 0, cool_to)


def _whole(folder: Path | None) -> Path | None:
    """Give its whole path: a run may be gone on with from another folder."""
    return None if folder is None else folder.absolute()
