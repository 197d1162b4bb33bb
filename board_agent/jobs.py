"""What `benchmark` and `infer` ask for, resolved against the current release."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from board_agent import files, release, request, store
from board_agent.errors import AgentError
from board_agent.request import ID, SHA256
from board_agent.store import Store

#: The field with what the work may take, in seconds.
LIMIT = "deadline_s"


class Asked(NamedTuple):
    """What was asked for; no `release_id` stands for the current release.

    Attributes:
        inputs: sha256 of blobs or of complete parts.
    """

    kind: str
    run_id: str
    release_id: str | None
    model: str
    inputs: list[str]
    warmup: int
    iterations: int
    deadline_s: float


class Job(NamedTuple):
    """Work for a worker; paths are absolute.

    Attributes:
        inputs: blobs; for a benchmark none or one.
        sidecar: as it lies in the release.
    """

    kind: str
    run_id: str
    model: str
    model_path: str
    sidecar: dict[str, Any]
    inputs: list[str]
    warmup: int
    iterations: int

    def blobs(self) -> tuple[str, ...]:
        """The blobs that it reads, by hash."""
        return (Path(self.model_path).name, *(Path(path).name for path in self.inputs))

    def sha256(self) -> str:
        """Tells the same request from another under the same run_id; deadlines do not count."""
        text = json.dumps(self._asdict(), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read(asked: dict[str, Any]) -> Asked:
    """Check a request of kind `benchmark` or `infer`."""
    benchmark = asked["kind"] == "benchmark"
    run_id = request.matching(asked, "run_id", ID)
    model = request.matching(asked, "model", request.FILE_NAME)
    if not benchmark:
        wanted = request.digests(asked, "inputs")
        if not wanted:
            raise request.refuse("inputs is empty")
    else:
        given = asked.get("input") is not None
        wanted = [request.matching(asked, "input", SHA256)] if given else []
    warmup = request.count(asked, "warmup", 0) if benchmark else 0
    iterations = request.count(asked, "iterations", 1) if benchmark else len(wanted)
    release_id, limit_s = request.optional(asked, "release_id", ID), request.seconds(asked, LIMIT)
    return Asked(asked["kind"], run_id, release_id, model, wanted, warmup, iterations, limit_s)


def resolve(asked: Asked, place: Store) -> Job:
    """Find the files of a job on the board; what was sent for it becomes blobs."""
    release_id = asked.release_id or store.release_at(place, "current")
    model_path, sidecar = _find_model(place, release_id, asked.model)
    inputs = [str(_find_input(place, sha256)) for sha256 in asked.inputs]
    return Job(
        asked.kind,
        asked.run_id,
        asked.model,
        str(model_path),
        sidecar,
        inputs,
        asked.warmup,
        asked.iterations,
    )


def _find_model(place: Store, release_id: str | None, model: str) -> tuple[Path, dict[str, Any]]:
    manifest = store.manifest_of(place, release_id) if release_id else None
    if manifest is None:
        missing = f"no release {release_id}" if release_id else "no release is activated"
        raise AgentError("NO_RELEASE", f"{place.work_dir}: {missing}")
    listed = {file.name: file for file in request.files(manifest)}
    paths, beside = [], Path(model).stem + ".json"
    for name in (model, beside):
        if name not in listed:
            has = ", ".join(listed)
            raise request.refuse(f"release {release_id} has no {name}, it has {has}")
        path = place.blob(listed[name].sha256)
        if files.size(path) != listed[name].size_bytes:
            raise AgentError("HASH_MISMATCH", f"{name}: its blob is gone or cut: activate again")
        paths.append(path)
    return paths[0], _read_sidecar(paths[1], beside)


def _read_sidecar(path: Path, name: str) -> dict[str, Any]:
    try:
        sidecar = json.loads(path.read_bytes().decode("utf-8"))
    except ValueError as error:
        raise request.refuse(f"{name} is no JSON: {error}") from error
    inputs = sidecar.get("inputs") if isinstance(sidecar, dict) else None
    if not isinstance(inputs, list) or not all(_is_spec(spec) for spec in inputs):
        raise request.refuse(f"{name} is no sidecar: its inputs lack name, dtype or shape")
    return dict(sidecar)


def _is_spec(spec: object) -> bool:
    return (
        isinstance(spec, dict)
        and isinstance(spec.get("name"), str)
        and isinstance(spec.get("dtype"), str)
        and isinstance(spec.get("shape"), list)
        and all(isinstance(axis, int) for axis in spec["shape"])
    )


def _find_input(place: Store, sha256: str) -> Path:
    blob = place.blob(sha256)
    if files.size(blob) is None:
        if files.size(place.part(sha256)) is None:
            raise AgentError(
                "HASH_MISMATCH",
                f"input {sha256}: neither a blob nor a part of it is on the board",
                {"sha256": sha256},
            )
        release.adopt(place, sha256, f"input {sha256}")
    return blob
