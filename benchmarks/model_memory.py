"""Seconds and peak memory of export and optimize at the true sizes, each model in its own process.

    python -m benchmarks.model_memory [--images 1] [--timeout 1800] [MODEL …]

Weights are random, architectures and input sizes those of the recipes. Both stages run in one
process one after the other, as `orch build` runs them; a child that ends reports its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import architectures

#: What a host that builds is taken to have.
LIMIT_MB = 12 * 1024


@dataclass(frozen=True, slots=True)
class Case:
    """A recipe and the config of its checkpoint."""

    recipe: str
    config: Callable[[], object]


CASES = {
    **{
        f"segformer-{size}": Case(
            f"segformer-{size}-cityscapes-1024x1024",
            lambda size=size: architectures.segformer(size, 19),  # type: ignore[misc]
        )
        for size in ("b0", "b1", "b2", "b3", "b4", "b5")
    },
    "dinov2-large": Case("dinov2-large-518", lambda: architectures.dinov2("large")),
    "depth-anything": Case("depth-anything-v2-small-518", architectures.depth_anything),
}


def main() -> int:
    """Print the table; 1 when a model takes more than the limit."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(CASES)}")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=1800.0)
    parser.add_argument("--child", metavar="FOLDER", type=Path)
    asked = parser.parse_args()
    if asked.child is not None:
        return _child(asked.models[0], asked.child, asked.images)
    print("| model | input | parameters M | stage | seconds | peak MB |")
    print("| --- | --- | ---: | --- | ---: | ---: |")
    worst = 0
    for model in asked.models or CASES:
        with tempfile.TemporaryDirectory() as folder:
            worst = max(worst, _measure(model, Path(folder), asked.images, asked.timeout))
    print(f"\n{asked.images} image each, the limit is {LIMIT_MB:,} MB, {os.cpu_count()} cores")
    return int(worst > LIMIT_MB)


def _measure(model: str, folder: Path, images: int, timeout_s: float) -> int:
    """Print the lines of one model; give its peak in MB."""
    argv = [sys.executable, "-m", "benchmarks.model_memory", model, "--child", str(folder)]
    argv += ["--images", str(images)]
    for first in ("checkpoint", "stages"):
        done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=timeout_s, check=True)
        if first == "checkpoint":
            parameters = json.loads(done.stdout)["parameters"]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        shape = "x".join(map(str, line["shape"][2:]))
        numbers = f"{line['seconds']:.1f} | {line['peak_mb']:,}"
        print(f"| {model} | {shape} | {parameters / 1e6:.1f} | {line['stage']} | {numbers} |")
    sys.stdout.flush()
    return max(int(line["peak_mb"]) for line in lines)


def _child(model: str, folder: Path, images: int) -> int:
    """Write the checkpoint where there is none yet; else run both stages on it."""
    from orchestrator.recipe import load_recipe

    case, checkpoint = CASES[model], folder / "checkpoint"
    recipe = load_recipe(case.recipe)
    if not checkpoint.exists():
        written = architectures.write_checkpoint(case.config(), recipe.checkpoint.task, checkpoint)
        size = sum(path.stat().st_size for path in written.glob("*.safetensors"))
        print(json.dumps({"parameters": size // 4}))
        return 0
    from orchestrator.images import load_images
    from orchestrator.stages.export import export
    from orchestrator.stages.optimize import optimize

    _, _, height, width = recipe.export.shape
    scenes = replace(recipe.evaluation, generator="street-scenes", count=images)
    looked_at = list(load_images(scenes, "evaluation", height, width))
    places = [folder / name for name in ("exported", "optimized")]
    for place in places:
        place.mkdir()
    begin = time.perf_counter()
    exported = export(recipe, checkpoint, looked_at, places[0])
    _report("export", recipe.export.shape, begin)
    begin = time.perf_counter()
    optimize(recipe, exported.path, looked_at, images, places[1])
    _report("optimize", recipe.export.shape, begin)
    return 0


def _report(stage: str, shape: tuple[int, ...], begin: float) -> None:
    peak = _peak_mb()
    seconds = time.perf_counter() - begin
    print(json.dumps({"stage": stage, "shape": shape, "seconds": seconds, "peak_mb": peak}))
    sys.stdout.flush()
    _forget_peak()


def _peak_mb() -> int:
    """Give the most memory that this process has had since the peak was forgotten."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def _forget_peak() -> None:
    """Begin anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    sys.exit(main())
