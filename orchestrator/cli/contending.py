"""`orch run --contend`: who is to share the NPU with the release that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain import Contend, Json
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.backends.sql_ledger import SqlLedger

#: The agent starts no more at once.
MOST = 8
#: A mask of three cores.
_MOST_MASK = 7
_SHOWN = 5

ContendOption = Annotated[
    int | None,
    typer.Option(
        "--contend",
        metavar="N",
        min=2,
        max=MOST,
        help="Measure N processes at once as well, and each alone.",
    ),
]
ContendWithOption = Annotated[
    str | None,
    typer.Option(
        "--contend-with",
        metavar="RELEASE",
        help="The others run this release, or the newest of this recipe.",
    ),
]
AffinityOption = Annotated[
    str | None,
    typer.Option(
        "--affinity",
        metavar="MASKS",
        help="NPU cores of each process, by ax_run_model: 1,2,4.",
    ),
]


def company(processes: int | None, release: str | None, affinity: str | None) -> Contend | None:
    """Read the options. Raises ConfigError where they do not fit together."""
    masks = () if affinity is None else _masks(affinity)
    if processes is None and release is None and not masks:
        return None
    if masks and release is not None:
        raise ConfigError(
            "--affinity and --contend-with cannot be had together",
            "ax_run_model, which sets the cores, is started with the one release only",
        )
    count = processes or len(masks) or 2
    if masks and len(masks) != count:
        raise ConfigError(
            f"--affinity has {len(masks)} masks for {count} processes", "give one for each"
        )
    if count == 1:
        raise ConfigError("--affinity has one mask", "one process has nobody to contend with")
    return Contend(count, release, masks)


def found_company(asked: Contend | None, ledger: SqlLedger) -> Contend | None:
    """Give it with the release that `--contend-with` means. Raises ConfigError: there is none."""
    if asked is None or asked.release_id is None:
        return asked
    releases = ledger.kept_releases()
    for one in releases:
        if asked.release_id in {one.release_id, one.recipe}:
            return replace(asked, release_id=one.release_id)
    known = ", ".join(one.release_id for one in releases[:_SHOWN]) or "none yet: orch deploy"
    raise ConfigError(
        f"--contend-with {asked.release_id}: neither a release nor a recipe that was deployed",
        f"last used: {known}",
    )


def contend_of(kept: Json) -> Contend | None:
    """Read what a run has kept of it."""
    if not isinstance(kept, dict):
        return None
    processes, release, masks = (kept[name] for name in ("processes", "release_id", "affinities"))
    if not isinstance(processes, int) or not isinstance(masks, list):
        return None
    affinities = tuple(mask for mask in masks if isinstance(mask, int))
    return Contend(processes, release if isinstance(release, str) else None, affinities)


def _masks(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.strip().isdecimal() and 1 <= int(word) <= _MOST_MASK for word in words):
        raise ConfigError(
            f"--affinity {text}: masks are numbers from 1 to {_MOST_MASK} with commas between",
            "1, 2 and 4 are the single cores, 7 is all three",
        )
    return tuple(int(word) for word in words)
