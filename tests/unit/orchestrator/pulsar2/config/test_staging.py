from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Json, Target
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.codec import config_from_json
from orchestrator.pulsar2.config.staging import stage_config


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")


CONFIG: dict[str, Json] = {
    "input": "models/net.onnx",
    "output_dir": "out",
    "output_name": "net.axmodel",
    "work_dir": "",
    "npu_mode": "NPU2",
    "quant": {
        "input_configs": [
            {"tensor_name": "a", "calibration_dataset": "./data/a.v1.tar.gz"},
            {"tensor_name": "b", "calibration_dataset": "data/b.zip"},
            {"tensor_name": "c", "calibration_dataset": "./data/b.zip"},
        ],
        "input_sample_dir": "samples",
    },
    "const_processors": [{"name": "k", "data_path": "k.npy"}, {"name": "l", "data": [1]}],
    "compiler": {
        "input_sample_dir": "",
        "sub_configs": [{"check": 3, "input_sample_dir": "samples"}],
    },
}
FILES = ("models/net.onnx", "data/a.v1.tar.gz", "data/b.zip", "k.npy", "samples/")


def test_every_path_leads_into_the_work_folder(tmp_path: Path) -> None:
    made(tmp_path, *FILES)

    staged = stage_config(CONFIG, tmp_path)

    assert staged.config == {
        "input": "input/model.onnx",
        "npu_mode": "NPU2",
        "quant": {
            "input_configs": [
                {"tensor_name": "a", "calibration_dataset": "input/calibration-0.tar.gz"},
                {"tensor_name": "b", "calibration_dataset": "input/calibration-1.zip"},
                {"tensor_name": "c", "calibration_dataset": "input/calibration-1.zip"},
            ],
            "input_sample_dir": "input/samples-2",
        },
        "const_processors": [
            {"name": "k", "data_path": "input/constant-3.npy"},
            {"name": "l", "data": [1]},
        ],
        "compiler": {"sub_configs": [{"check": 3, "input_sample_dir": "input/samples-2"}]},
    }
    assert staged.files == {
        "input/calibration-0.tar.gz": tmp_path / "data/a.v1.tar.gz",
        "input/calibration-1.zip": tmp_path / "data/b.zip",
        "input/samples-2": tmp_path / "samples",
        "input/constant-3.npy": tmp_path / "k.npy",
    }
    assert staged.model == tmp_path / "models/net.onnx"
    assert staged.target == Target("AX650", "NPU2")
    assert staged.notes == (
        "output_dir is left out: orch decides it",
        "output_name is left out: orch decides it",
    )


def test_a_staged_config_is_a_config(tmp_path: Path) -> None:
    made(tmp_path, *FILES)
    staged = stage_config(CONFIG, tmp_path)

    assert config_from_json(staged.config, "5.2").input == "input/model.onnx"


def test_a_config_staged_elsewhere_is_the_same(tmp_path: Path) -> None:
    made(tmp_path / "one", *FILES)
    made(tmp_path / "two", *FILES)

    assert stage_config(CONFIG, tmp_path / "one").config == (
        stage_config(CONFIG, tmp_path / "two").config
    )


def test_a_model_on_the_command_line_stands_for_the_one_in_the_config(tmp_path: Path) -> None:
    onnx = tmp_path / "other.onnx"

    staged = stage_config({"input": "/path/to/net.onnx"}, tmp_path, onnx=onnx)

    assert staged.model == onnx
    assert staged.config == {"input": "input/model.onnx"}
    assert staged.notes == (f"input is {onnx}, not /path/to/net.onnx",)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("models/net.onnx", "a.json: input: {}/models/net.onnx: no such file"),
        (
            "data/b.zip",
            "a.json: quant.input_configs[1].calibration_dataset: {}/data/b.zip: no such",
        ),
        ("k.npy", "a.json: const_processors[0].data_path: {}/k.npy: no such file"),
        ("samples/", "a.json: quant.input_sample_dir: {}/samples: no such folder"),
    ],
)
def test_a_missing_file_is_refused_with_key_and_path(
    tmp_path: Path, gone: str, message: str
) -> None:
    made(tmp_path, *(name for name in FILES if name != gone))

    with pytest.raises(ConfigError) as caught:
        stage_config(CONFIG, tmp_path, source="a.json")

    assert caught.value.message.startswith(message.format(tmp_path))
    assert str(tmp_path) in caught.value.hint


def test_a_folder_is_no_calibration_archive(tmp_path: Path) -> None:
    made(tmp_path, "models/net.onnx", "data/a.v1.tar.gz/")

    with pytest.raises(ConfigError, match=r"data/a\.v1\.tar\.gz: is no file"):
        stage_config(CONFIG, tmp_path)


def test_a_config_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^config: input: no model is named"):
        stage_config({}, tmp_path)


def test_a_config_that_the_version_does_not_take_is_refused(tmp_path: Path) -> None:
    config: dict[str, Json] = {"input": "x.onnx", "target_hardware": "AX637"}

    with pytest.raises(ConfigError, match=r"a\.json: target_hardware: pulsar2 5\.2 has no AX637"):
        stage_config(config, tmp_path, "5.2", "a.json")


def archive(name: str) -> dict[str, Json]:
    """A config with one model and one archive."""
    entry: Json = {"tensor_name": "a", "calibration_dataset": name}
    return {"input": "m.onnx", "quant": {"input_configs": [entry]}}


def test_the_same_file_by_other_names_is_copied_once(tmp_path: Path) -> None:
    made(tmp_path, "m.onnx", "data/a.tar")
    (tmp_path / "link.tar").symlink_to("data/a.tar")
    names = ("data/a.tar", "data/../data/a.tar", "link.tar")
    inputs: list[Json] = [{"tensor_name": n, "calibration_dataset": n} for n in names]

    staged = stage_config({"input": "m.onnx", "quant": {"input_configs": inputs}}, tmp_path)

    assert staged.files == {"input/calibration-0.tar": tmp_path / "data/a.tar"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".TAR.GZ", ".tgz", ".v2.zip"])
def test_an_archive_keeps_the_suffix_it_is_known_by(tmp_path: Path, suffix: str) -> None:
    made(tmp_path, "m.onnx", f"a{suffix}")

    (place,) = stage_config(archive(f"a{suffix}"), tmp_path).files

    assert place == f"input/calibration-0{suffix.removeprefix('.v2')}"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("s3://data/a.tar", "s3://data/a.tar: an address is no file", "fetch it first"),
        ("~/a.tar", "{}/~/a.tar: no such file", "~ is not expanded: write "),
        (f"{'a' * 300}.tar", f"{{}}/{'a' * 300}.tar: File name too long", ""),
    ],
)
def test_what_cannot_be_a_file_is_refused_as_what_it_is(
    tmp_path: Path, name: str, message: str, hint: str
) -> None:
    made(tmp_path, "m.onnx")

    with pytest.raises(ConfigError) as caught:
        stage_config(archive(name), tmp_path)

    key = "quant.input_configs[0].calibration_dataset"
    assert caught.value.message == f"config: {key}: {message.format(tmp_path)}"
    assert caught.value.hint.startswith(hint)
