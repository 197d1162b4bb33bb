"""`orch diverge` and `orch check-colour` as a user runs them, on simulated boards over SSH."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

INVENTORY = """\
boards:
  sim-01: {simulated: true}
  sim-02: {simulated: true}
fleets:
  sim: {boards: [sim-01, sim-02], recipe: small.yaml, toolchain: sim, max_parallel: 1}
"""
RECIPE = """\
checkpoint: {source: package:segformer-tiny}
classes: [road, lane marking, sidewalk, building, vegetation, sky, vehicle, pedestrian]
palette: cityscapes
export: {input: {name: input, shape: [1, 3, 128, 256]}}
preprocess: {mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], colour: RGB}
compile:
  calibration: {generator: street-scenes, seed: 1000000, size: 4}
  pulsar2: {}
evaluation: {generator: street-scenes, seed: 2000000, size: 4}
"""
PROCESSOR = "{tensor_name: input, tensor_format: RGB, src_dtype: U8, %s}"
ODD = "etc/orch-odd-tensor"


@dataclass(frozen=True, slots=True)
class Place(Desk):
    """A folder with an inventory and recipes, that the tests of this file share."""

    def recipe(self, name: str, old: str, new: str) -> str:
        assert old in RECIPE
        (self.folder / f"{name}.yaml").write_text(RECIPE.replace(old, new))
        return f"{name}.yaml"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where the layered model is built, and two boards agree on it."""
    made = Place(tmp_path_factory.mktemp("place"))
    (made.folder / "inventory.yaml").write_text(INVENTORY)
    (made.folder / "small.yaml").write_text(RECIPE)
    code, out, err = made.orch("diverge", "--fleet", "sim", "--recipe", "small.yaml")
    assert code == 0, err
    assert "sim-01: it agrees with pulsar2 run on all 13 tensors" in out
    assert "sim-02: it agrees with pulsar2 run on all 13 tensors" in out
    return made


def test_the_tensor_that_one_board_computes_wrongly_is_named(place: Place) -> None:
    asked = ("diverge", "--fleet", "sim", "--recipe", "small.yaml", "--json")
    names = json.loads(place.orch(*asked)[1])["tensors"]
    fault = place.folder / ".orch" / "sim" / "boards" / "sim-02" / ODD
    fault.write_text(names[6])

    code, out, err = place.orch(*asked)
    fault.unlink()

    assert code == 1, err
    found = {one["board"]: one["diverges_at"] for one in json.loads(out)["boards"]}
    assert found == {"sim-01": None, "sim-02": names[6]}
    assert f"it agrees on 6 of 13 tensors, then diverges at {names[6]}: " in err


def test_layers_can_be_named_and_an_unknown_one_names_those_like_it(place: Place) -> None:
    asked = ("diverge", "--fleet", "sim", "--recipe", "small.yaml", "--limit", "sim-01")
    known = "/inner/segformer/stages.0/patch_embeddings/proj/Conv_output_0"

    code, out, _ = place.orch(*asked, "--layers", known, "--json")
    assert code == 0
    assert json.loads(out)["tensors"] == [known, "argmax_output"]

    code, _, err = place.orch(*asked, "--layers", known.replace("proj", "prj"))
    assert code == 1
    assert f"like it are {known}" in err


def test_colours_as_told_are_found_to_be_so_on_this_host_and_on_a_board(place: Place) -> None:
    asked = ("--recipe", "small.yaml", "--toolchain", "sim", "--limit", "sim-01")

    code, out, err = place.orch("check-colour", "--fleet", "sim", *asked, "--json")

    assert code == 0, err
    told = json.loads(out)
    assert [one["maker"] for one in told["findings"]] == ["pulsar2 run", "sim-01"]
    assert {one["best"] for one in told["findings"]} == {"as told"}
    assert told["warnings"] == []


def test_a_recipe_with_blue_first_for_a_model_trained_on_red_first_is_found(place: Place) -> None:
    recipe = place.recipe("blue-first", "colour: RGB", "colour: BGR")

    asked = ("--recipe", recipe, "--fleet", "sim", "--limit", "sim-01")
    code, out, err = place.orch("check-colour", *asked)

    assert code == 1, err
    assert "warning: preprocess.colour is BGR, the checkpoint's" in out
    assert "pulsar2 run: red and blue are swapped between recipe and model" in out
    assert "sim-01: red and blue are swapped between recipe and model" in out
    assert "hint: the checkpoint was trained on RGB: preprocess.colour in the recipe" in out


def test_a_build_config_that_wants_planes_is_found(place: Place) -> None:
    processor = PROCESSOR % "src_layout: NCHW, src_format: RGB"
    recipe = place.recipe("planes", "pulsar2: {}", f"pulsar2: {{input_processors: [{processor}]}}")

    code, out, err = place.orch("check-colour", "--recipe", recipe)

    assert code == 1, err
    assert "pulsar2 run: NHWC and NCHW are swapped between recipe and model" in out
    assert "hint: look at src_layout under compile.pulsar2.input_processors" in out


def test_a_build_config_that_swaps_colours_is_told_to_do_nothing(place: Place) -> None:
    processor = PROCESSOR % "src_layout: NHWC, src_format: BGR"
    recipe = place.recipe("swaps", "pulsar2: {}", f"pulsar2: {{input_processors: [{processor}]}}")

    code, out, err = place.orch("check-colour", "--recipe", recipe)

    assert code == 0, err
    assert "src_format BGR and tensor_format RGB: Pulsar2 does not swap red and blue" in out
    assert "pulsar2 run: colours and layout are as the recipe says" in out
