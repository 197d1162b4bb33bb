"""Blobs and releases under work_dir: what is there, and which release is the current one."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from board_agent import files, request
from board_agent.errors import AgentError
from board_agent.protocol import token_name

#: More than these a host is not told of; the newest come first.
_MAX_LISTED = 500
_PART = re.compile(r"[0-9a-f]{64}\.part")


class Store(NamedTuple):
    """The folders of one work_dir; parts are those that were sent under `token`."""

    work_dir: Path
    token: int | None = None

    def path(self, *names: str) -> Path:
        """A path under work_dir."""
        return self.work_dir.joinpath(*names)

    def blob(self, sha256: str) -> Path:
        """Where a complete blob lies."""
        return self.path("blobs", sha256)

    def incoming(self, token: int | None) -> Path:
        """Where the host leaves what it sends under a token; 0 is nobody's."""
        return self.path("incoming", token_name(token or 0))

    def part(self, sha256: str) -> Path:
        """Where the host leaves what it sends."""
        return self.incoming(self.token) / (sha256 + ".part")


def survey(store: Store, wanted: list[str]) -> dict[str, Any]:
    """What `probe` tells of the disk; changes nothing."""
    have = files.sizes(store.path("blobs"))
    sent = files.sizes(store.incoming(store.token))
    parts = {name[:64]: size for name, size in sent.items() if _PART.fullmatch(name)}
    return {
        "blobs": {sha256: have[sha256] for sha256 in wanted if sha256 in have},
        "parts": dict(itertools.islice(parts.items(), _MAX_LISTED)),
        "have": dict(itertools.islice(have.items(), _MAX_LISTED)),
        "releases": releases(store)[:_MAX_LISTED],
        "current": release_at(store, "current"),
        "previous": release_at(store, "previous"),
    }


def releases(store: Store) -> list[str]:
    """The ids of all releases with a sound manifest, the newest first."""
    found = []
    for release_id in files.names(store.path("releases")):
        if manifest_of(store, release_id) is not None:
            path = store.path("releases", release_id, "manifest.json")
            found.append((path.stat().st_mtime_ns, release_id))
    return [release_id for _, release_id in sorted(found, reverse=True)]


def release_at(store: Store, link: str) -> str | None:
    """The id of the release that `current` or `previous` points to."""
    try:
        folder, release_id = os.path.split(os.readlink(store.path(link)))
    except OSError:
        return None
    return release_id if folder == "releases" and request.ID.fullmatch(release_id) else None


def manifest_of(store: Store, release_id: str) -> dict[str, Any] | None:
    """The manifest of a release; None where there is no sound one."""
    try:
        data = store.path("releases", release_id, "manifest.json").read_bytes()
        manifest = json.loads(data.decode("utf-8"))
        request.files(manifest)
    except (OSError, ValueError, AttributeError, AgentError):
        return None
    return manifest if isinstance(manifest, dict) else None
