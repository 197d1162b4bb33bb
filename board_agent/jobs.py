"""What `benchmark` and `infer` ask for, resolved against the current release."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple, Sequence

from board_agent import files, release, request, store
from board_agent.beside import Beside, read_beside
from board_agent.errors import AgentError
from board_agent.request import ID, MAX_BLOCKS, SHA256
from board_agent.store import Store

#: The field with what the work may take, in seconds.
LIMIT = "deadline_s"


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        warmup: runs that do not count; None: until the drift is inside its bound.
        iterations: samples, at least so many where `min_duration_s` is set.
        blocks: at most so many; never more than iterations.
    """

    warmup: int | None
    iterations: int
    min_duration_s: float | None
    blocks: int

    def sizes(self) -> list[int]:
        """The samples that each block has at least."""
        blocks = min(self.blocks, self.iterations)
        whole, rest = divmod(self.iterations, blocks)
        return [whole + (1 if index < rest else 0) for index in range(blocks)]


class Asked(NamedTuple):
    """What was asked for; no `release_id` stands for the current release.

    Attributes:
        inputs: sha256 of blobs or of complete parts.
        beside: what runs at the same time, for `tool` and `contend`.
    """

    kind: str
    run_id: str
    release_id: str | None
    model: str
    inputs: list[str]
    plan: Plan
    deadline_s: float
    beside: Beside = Beside()


class Job(NamedTuple):
    """Work for a worker; paths are absolute.

    Attributes:
        inputs: blobs; for a benchmark none or one.
        sidecar: as it lies in the release.
        warmup, iterations, min_duration_s, blocks: as in a Plan.
        affinities: as in Beside.
        others: for `contend`, what the other processes run: `release_id`, `model_path`, `sidecar`.
    """

    kind: str
    run_id: str
    model: str
    model_path: str
    sidecar: dict[str, Any]
    inputs: list[str]
    warmup: int | None
    iterations: int
    min_duration_s: float | None
    blocks: int
    affinities: Sequence[int] = ()
    others: Sequence[dict[str, Any]] = ()

    @property
    def plan(self) -> Plan:
        """How much a benchmark measures."""
        return Plan(self.warmup, self.iterations, self.min_duration_s, self.blocks)

    def blobs(self) -> tuple[str, ...]:
        """The blobs that it reads, by hash."""
        paths = [self.model_path, *self.inputs, *(one["model_path"] for one in self.others)]
        return tuple(Path(path).name for path in paths)

    def sha256(self) -> str:
        """Tells the same request from another under the same run_id; deadlines do not count."""
        text = json.dumps(self._asdict(), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def read(asked: dict[str, Any]) -> Asked:
    """Check a request of kind `benchmark`, `infer`, `tool` or `contend`."""
    benchmark = asked["kind"] != "infer"
    run_id = request.matching(asked, "run_id", ID)
    model = request.matching(asked, "model", request.FILE_NAME)
    if not benchmark:
        wanted = request.digests(asked, "inputs")
        if not wanted:
            raise request.refuse("inputs is empty")
    else:
        given = asked.get("input") is not None
        wanted = [request.matching(asked, "input", SHA256)] if given else []
    release_id, limit_s = request.optional(asked, "release_id", ID), request.seconds(asked, LIMIT)
    plan = _read_plan(asked, limit_s) if benchmark else Plan(0, len(wanted), None, 1)
    beside = read_beside(asked)
    return Asked(asked["kind"], run_id, release_id, model, wanted, plan, limit_s, beside)


def _read_plan(asked: dict[str, Any], limit_s: float) -> Plan:
    warmup = None if asked.get("warmup") is None else request.count(asked, "warmup", 0)
    blocks = 1 if asked.get("blocks") is None else request.count(asked, "blocks", 1)
    lasts_s = None
    if asked.get("min_duration_s") is not None:
        lasts_s = request.seconds(asked, "min_duration_s")
        if lasts_s >= limit_s:
            message = f"min_duration_s is {lasts_s:g}, not below {LIMIT}, which is {limit_s:g}"
            raise request.refuse(message)
    if blocks > MAX_BLOCKS:
        raise request.refuse(f"blocks is {blocks}, at most {MAX_BLOCKS} are measured")
    return Plan(warmup, request.count(asked, "iterations", 1), lasts_s, blocks)


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
        *asked.plan,
        asked.beside.affinities,
        [_other(place, one or release_id, asked.model) for one in asked.beside.others],
    )


def _other(place: Store, release_id: str | None, model: str) -> dict[str, Any]:
    model_path, sidecar = _find_model(place, release_id, model)
    return {"release_id": release_id, "model_path": str(model_path), "sidecar": sidecar}


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
