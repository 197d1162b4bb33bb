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


PROTOTXT = """# why
input: "{folder}/model.onnx"
output_dir: "{folder}/out"
npu_mode: NPU2
quant {{
  input_configs {{
    tensor_name: "DEFAULT"
    calibration_dataset: "{folder}/calibration.tar"
    calibration_format: Numpy
    calibration_mean: [123.675, 116.28, 103.53]
    calibration_std: [58.395, 57.12, 57.375]
    calibration_size: 3
  }}
}}
input_processors {{
  tensor_name: "pixel_values" tensor_format: RGB src_format: RGB src_dtype: U8 src_layout: NHWC
}}
"""


def test_a_prototxt_gives_the_same_bytes_as_json(bench: Bench) -> None:
    assert bench.build(bench.config(npu_mode="NPU2")).code == 0
    expected = bench.axmodel.read_bytes()
    bench.axmodel.unlink()

    code, last = build_by(bench, "c.prototxt", PROTOTXT.format(folder=bench.folder))

    assert code == 0, last
    assert bench.axmodel.read_bytes() == expected


def test_an_unknown_field_of_a_prototxt_is_named(bench: Bench) -> None:
    code, last = build_by(bench, "c.prototxt", "quant { check_level: 1 }")

    assert code == 1
    assert last.startswith("google.protobuf.text_format.ParseError: 1:9 : ")
    assert last.endswith('"pulsar2.build.QuantConfig" has no field named "check_level".')


@pytest.mark.parametrize(
    ("change", "quant"),
    [
        ({"npuMode": "NPU2"}, {}),
        ({"npu_mode": 1}, {}),
        ({"npu_mode": "NPU2"}, {"refine_weight_threshold": "1e-6"}),
    ],
    ids=["camel case", "number of an enum", "number in quotes"],
)
def test_a_config_may_be_written_as_protobuf_allows(
    bench: Bench, change: dict[str, object], quant: dict[str, object]
) -> None:
    inputs = {"input_configs": [bench.input_config()]}

    ended = bench.build(bench.config() | change | {"quant": inputs | quant})

    assert ended.code == 0, ended.err
    context = json.loads((bench.folder / "out" / "build_context.json").read_text())
    assert context["npu_mode"] == "NPU2"


def test_an_enum_has_the_numbers_of_the_vendors_schema(bench: Bench) -> None:
    semi_planar = bench.build(bench.config(processor={"src_format": 6}))
    nothing = bench.build(bench.config(processor={"src_format": 5}))

    assert "YUV420SP" in semi_planar.last_line
    assert nothing.last_line == "ValueError: 5 is not a valid common.ColorSpace"


def test_a_date_is_no_value_of_a_config(bench: Bench) -> None:
    code, last = build_by(bench, "c.yaml", "input: 2026-01-01")

    assert code == 1
    assert last.startswith("google.protobuf.json_format.ParseError: ")


def test_a_setting_of_a_sub_compiler_is_taken(bench: Bench) -> None:
    sub = {"start_tensor_names": ["active"], "end_tensor_names": ["logits"], "check": 1}
    patterns = [{"nodes": [{"types": ["Conv"], "properties": {"group": 1}}], "type": "Slice"}]

    ended = bench.build(
        bench.config(compiler={"sub_configs": [sub], "compiler_group_patterns": patterns})
    )

    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("c.json", "{", "commentjson.commentjson.JSONLibraryException"),
        ("c.yaml", "a: [", "yaml.YAMLError"),
        ("c.toml", "a = ", "toml.decoder.TomlDecodeError"),
        ("c.json", "[]", "google.protobuf.json_format.ParseError"),
        ("c.ini", "input = 'x'", "NotImplementedError"),
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
    ("change", "words"),
    [
        (
            {"input_processors": [{"tensor_name": "pixel_values", "dst_format": "RGB"}]},
            (
                'Message type "pulsar2.build.InputProcessor" has no field named "dst_format" at '
                '"BuildConfig.'
            ),
        ),
        (
            {"compiler": {"sub_configs": [{"sub_configs": [{"chek": 1}]}]}},
            'Message type "pulsar2.build.CompilerConfig" has no field named "chek"',
        ),
        (
            {"tiling": 1},
            'Message type "pulsar2.build.BuildConfig" has no field named "tiling" at "BuildConfig"',
        ),
        (
            {"npu_mode": "NPU9"},
            "Failed to parse npu_mode field: Invalid enum value NPU9 for enum type common.NPUMode",
        ),
        (
            {"quant": {"calibration_method": "Minmax"}},
            (
                "Failed to parse calibration_method field: Invalid enum value Minmax for enum type "
                "pulsar2.build.QuantMethod"
            ),
        ),
        ({"output_name": 3}, "Failed to parse output_name field: "),
        ({"quant": {"precision_analysis": 1}}, "Failed to parse precision_analysis field: "),
        (
            {"input_processors": {}},
            (
                "Failed to parse input_processors field: repeated field input_processors must be "
                "in [] which is {}"
            ),
        ),
    ],
)
def test_a_wrong_config_is_refused_in_protobufs_words(
    bench: Bench, change: dict[str, object], words: str
) -> None:
    ended = bench.build(bench.config() | change)

    assert ended.code == 1
    assert "\ngoogle.protobuf.json_format.ParseError: " in ended.err
    assert words in ended.err


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
    assert "type: enum. required: false. default: AX650. option: AX650, AX620E," in help_text
    assert "AX620E: NPU1 / NPU2;" in help_text
    assert "type: int array. required: false. default: []." in help_text


def test_a_device_that_there_is_not_is_a_usage_error(bench: Bench) -> None:
    assert bench.build(None, "--quant.device", "cuda:7").code == 0
    assert bench.build(None, "--quant.device", "cuda:8").code == 2
