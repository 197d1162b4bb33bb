"""Releases: verified blobs and a manifest, and the link that says which one is the current."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, Sequence

from board_agent import files, request, unpack
from board_agent.errors import AgentError
from board_agent.request import File, Unpack
from board_agent.store import Store, manifest_of, release_at


class Plan(NamedTuple):
    """A release as it was asked for."""

    release_id: str
    manifest: dict[str, Any]
    unpacks: Sequence[Unpack]


def read(asked: dict[str, Any]) -> Plan:
    """The release in a request of kind `stage` or `activate`."""
    release_id = request.matching(asked, "release_id", request.ID)
    return Plan(release_id, request.manifest(asked), request.unpacks(asked))


def stage(store: Store, plan: Plan) -> dict[str, Any]:
    """Verify every blob of the manifest and write it down; `current` stays where it is."""
    how = {item.sha256: item for item in plan.unpacks}
    listed = request.files(plan.manifest)
    for file in listed:
        complete(store, file, how.get(file.sha256))
    for item in plan.unpacks:  # what is no file of the release: the inputs it is run with
        if item.sha256 not in {file.sha256 for file in listed}:
            complete(store, File(item.sha256, item.sha256, item.size_bytes), item)
    # Whoever gave a blob its name may have been killed before this.
    files.sync_dir(store.path("blobs"))
    known = manifest_of(store, plan.release_id)
    if known is not None and request.files(known) != listed:
        raise request.refuse(f"release {plan.release_id} is on the board with other files")
    _write_manifest(store, plan, known)
    return _state(store, switched=False)


def activate(store: Store, plan: Plan) -> dict[str, Any]:
    """Stage a release and make it the current one."""
    stage(store, plan)
    before = release_at(store, "current")
    if before == plan.release_id:
        return _unchanged(store)
    if before is not None:
        # First: after a crash in between, `current` still is the one before.
        files.point(store.path("previous"), f"releases/{before}")
    files.point(store.path("current"), f"releases/{plan.release_id}")
    return _state(store, switched=True)


def rollback(store: Store, expected: str | None) -> dict[str, Any]:
    """Swap `current` and `previous`; leave them where `current` is not the expected one."""
    current, previous = release_at(store, "current"), release_at(store, "previous")
    if expected is not None and current != expected:
        return _unchanged(store)
    manifest = manifest_of(store, previous) if previous else None
    if previous is None or manifest is None:
        raise AgentError("NO_RELEASE", f"{store.work_dir}: no release before {current}")
    for file in request.files(manifest):
        complete(store, file, None)
    # First: after a crash in between, the step back is made.
    files.point(store.path("current"), f"releases/{previous}")
    if current is not None:
        files.point(store.path("previous"), f"releases/{current}")
    return _state(store, switched=current != previous)


def complete(store: Store, file: File, how: Unpack | None) -> None:
    """Make sure that a blob is there and intact, from what was sent where need be."""
    blob = store.blob(file.sha256)
    if files.size(blob) is not None:
        if files.sha256(blob) == file.sha256:
            return _check_size(file, blob.stat().st_size)
        files.remove(blob)  # it was sound when it got its name: the disk let it rot
    if how is not None and how.encoding != "raw":
        unpack.unpack(store, how, file.name)
        return _check_size(file, blob.stat().st_size)
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


def _write_manifest(store: Store, plan: Plan, known: dict[str, Any] | None) -> None:
    folder = store.path("releases", plan.release_id)
    files.make_dir(folder)
    if known is not None:
        return files.sync_dir(folder)
    data = json.dumps(plan.manifest, indent=1, sort_keys=True).encode("utf-8")
    return files.write(folder / "manifest.json", data)


def _unchanged(store: Store) -> dict[str, Any]:
    # Whoever switched may have been killed before this, and what is told here has to last.
    files.sync_dir(store.work_dir)
    return _state(store, switched=False)


def _state(store: Store, *, switched: bool) -> dict[str, Any]:
    return {
        "current": release_at(store, "current"),
        "previous": release_at(store, "previous"),
        "switched": switched,
    }
