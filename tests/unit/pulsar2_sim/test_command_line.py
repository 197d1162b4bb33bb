"""`pulsar2` takes what the vendor's takes, and ends as the vendor's ends."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench


def test_version_is_two_lines(bench: Bench) -> None:
    assert bench.pulsar2("version").out == "version: 5.2\ncommit: fa4e0000\n"


@pytest.mark.parametrize("argv", [(), ("-h",)])
def test_usage_calls_the_program_main_py(bench: Bench, argv: tuple[str, ...]) -> None:
    ended = bench.pulsar2(*argv)

    assert ended.code == 0
    assert ended.out.startswith("usage: main.py ")


def test_an_unknown_option_is_a_usage_error(bench: Bench) -> None:
    ended = bench.pulsar2("build", "--debug.xxxxxxx")

    assert ended.code == 2
    assert ended.last_line == "main.py: error: unrecognized arguments: --debug.xxxxxxx"


def test_every_documented_option_is_taken(bench: Bench) -> None:
    flags = ["--onnx_opt.model_check", "--quant.precision_analysis", "--compiler.npu_perf"]
    values = {
        "--quant.highest_mix_precision": "true",
        "--quant.disable_quant_optimization": "1",
        "--quant.precision_analysis_method": "EndToEnd",
        "--quant.conv_bias_data_type": "S32",
        "--quant.refine_weight_threshold": "1e-6",
        "--quant.finetune_lr": "1e-3",
        "--quant.device": "cpu",
        "--compiler.static_batch_sizes": "1",
        "--compiler.check": "0",
        "--compiler.check_cosine_simularity": "0.999",
        "--compiler.check_tensor_black_list": "a.*",
        "--model_type": "ONNX",
    }

    ended = bench.build(None, *flags, *(word for pair in values.items() for word in pair))

    assert ended.code == 0, ended.err


def test_a_missing_input_ends_as_a_folder_does(bench: Bench) -> None:
    ended = bench.pulsar2("build", "--output_dir", bench.folder / "out")

    assert ended.code == 1
    assert "Traceback (most recent call last):" in ended.err
    assert ended.last_line == "IsADirectoryError: [Errno 21] Is a directory: '.'"


def test_the_command_line_beats_the_config(bench: Bench) -> None:
    config = bench.config(npu_mode="NPU1", output_name="file.axmodel")

    ended = bench.build(config, "--npu_mode", "NPU2", "--output_name", "option.axmodel")

    assert ended.code == 0, ended.err
    context = json.loads((bench.folder / "out" / "build_context.json").read_text())
    assert context["npu_mode"] == "NPU2"
    assert (bench.folder / "out" / "option.axmodel").is_file()
    assert not (bench.folder / "out" / "file.axmodel").exists()


def test_slashes_inside_strings_are_no_comments(bench: Bench) -> None:
    folder = f"{bench.folder}/out//deep"
    text = json.dumps(bench.config(output_dir=folder), indent=1)
    commented = text.replace("{", '{ // a "comment"', 1)

    ended = bench.build(commented)

    assert ended.code == 0, ended.err
    assert (Path(folder) / "compiled.axmodel").is_file()


@pytest.mark.parametrize("command", ["build", "run"])
def test_every_command_has_a_help(bench: Bench, command: str) -> None:
    ended = bench.pulsar2(command, "-h")

    assert ended.code == 0
    assert ended.out.startswith(f"usage: main.py {command} [-h] [--config] ")


def test_a_run_takes_no_config_file(bench: Bench) -> None:
    ended = bench.pulsar2("run", "--model", bench.folder / "model.onnx", "--config", "run.json")

    assert ended.code == 1
    assert ended.last_line == "NotImplementedError: run --config is not simulated"


@pytest.mark.parametrize("command", ["build", "run"])
def test_a_command_without_a_model_ends_as_a_folder_does(bench: Bench, command: str) -> None:
    ended = bench.pulsar2(command)

    assert ended.code == 1
    assert ended.last_line == "IsADirectoryError: [Errno 21] Is a directory: '.'"


@pytest.mark.parametrize(
    ("value", "code"), [("", 0), ("true", 0), ("false", 0), ("1", 0), ("0", 0), ("maybe", 2)]
)
def test_a_switch_may_be_bare_or_have_a_truth_value(bench: Bench, value: str, code: int) -> None:
    ended = bench.build(None, "--compiler.npu_perf", *([value] if value else []))

    assert ended.code == code
    if code == 0:
        profile = list((bench.folder / "out").rglob("op_profile.csv"))
        assert bool(profile) is (value not in {"false", "0"})


@pytest.mark.parametrize(
    ("options", "last_line"),
    [
        (
            ("--target_hardware", "AX620E", "--npu_mode", "NPU3"),
            "AssertionError: npu_mode NPU3 is not one of NPU1/NPU2 of AX620E",
        ),
        (
            ("--model_type", "QuantONNX"),
            "NotImplementedError: the stand-in takes ONNX only, not QuantONNX",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(
    bench: Bench, options: tuple[str, ...], last_line: str
) -> None:
    ended = bench.build(None, *options)

    assert ended.code == 1
    assert ended.last_line == last_line


def test_a_tensor_that_the_model_lacks_is_refused(bench: Bench) -> None:
    ended = bench.build(bench.config(processor={"tensor_name": "images"}))

    assert ended.code == 1
    assert ended.last_line.startswith("KeyError: 'tensor [images] of input_processors")


@pytest.mark.parametrize("fault", ["hang", "oom"])
def test_a_build_that_hangs_or_is_killed_leaves_no_axmodel(bench: Bench, fault: str) -> None:
    config = bench.write(bench.config())
    process = bench.start("build", "--config", config, environment={"PULSAR2_SIM_FAULT": fault})
    assert process.stdout is not None
    if fault == "hang":
        while b"compile npu subgraph" not in process.stdout.readline():
            assert process.poll() is None
        process.kill()

    output, _ = process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert b"fuse 1 subgraph(s)" not in output
    assert not bench.axmodel.exists()
    if fault == "oom":
        assert output.endswith(b"34/68 [00:01<00:01, ?it/s]")


@pytest.mark.parametrize(
    ("fault", "code", "last"),
    [
        ("no-file", 0, "fuse 1 subgraph(s)"),
        ("rc1", 1, "yamain.common.error.CodeException: (<ErrorCode.NPUBackendError: 8>, "),
        ("who-knows", 1, "ValueError: PULSAR2_SIM_FAULT 'who-knows' is none of "),
    ],
)
def test_a_fault_ends_the_build_without_an_axmodel(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str, code: int, last: str
) -> None:
    monkeypatch.setenv("PULSAR2_SIM_FAULT", fault)

    ended = bench.build()

    assert ended.code == code
    assert last in ended.last_line
    assert not bench.axmodel.exists()


def test_the_fault_wrong_target_names_another_npu_mode(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = bench.build(None, "--npu_mode", "NPU1", "--output_name", "right.axmodel")
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "wrong-target")

    wrong = bench.build(None, "--npu_mode", "NPU1")

    assert (right.code, wrong.code) == (0, 0)
    headers = [
        onnx.load(bench.axmodel.with_name(name)).metadata_props[0].value
        for name in ("right.axmodel", "compiled.axmodel")
    ]
    assert headers[0] != headers[1]


def test_the_stand_in_needs_nothing_of_orch() -> None:
    folder = Path(__file__).parents[3] / "containers" / "pulsar2_sim"
    sources = [path.read_text(encoding="utf-8") for path in folder.glob("*.py")]

    assert len(sources) > 10
    assert not any("orchestrator" in source for source in sources)
    assert "containers.pulsar2_sim.build" in sys.modules
