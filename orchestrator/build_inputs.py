"""What goes into a build beside the model, and what goes with the axmodel to a board."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from orchestrator.domain import AxmodelHeader, Json, Recipe, Task
from orchestrator.images import NamedImage, normalise

#: What an output without a head is, in a sidecar.
MEANINGS: dict[Task, str] = {
    "semantic-segmentation": "logits",
    "image-classification": "logits",
    "depth-estimation": "depth",
    "image-feature-extraction": "features",
}


def write_calibration(recipe: Recipe, images: Iterable[NamedImage], archive: Path) -> int:
    """Write the normalised arrays as .npy files at the root of a tar; give their number."""
    count = 0
    staging = archive.with_name("sample.npy")
    with tarfile.open(archive, "w") as tar:
        for image in images:
            np.save(staging, normalise(image.pixels, recipe.preprocess))
            entry = tarfile.TarInfo(f"{count:05d}.npy")
            entry.size = staging.stat().st_size
            with staging.open("rb") as stream:
                tar.addfile(entry, stream)
            count += 1
    staging.unlink(missing_ok=True)
    return count


def sidecar_of(recipe: Recipe, header: AxmodelHeader) -> dict[str, Json]:
    """Say what cannot be read from an axmodel on a board (docs/reference/agent-protocol.md)."""
    how = recipe.preprocess
    meaning = "class ids" if recipe.head.op == "argmax" else MEANINGS[recipe.checkpoint.task]
    return {
        "version": 1,
        "model": "model.axmodel",
        "target": {"hardware": header.target.hardware, "npu_mode": header.target.npu_mode},
        "pulsar2": {"version": header.pulsar2_version, "commit": header.pulsar2_commit},
        "simulated": header.simulated,
        "inputs": [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "layout": header.layouts.get(tensor.name, "NHWC"),
                "colour": how.colour,
                "mean": list(how.mean),
                "std": list(how.std),
            }
            for tensor in header.inputs
        ],
        "outputs": [
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "meaning": meaning,
            }
            for tensor in header.outputs
        ],
    }
