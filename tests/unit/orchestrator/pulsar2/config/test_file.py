from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.codec import config_from_json
from orchestrator.pulsar2.config.file import read_config

DATA: dict[str, Json] = {
    "npu_mode": "NPU1",
    "quant": {"layer_configs": [{"op_type": "Add"}, {"op_type": "Mul"}], "check": 0},
}
JSON = """\
// which cores
{
  "npu_mode": "NPU1", # the smallest
  "quant": {
    "layer_configs": [
      /* two
         layers */
      {"op_type": "Add"},
      {"op_type": "Mul"},
    ],
    "check": 0
  },
}
"""
YAML = """\
npu_mode: NPU1  # the smallest
quant:
  layer_configs:
    - op_type: Add
    - op_type: Mul
  check: 0
"""
TOML = """\
npu_mode = "NPU1"  # the smallest
[quant]
check = 0
layer_configs = [{op_type = "Add"}, {op_type = "Mul"}]
"""


def written(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, name: str, text: str) -> ConfigError:
    """The error, its message without the folder."""
    with pytest.raises(ConfigError) as caught:
        read_config(written(tmp_path, name, text))
    return ConfigError(caught.value.message.replace(f"{tmp_path}/", ""), caught.value.hint)


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", JSON), ("a.yaml", YAML), ("a.yml", YAML), ("a.toml", TOML)]
)
def test_every_format_gives_the_same_config(tmp_path: Path, name: str, text: str) -> None:
    assert read_config(written(tmp_path, name, text)).data == DATA


@pytest.mark.parametrize(
    ("name", "text", "lines"), [("a.json", JSON, (3, 5, 9)), ("a.yaml", YAML, (1, 3, 5))]
)
def test_the_line_of_each_key_is_known(
    tmp_path: Path, name: str, text: str, lines: tuple[int, int, int]
) -> None:
    found = read_config(written(tmp_path, name, text)).lines

    keys = ("npu_mode", "quant.layer_configs", "quant.layer_configs[1].op_type")
    assert tuple(found[key] for key in keys) == lines


def test_texts_and_numbers_are_read_as_json_has_them(tmp_path: Path) -> None:
    text = '{"a//b": "# no comment, /* none */", "c": -1.5e-3, "d": "\\u00e9\\"", "e": null}'

    data = read_config(written(tmp_path, "a.json", text)).data

    assert data == {"a//b": "# no comment, /* none */", "c": -0.0015, "d": 'é"', "e": None}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('{\n "a": [\n  1,\n  ...\n ]}', "a.json:4: not valid JSON: '...' stands here", "samples"),
        ("{\n 'a': 1}", "a.json:2: not valid JSON: \"'a': 1}\" stands here", "texts stand in do"),
        ('{"a": 1\n "b": 2}', 'a.json:2: not valid JSON: \'"b"\' stands where "," or "}"', ""),
        ('{"a" 1}', "a.json:1: not valid JSON: '1' stands where \":\" after 'a' should", ""),
        ('{"a": 1', "a.json:1: not valid JSON: the end of the file stands where", ""),
        ('{"a": }', "a.json:1: not valid JSON: '}' stands where a value should", ""),
        ('{"a": 1,, "b": 2}', "a.json:1: not valid JSON: ',' stands where a key in", ""),
        ('{"a": [,]}', "a.json:1: not valid JSON: ',' stands where a value should", ""),
        ('{"a": 012x}', "a.json:1: not valid JSON: '012x}' stands here", ""),
        ('{"a": NaN}', "a.json:1: not valid JSON: 'NaN}' stands here", ""),
        ('{"a": "b\nc"}', "a.json:1: not valid JSON: '\"b' stands here", "the text has no end"),
        ("{} /* x", "a.json:1: not valid JSON: '/* x' stands here", "the comment has no end"),
        ('{"a":\n "C:\\data"}', 'a.json:2: not valid JSON: "C:\\data": invalid', "a backslash is"),
        ('{"a": "\\ud800"}', 'a.json:1: not valid JSON: "\\ud800": half of a surrogate pair', ""),
        (
            '{"a": ' + "9" * 5000 + "}",
            f"a.json:1: not valid JSON: {'9' * 40}: a number of 5000",
            "",
        ),
        ("{}\n{}", "a.json:2: not valid JSON: '{' stands where the end of the file should", ""),
        ("", "a.json:1: not valid JSON: the end of the file stands where a value should", ""),
        ("[1]", "a.json: a build config is an object", 'it begins with "{"'),
        (
            '{"q": {"a": 1,\n "b": 2,\n "a": 3}}',
            "a.json:3: q.a: named twice, first on line 1",
            "delete one",
        ),
        ("[" * 100_000, "a.json: it is nested too deeply", ""),
    ],
)
def test_what_is_no_json_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    error = refusal(tmp_path, "a.json", text)

    assert error.message.startswith(message)
    assert error.hint.startswith(hint)


def test_a_published_sample_that_leaves_layers_out_is_refused_at_that_line(tmp_path: Path) -> None:
    text = """\
{
  "npu_mode": "NPU3",
  "quant": {
    "enable_smooth_quant": true,
    "layer_configs":  [
      {
        "layer_name": "op_173:onnx.Mul_1",
        "data_type": "U16"
      },
      ...
    ]
  },
  "input_processors": [
    {"tensor_name": "DEFAULT"}
"""
    error = refusal(tmp_path, "depth.json", text)

    assert error.message == "depth.json:10: not valid JSON: '...' stands here"
    assert "leave parts out" in error.hint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.yaml", "a: 1\nb: [", "a.yaml:2: not valid YAML: "),
        ("a.yaml", "q:\n  a: 1\n  a: 2", "a.yaml:3: q.a: named twice, first on line 2"),
        ("a.yaml", "q: 2026-01-01", "a.yaml:1: q: a timestamp is no plain value"),
        ("a.yaml", "q: !!python/none x", "a.yaml:1: q: a python/none is no plain value"),
        ("a.yaml", "q: &x\n  r: *x", "a.yaml: it is nested too deeply, or holds itself"),
        ("a.yaml", "", "a.yaml: a build config is an object"),
        ("a.yaml", 'q: "\\ud800"', "a.yaml: not valid YAML: 'utf-8' codec can't encode"),
        ("a.yaml", '"\\ud800": 1', "a.yaml: not valid YAML: 'utf-8' codec can't encode"),
        ("a.toml", "a = 1\na = 2", "a.toml: not valid TOML: Cannot overwrite a value (at"),
        ("a.toml", "[q]\na = [2026-01-01]", "a.toml: q.a[0]: 2026-01-01 is a date"),
        ("a.prototxt", "npu_mode: NPU1", "a.prototxt: a build config must be one of .json, .yaml"),
        ("a.txt", "{}", "a.txt: a build config must be one of .json, .yaml, .yml, .toml"),
    ],
)
def test_what_is_no_config_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    assert refusal(tmp_path, name, text).message.startswith(message)


def test_a_prototxt_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.prototxt", "").hint == "write it as JSON"


def test_aliases_that_stand_for_very_much_are_refused(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 100)}]" for i in range(1, 4)]
    text = "\n".join(["a0: &a0 [0, 0]", *levels])

    assert "it holds more than 200000 values" in refusal(tmp_path, "a.yaml", text).message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json: no such file"):
        read_config(tmp_path / "nowhere.json")


def test_a_slip_in_a_file_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.json", JSON.replace('"check"', '"chek"'))
    text = read_config(path)

    with pytest.raises(ConfigError) as caught:
        config_from_json(text.data, "5.2", text.origin)

    assert caught.value.message == f"{path}:11: quant.chek: no such key in pulsar2 5.2"
    assert caught.value.hint == "did you mean check?"
