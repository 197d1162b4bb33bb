"""`orch build --config … --onnx …` and `orch tune`, as a user runs them, with the stand-in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow


def test_a_vendor_config_builds_its_model_once(desk: Desk) -> None:
    command = ("build", "--config", "config.json", "--onnx", "model.onnx", "--json")
    code, out, err = desk.orch(*command, "--output", "made.axmodel")
    assert code == 0, err
    first = json.loads(out)

    assert first["cached"] is False
    assert first["facts"]["npu_mode"] == "NPU1"
    assert first["facts"]["simulated"] is True
    kept = Path(first["axmodel"]["path"])
    assert kept.read_bytes() == (desk.folder / "made.axmodel").read_bytes()
    again = json.loads(desk.orch(*command)[1])
    assert (again["cached"], again["axmodel"]) == (True, first["axmodel"])


def test_what_the_dry_run_prints_is_what_runs(desk: Desk) -> None:
    command = ("build", "--config", "config.json", "--onnx", "model.onnx")
    planned = json.loads(desk.orch(*command, "--dry-run", "--json")[1])
    assert not (desk.folder / ".orch" / "cas").exists()

    _, _, err = desk.orch(*command)

    assert " ".join(planned["argv"]) in err
    database = (desk.folder / ".orch" / "orch.db").read_bytes()
    config = json.dumps(planned["config"], sort_keys=True, separators=(",", ":"))
    assert json.dumps(config)[1:-1].encode() in database


def test_a_missing_archive_is_named_with_its_line(desk: Desk) -> None:
    (desk.folder / "dataset" / "images.tar").unlink()

    code, _, err = desk.orch("build", "--config", "config.json", "--onnx", "model.onnx")

    assert code == 2
    assert "config.json:8: quant.input_configs[0].calibration_dataset: " in err
    assert not (desk.folder / ".orch" / "cas").exists()


def test_onnx_without_a_config_is_a_usage_error(desk: Desk) -> None:
    code, _, err = desk.orch("build", "--onnx", "model.onnx")

    assert code == 2
    assert "--onnx goes with --config" in err


def test_an_option_that_would_be_ignored_is_refused(desk: Desk) -> None:
    by_file = ("build", "--config", "config.json", "--onnx", "model.onnx", "--dry-run")
    by_recipe = ("build", "--config", "config.json", "--output", "made.axmodel", "--dry-run")

    code, _, err = desk.orch(*by_file, "--recipe", "segformer-tiny")

    assert (code, "--recipe is for a recipe" in err) == (2, True), err
    code, _, err = desk.orch(*by_recipe)
    assert (code, "--output goes with --onnx" in err) == (2, True), err


def test_a_recipe_that_is_named_counts_more_than_the_configs_model(desk: Desk) -> None:
    config = desk.folder / "config.json"
    named = '"input": "model.onnx", "npuMode": "NPU1"'
    config.write_text(config.read_text().replace('"npu_mode": "NPU1"', named))
    command = ("build", "--config", "config.json", "--dry-run", "--json")

    code, by_file, err = desk.orch(*command)
    assert code == 0, err
    code, by_recipe, err = desk.orch(*command, "--recipe", "segformer-tiny")
    assert code == 0, err

    assert json.loads(by_file)["model"] == str(desk.folder / "model.onnx")
    assert json.loads(by_recipe)["recipe"] == "segformer-tiny"
    assert json.loads(by_recipe)["config"]["npu_mode"] == "NPU1"
    assert "input is left out: the recipe decides it" in err


def test_a_row_of_the_grid_becomes_a_recipe(desk: Desk) -> None:
    command = ("tune", "segformer-tiny", "--method", "MinMax", "--method", "Percentile")
    code, out, err = desk.orch(*command, "--u16", "0", "--u16", "2", "--no-smooth-quant")
    assert code == 0, err
    assert "Quantizations of segformer-tiny" in out
    assert [line.split()[0] for line in out.splitlines()[3:7]] == ["1", "2", "3", "4"]

    code, again, err = desk.orch(
        *command, "--u16", "0", "--u16", "2", "--no-smooth-quant", "--json", "--apply", "4",
        "--output", "mine.yaml",
    )  # fmt: skip

    rows = json.loads(again)["rows"]
    assert err.count("cached") >= 8, err
    assert rows[3]["point"]["u16_layers"] == 2
    assert len(rows[3]["keys"]["quant"]["layer_configs"][0]["layer_names"]) == 2
    code, planned, err = desk.orch("build", "--recipe", "mine.yaml", "--dry-run", "--json")
    assert code == 0, err
    assert json.loads(planned)["config"]["quant"]["calibration_method"] == "Percentile"


def test_a_shipped_recipe_is_not_written_over(desk: Desk) -> None:
    code, _, err = desk.orch("tune", "segformer-tiny", "--apply", "1")

    assert code == 2
    assert "--output my-recipe.yaml" in err
