"""A config may be JSON with comments, YAML or TOML; limits of its numbers are checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench


def build_by(bench: Bench, name: str, text: str) -> tuple[int, str]:
    path = bench.folder / name
    path.write_text(text)
    ended = bench.pulsar2("build", "--config", path)
    return ended.code, ended.last_line


def test_json_may_hold_comments_of_both_kinds(bench: Bench) -> None:
    text = json.dumps(bench.config(output_name="a//b#c.axmodel".replace("//", "_")), indent=1)

    code, last = build_by(bench, "c.json", f"// one\n# two\n{text} // three\n")

    assert code == 0, last
    assert (bench.folder / "out" / "a_b#c.axmodel").is_file()


def test_yaml_gives_the_same_bytes_as_json(bench: Bench) -> None:
    assert bench.build().code == 0
    expected = bench.axmodel.read_bytes()

    code, last = build_by(bench, "c.yaml", "# why\n" + yaml.safe_dump(bench.config()))

    assert code == 0, last
    assert bench.axmodel.read_bytes() == expected


def test_toml_is_read_too(bench: Bench) -> None:
    text = f"""# why
input = "{bench.folder / "model.onnx"}"
output_dir = "{bench.folder / "out"}"
[[quant.input_configs]]
tensor_name = "DEFAULT"
calibration_dataset = "{bench.folder / "calibration.tar"}"
calibration_format = "Numpy"
"""

    code, last = build_by(bench, "c.toml", text)

    assert code == 0, last


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("c.json", "{", "commentjson.commentjson.JSONLibraryException"),
        ("c.yaml", "a: [", "yaml.YAMLError"),
        ("c.toml", "a = ", "toml.decoder.TomlDecodeError"),
        ("c.json", "[]", "google.protobuf.json_format.ParseError"),
        ("c.prototxt", "input: 'x'", "NotImplementedError"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    bench: Bench, name: str, text: str, error: str
) -> None:
    code, last = build_by(bench, name, text)

    assert code == 1
    assert last.startswith(f"{error}: ")
    assert name in last


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--quant.smooth_quant_threshold", "1.5"),
        ("--quant.transformer_opt_level", "3"),
        ("--quant.refine_weight_threshold", "0.1"),
        ("--quant.check", "2"),
    ],
)
def test_a_number_beyond_its_limitation_is_refused(bench: Bench, option: str, value: str) -> None:
    ended = bench.build(None, option, value)

    assert ended.code == 1
    assert ended.last_line.startswith(f"ValueError: {option[2:]} ")
    assert "exceeds its limitation" in ended.last_line


def test_defaults_and_limits_stand_in_the_help(bench: Bench) -> None:
    help_text = " ".join(bench.pulsar2("build", "-h").out.split())

    assert "default: MinMax. option: MinMax, Percentile, MSE, KL." in help_text
    assert "default: 0. limitation: 0~2." in help_text
    assert "required: true. default: ." in help_text
    assert "main.py build" in help_text
