"""Blobs and releases under work_dir: what is there, and which release is the current one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from board_agent import files, request
from board_agent.errors import AgentError
from board_agent.request import File


class Store(NamedTuple):
    """The folders of one work_dir."""

    work_dir: Path

    def path(self, *names: str) -> Path:
        """A path under work_dir."""
        return self.work_dir.joinpath(*names)

    def blob(self, sha256: str) -> Path:
        """Where a complete blob lies."""
        return self.path("blobs", sha256)

    def part(self, sha256: str) -> Path:
        """Where the host leaves what it sends."""
        return self.path("incoming", sha256 + ".part")


def survey(store: Store, wanted: list[str]) -> dict[str, Any]:
    """What `probe` tells of the disk; changes nothing."""
    blobs = {sha256: files.size(store.blob(sha256)) for sha256 in wanted}
    parts = {sha256: files.size(store.part(sha256)) for sha256 in wanted}
    return {
        "blobs": {sha256: size for sha256, size in blobs.items() if size is not None},
        "parts": {sha256: size for sha256, size in parts.items() if size is not None},
        "current": release_at(store, "current"),
        "previous": release_at(store, "previous"),
    }


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


def activate(store: Store, release_id: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Verify every blob of the manifest and make the release the current one."""
    files.make_dir(store.work_dir)
    with files.locked(store.path("lock")):
        for file in request.files(manifest):
            complete(store, file)
        known = manifest_of(store, release_id)
        if known is None:
            _write_manifest(store, release_id, manifest)
        elif request.files(known) != request.files(manifest):
            raise request.refuse(f"release {release_id} is on the board with other files")
        before = release_at(store, "current")
        if before == release_id:
            return _state(store, switched=False)
        if before is not None:
            # First: after a crash in between, `current` still is the one before.
            files.point(store.path("previous"), f"releases/{before}")
        files.point(store.path("current"), f"releases/{release_id}")
        return _state(store, switched=True)


def rollback(store: Store, expected: str | None) -> dict[str, Any]:
    """Swap `current` and `previous`; leave them where `current` is not the expected one."""
    if not store.work_dir.is_dir():
        raise AgentError("NO_RELEASE", f"{store.work_dir}: there is no such folder")
    with files.locked(store.path("lock")):
        current, previous = release_at(store, "current"), release_at(store, "previous")
        if expected is not None and current != expected:
            return _state(store, switched=False)
        manifest = manifest_of(store, previous) if previous else None
        if previous is None or manifest is None:
            raise AgentError("NO_RELEASE", f"{store.work_dir}: no release before {current}")
        for file in request.files(manifest):
            complete(store, file)
        # First: after a crash in between, the step back is made.
        files.point(store.path("current"), f"releases/{previous}")
        if current is not None:
            files.point(store.path("previous"), f"releases/{current}")
        return _state(store, switched=current != previous)


def complete(store: Store, file: File) -> None:
    """Make sure that a blob is there and intact, from what was sent where need be."""
    blob = store.blob(file.sha256)
    if files.size(blob) is not None:
        if files.sha256(blob) == file.sha256:
            return _check_size(file, blob.stat().st_size)
        files.remove(blob)  # it was sound when it got its name: the disk let it rot
    part = files.size(store.part(file.sha256))
    if part is None:
        raise _mismatch(file, f"{file.name}: neither a blob nor a part of it is on the board", None)
    if part < file.size_bytes:  # kept: the host may send the rest
        raise _mismatch(file, f"{file.name}: {part} of {file.size_bytes} bytes arrived", part)
    adopt(store, file.sha256, file.name)
    return _check_size(file, part)


def adopt(store: Store, sha256: str, name: str) -> None:
    """Give what was sent its name under blobs/, once the disk is seen to hold it."""
    part = store.part(sha256)
    found = files.sha256(part)
    if found != sha256:
        files.remove(part)
        raise AgentError(
            "HASH_MISMATCH",
            f"{name}: the sha256 of what arrived is {found}, not {sha256}",
            {"sha256": sha256, "found_sha256": found},
        )
    files.make_dir(store.path("blobs"))
    files.rename(part, store.blob(sha256))


def _check_size(file: File, found: int) -> None:
    if found != file.size_bytes:
        raise request.refuse(
            f"manifest.files.{file.name}.size_bytes is {file.size_bytes}, the blob has {found}"
        )


def _mismatch(file: File, message: str, found: int | None) -> AgentError:
    details = {"sha256": file.sha256, "size_bytes": file.size_bytes, "found_bytes": found}
    return AgentError("HASH_MISMATCH", message, details)


def _write_manifest(store: Store, release_id: str, manifest: dict[str, Any]) -> None:
    folder = store.path("releases", release_id)
    files.make_dir(folder)
    data = json.dumps(manifest, indent=1, sort_keys=True).encode("utf-8")
    files.write(folder / "manifest.json", data)


def _state(store: Store, *, switched: bool) -> dict[str, Any]:
    return {
        "current": release_at(store, "current"),
        "previous": release_at(store, "previous"),
        "switched": switched,
    }
