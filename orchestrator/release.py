"""What is deployed: a name that follows from the files, and the evaluation set beside them."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from orchestrator.domain import ActionRecord, Artifact, Json, Recipe, Release, Target
from orchestrator.hashing import sha256_json
from orchestrator.images import NamedImage, load_images, runtime_input
from orchestrator.seams import Blobs


def evaluation_images(recipe: Recipe, most: int | None = None) -> list[NamedImage]:
    """Give the evaluation images at the model's size, the first of them where `most` says so."""
    _, _, height, width = recipe.export.shape
    source = recipe.evaluation
    if most is not None:
        source = replace(source, count=min(source.count, most))
    return list(load_images(source, "evaluation", height, width, recipe.preprocess))


def make_release(recipe: Recipe, compiled: ActionRecord, inputs: tuple[Artifact, ...]) -> Release:
    """Name what is deployed: its id follows from the hashes of its files."""
    files = {
        "model.axmodel": compiled.outputs["axmodel"],
        "model.json": compiled.outputs["sidecar"],
    }
    content: Json = {name: item.sha256 for name, item in files.items()}
    facts = compiled.facts
    return Release(
        release_id=f"{recipe.name}-{sha256_json(content)[:12]}",
        files=files,
        target=Target(str(facts["hardware"]), str(facts["npu_mode"])),
        pulsar2_version=str(facts["pulsar2_version"]),
        simulated=facts["simulated"] is True,
        inputs=inputs,
    )


def keep_inputs(recipe: Recipe, blobs: Blobs) -> tuple[Artifact, ...]:
    """Keep each evaluation image as the bytes that a board is fed."""
    kept = []
    with tempfile.TemporaryDirectory() as folder:
        for image in evaluation_images(recipe):
            content = runtime_input(image.pixels, recipe.preprocess).tobytes()
            sha256 = hashlib.sha256(content).hexdigest()
            if blobs.has(sha256):
                kept.append(Artifact(sha256, len(content), f"{image.name}.bin"))
                continue
            path = Path(folder) / f"{image.name}.bin"
            path.write_bytes(content)
            kept.append(blobs.put(path, path.name))
    return tuple(kept)
