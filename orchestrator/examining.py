"""Questions to a compiled model, on this host and on boards: its layers, its colours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orchestrator.actions import Workshop
from orchestrator.building import Built, build
from orchestrator.checkpoint import find_checkpoint
from orchestrator.colour_check import (
    FEEDS,
    Colours,
    Feed,
    coded_picture,
    feeds,
    float_feeds,
    gaps,
    idle_formats,
    judge_colours,
)
from orchestrator.divergence import TensorDifference, compare_tensors, in_graph_order
from orchestrator.domain import Artifact, Preprocess, Recipe, Release
from orchestrator.images import normalise, runtime_input
from orchestrator.onnx_graph import run_all
from orchestrator.pulsar2.build_config import build_config
from orchestrator.release import evaluation_images
from orchestrator.seams import Bench
from orchestrator.simulating import Tensors, simulate
from orchestrator.tasks import Answer, output_name, task_of
from orchestrator.trained_preprocess import preprocess_warnings, trained_preprocess

#: Of these many evaluation images the colours are looked at, beside the coded picture.
_SCENES = 2
#: A release's name is that of its recipe and twelve digits; a board takes 128 letters.
_MOST_NAME = 57


@dataclass(frozen=True, slots=True)
class Layers:
    """A model whose inner tensors are outputs, and what `pulsar2 run` says of one image.

    Attributes:
        recipe: with the layers that were built.
        release: with that one image.
        names: of all outputs, in the graph's order.
        simulated: what `pulsar2 run` gave.
        quantized: `pulsar2 run` against the float model.
    """

    recipe: Recipe
    release: Release
    names: tuple[str, ...]
    simulated: tuple[Tensors, ...]
    quantized: tuple[TensorDifference, ...]

    def compare(self, outputs: Sequence[Tensors]) -> tuple[TensorDifference, ...]:
        """Compare what a board gave with `pulsar2 run`, tensor by tensor."""
        return compare_tensors(self.simulated, outputs, self.names)


@dataclass(frozen=True, slots=True)
class ColourTest:
    """Pictures in all ways in which they may be fed, and what the float model says of them.

    Attributes:
        release: with the pictures as its inputs, every way of feeding after the other.
        trained: how the checkpoint's makers prepare images; the recipe's way where nobody says.
        warnings: where the recipe prepares them otherwise.
        right: the float model's answers to the pictures, prepared as it was trained.
        apart: how far its answers are from these when it is fed in another way.
        simulated: what `pulsar2 run` says.
    """

    recipe: Recipe
    release: Release
    trained: Preprocess
    warnings: tuple[str, ...]
    right: tuple[Answer, ...]
    apart: Mapping[Feed, float]
    simulated: Colours

    def judge(self, maker: str, outputs: Sequence[Tensors]) -> Colours:
        """Say how a maker wants to be fed, from what it gave for the release's inputs."""
        return _judge(maker, outputs, self.recipe, self.right, self.apart)


def layers_of(recipe: Recipe, layers: tuple[str, ...] | int) -> Recipe:
    """Give the recipe of a model with these inner tensors as outputs, under a name of its own."""
    if layers == recipe.layers:
        return recipe
    return replace(recipe, name=f"{recipe.name[:_MOST_NAME]}-layers", layers=layers)


def look_at_layers(recipe: Recipe, shop: Workshop, run_id: str) -> Layers:
    """Build the model of `layers_of`, and run it on the first evaluation image on this host.

    Raises as `build` does, and CompileError where `pulsar2 run` fails.
    """
    built = _build(recipe, shop, run_id)
    image = _scenes(recipe, 1)[0]
    simulated = _simulate(recipe, built, [runtime_input(image, recipe.preprocess)], shop, run_id)
    with shop.blobs.open(built.optimized.outputs["onnx"].sha256) as onnx:
        feed = {recipe.export.input_name: normalise(image, recipe.preprocess)}
        expected = run_all(onnx, [feed])
    names = in_graph_order(list(expected[0]), (output_name(recipe),))
    quantized = compare_tensors(expected, simulated, names)
    release = replace(built.release, inputs=built.release.inputs[:1])
    return Layers(recipe, release, tuple(names), tuple(simulated), quantized)


def look_at_colours(recipe: Recipe, shop: Workshop, run_id: str) -> ColourTest:
    """Build a recipe's model, and feed it pictures in all ways on this host.

    Raises as `build` does, and CompileError where `pulsar2 run` fails.
    """
    built = _build(recipe, shop, run_id)
    told = trained = recipe.preprocess
    warnings = idle_formats(build_config(recipe, shop.toolchain.identity().version))
    if recipe.checkpoint.kind == "hf":
        theirs = trained_preprocess(find_checkpoint(recipe.checkpoint).folder, told)
        trained = trained if theirs is None else theirs
        warnings += [] if theirs is None else preprocess_warnings(told, theirs)
    _, _, height, width = recipe.export.shape
    pictures = [coded_picture(height, width), *_scenes(recipe, _SCENES)]
    fed = [feeds(one, told) for one in pictures]
    inputs = [one[feed] for feed in FEEDS for one in fed]
    expected = _float_answers(recipe, built, pictures, trained, shop)
    right, apart = tuple(expected[0]), gaps(expected, recipe)
    outputs = _simulate(recipe, built, inputs, shop, run_id)
    simulated = _judge("pulsar2 run", outputs, recipe, right, apart)
    release = replace(built.release, inputs=tuple(_keep(inputs, shop)))
    return ColourTest(recipe, release, trained, tuple(warnings), right, apart, simulated)


def _build(recipe: Recipe, shop: Workshop, run_id: str) -> Built:
    """Build without the check, whose gates would keep a bad model from being looked at."""
    return build(replace(recipe, check=replace(recipe.check, images=0)), shop, run_id)


def _scenes(recipe: Recipe, count: int) -> list[NDArray[np.uint8]]:
    return [one.pixels for one in evaluation_images(recipe, count)]


def _float_answers(
    recipe: Recipe,
    built: Built,
    pictures: Sequence[NDArray[np.uint8]],
    trained: Preprocess,
    shop: Workshop,
) -> list[list[Answer]]:
    """Give the float model's answers, by the order of FEEDS and then of pictures."""
    task, name = task_of(recipe), output_name(recipe)
    sets = float_feeds(pictures, trained)
    with shop.blobs.open(built.optimized.outputs["onnx"].sha256) as onnx:
        flat = run_all(onnx, [{recipe.export.input_name: one} for some in sets for one in some])
    answers = [task.answer(one[name], recipe) for one in flat]
    return [answers[at : at + len(pictures)] for at in range(0, len(answers), len(pictures))]


def _judge(
    maker: str,
    outputs: Sequence[Tensors],
    recipe: Recipe,
    right: tuple[Answer, ...],
    apart: Mapping[Feed, float],
) -> Colours:
    task, name, count = task_of(recipe), output_name(recipe), len(right)
    answers = [task.answer(one[name], recipe) for one in outputs]
    found = {feed: answers[at * count : (at + 1) * count] for at, feed in enumerate(FEEDS)}
    return judge_colours(maker, right, found, apart, recipe)


def _simulate(
    recipe: Recipe, built: Built, inputs: Sequence[NDArray[np.uint8]], shop: Workshop, run_id: str
) -> list[Tensors]:
    identity, log = shop.toolchain.identity(), shop.logs / run_id / "pulsar2-run.log"
    with _fresh_folder(shop) as folder, shop.blobs.open(_axmodel(built).sha256) as axmodel:
        bench = Bench(shop.toolchain, identity, shop.progress, folder, log)
        return simulate(recipe, axmodel, [one.tobytes() for one in inputs], bench)


@contextmanager
def _fresh_folder(shop: Workshop) -> Iterator[Path]:
    """Give scratch beside that of actions, where a toolchain's engine can see it."""
    shop.cache.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="examine-", dir=shop.cache.work) as folder:
        yield Path(folder)


def _axmodel(built: Built) -> Artifact:
    return built.compiled.outputs["axmodel"]


def _keep(inputs: Sequence[NDArray[np.uint8]], shop: Workshop) -> list[Artifact]:
    """Keep what a board is fed."""
    kept = []
    with _fresh_folder(shop) as folder:
        for number, one in enumerate(inputs):
            path = folder / f"{number:02d}.bin"
            path.write_bytes(one.tobytes())
            kept.append(shop.blobs.put(path, path.name))
    return kept
