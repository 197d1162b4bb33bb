"""What is kept for the next time: finished actions, releases and blobs."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.basic import Artifact
from orchestrator.domain.found import ActionRecord


@dataclass(frozen=True, slots=True)
class KeptAction:
    """A finished action; `used_at` is its newest hit, or when it was made."""

    action: ActionRecord
    used_at: str


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """What a release was put together from, so that none of it is thrown away under it.

    Attributes:
        keys: of the actions that made it.
        inputs: the evaluation set as a board is fed it.
        used_at: when a build last ended with this release.
    """

    release_id: str
    recipe: str
    keys: tuple[str, ...]
    inputs: tuple[Artifact, ...]
    used_at: str


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A whole blob as it is stored; `modified` is in seconds since the epoch."""

    sha256: str
    size_bytes: int
    modified: float
