from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cache import Wanted
from orchestrator.checkpoint import FoundCheckpoint
from orchestrator.domain import Gates, HeadSpec, Recipe, RunSpec, Target, ToolchainIdentity
from orchestrator.plan import compile_wanted, export_wanted, installed_version, optimize_wanted

TOOLCHAIN = ToolchainIdentity("t", "5.2", "abc", "sha256:00", simulated=False)
Change = Callable[[Recipe], Recipe]


def keys(recipe: Recipe, toolchain: ToolchainIdentity = TOOLCHAIN, **inputs: str) -> list[str]:
    """The keys of export, optimize and compile."""
    wanted: tuple[Wanted, ...] = (
        export_wanted(
            recipe,
            FoundCheckpoint(Path("/anywhere"), inputs.get("checkpoint", "c"), None),
            inputs.get("evaluation", "e"),
        ),
        optimize_wanted(recipe, inputs.get("onnx", "o"), inputs.get("evaluation", "e")),
        compile_wanted(recipe, inputs.get("onnx", "o"), inputs.get("calibration", "k"), toolchain),
    )
    return [one.key for one in wanted]


def changed(before: list[str], after: list[str]) -> set[str]:
    names = ("export", "optimize", "compile")
    return {name for name, a, b in zip(names, before, after, strict=True) if a != b}


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        (lambda r: replace(r, export=replace(r.export, opset=12)), {"export"}),
        (lambda r: replace(r, export=replace(r.export, shape=(1, 3, 8, 8))), {"export"}),
        (lambda r: replace(r, export=replace(r.export, output_name="x")), {"export"}),
        (lambda r: replace(r, export=replace(r.export, min_agreement=0.5)), {"export"}),
        (lambda r: replace(r, export=replace(r.export, input_name="x")), {"export", "compile"}),
        (lambda r: replace(r, head=HeadSpec("none", 1, True, "x")), {"optimize"}),
        (lambda r: replace(r, head=replace(r.head, keepdims=False)), {"optimize"}),
        (
            lambda r: replace(r, preprocess=replace(r.preprocess, mean=(0, 0, 0))),
            {"export", "optimize", "compile"},
        ),
        (
            lambda r: replace(r, preprocess=replace(r.preprocess, colour="BGR")),
            {"export", "optimize", "compile"},
        ),
        (
            lambda r: replace(r, compile=replace(r.compile, target=Target("AX650", "NPU1"))),
            {"compile"},
        ),
        (
            lambda r: replace(r, compile=replace(r.compile, pulsar2={"quant": {"check": 1}})),
            {"compile"},
        ),
        (lambda r: replace(r, compile=replace(r.compile, calibration_method="KL")), {"compile"}),
        (lambda r: replace(r, run=RunSpec(0, 1, 1)), set()),
        (lambda r: replace(r, gates=Gates(0.1, 0.1, 0.1)), set()),
        (lambda r: replace(r, compile=replace(r.compile, timeout_s=1)), set()),
    ],
)
def test_a_change_in_the_recipe_redoes_the_stages_it_concerns(
    recipe: Recipe, change: Change, stages: set[str]
) -> None:
    assert changed(keys(recipe), keys(change(recipe))) == stages


@pytest.mark.parametrize(
    ("inputs", "stages"),
    [
        ({"checkpoint": "x"}, {"export"}),
        ({"evaluation": "x"}, {"export", "optimize"}),
        ({"onnx": "x"}, {"optimize", "compile"}),
        ({"calibration": "x"}, {"compile"}),
    ],
)
def test_a_change_in_an_input_redoes_the_stages_that_read_it(
    recipe: Recipe, inputs: dict[str, str], stages: set[str]
) -> None:
    assert changed(keys(recipe), keys(recipe, TOOLCHAIN, **inputs)) == stages


@pytest.mark.parametrize(
    ("toolchain", "stages"),
    [
        (replace(TOOLCHAIN, digest="sha256:11"), {"compile"}),
        (replace(TOOLCHAIN, version="5.3"), {"compile"}),
        (replace(TOOLCHAIN, commit="def"), {"compile"}),
        (replace(TOOLCHAIN, name="another name for it"), set()),
    ],
)
def test_another_toolchain_compiles_again(
    recipe: Recipe, toolchain: ToolchainIdentity, stages: set[str]
) -> None:
    assert changed(keys(recipe), keys(recipe, toolchain)) == stages


def test_the_name_of_a_recipe_is_no_reason_to_work(recipe: Recipe) -> None:
    assert keys(recipe) == keys(replace(recipe, name="other"))


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert installed_version("there-is-no-such-package") == "none"
    assert installed_version("numpy") != "none"
