"""Each simulated version has the options, targets, words and file format of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest

if TYPE_CHECKING:
    from tests.unit.pulsar2_sim.conftest import Bench

VERSIONS = ("3.3", "4.2", "5.2", "7.0")
SINCE_4_2 = "--compiler.enable_tile_mode"


def simulate(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("PULSAR2_SIM_VERSION", version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_says_its_number_and_builds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    simulate(monkeypatch, version)

    assert bench.pulsar2("version").out == f"version: {version}\ncommit: fa4e0000\n"
    ended = bench.build()
    assert ended.code == 0, ended.err
    model = onnx.load(bench.axmodel)
    assert model.doc_string.startswith(f"Pulsar2 Version:  {version}\n")
    expected = (8, 16) if version == "3.3" else (10, 18)
    assert (model.ir_version, model.opset_import[0].version) == expected
    assert ended.last_line.endswith("fuse 1 subgraph(s)")


def test_an_unknown_version_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, "9.9")

    ended = bench.pulsar2("version")

    assert ended.code == 1
    assert ended.last_line == (
        "ValueError: PULSAR2_SIM_VERSION '9.9' is none of 3.3, 4.2, 5.2, 7.0"
    )


@pytest.mark.parametrize(
    ("version", "targets"),
    [
        ("3.3", {"AX650", "AX620E", "M76H"}),
        ("4.2", {"AX650", "AX620E", "M76H", "AX615", "M57"}),
        ("5.2", {"AX650", "AX620E", "M76H", "AX615", "M57"}),
        ("7.0", {"AX650", "AX620E", "M76H", "AX615", "M57", "AX637", "AX8860"}),
    ],
)
def test_targets_depend_on_the_version(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: str, targets: set[str]
) -> None:
    simulate(monkeypatch, version)

    ended = bench.pulsar2("build", "--target_hardware", "AX999")

    assert ended.code == 2
    named = ended.last_line.split("choose from ")[1].rstrip(")")
    assert {name.strip(" '") for name in named.split(",")} == targets


def test_an_option_of_a_later_version_is_unknown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(monkeypatch, "3.3")
    by_option = bench.build(None, SINCE_4_2)
    by_config = bench.build(bench.config(compiler={"enable_tile_mode": True}))

    assert (by_option.code, by_config.code) == (2, 1)
    assert SINCE_4_2 in by_option.last_line
    missing = 'Message type "pulsar2.build.CompilerConfig" has no field named "enable_tile_mode"'
    assert missing in by_config.err
    simulate(monkeypatch, "4.2")
    assert bench.build(None, SINCE_4_2).code == 0


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.3", ("Stastic Inf tensor", "assembel model [subgraph_npu_0]")),
        ("4.2", ("Statistics Inf tensor", "assemble model [0] [subgraph_npu_0] b1")),
        ("7.0", ("Statistics Inf tensor", "assemble model [0] [subgraph_npu_0] b1")),
    ],
)
def test_the_log_uses_the_words_of_the_version(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: str, words: tuple[str, ...]
) -> None:
    simulate(monkeypatch, version)

    ended = bench.build()

    for word in words:
        assert word in ended.err
    modules = "axnn.yamain" if version == "7.0" else "yamain"
    lines = [line for line in ended.err.splitlines() if "yamain." in line]
    assert len(lines) > 5
    assert all(f" | {modules}.co" in line for line in lines)
    assert ("OnnxModel" in ended.out) is (version != "3.3")


@pytest.mark.parametrize(("version", "prefix"), [("5.2", "yamain"), ("7.0", "axnn.yamain")])
def test_exceptions_name_the_modules_of_the_version(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: str, prefix: str
) -> None:
    simulate(monkeypatch, version)
    monkeypatch.setenv("PULSAR2_SIM_FAULT", "tile")

    ended = bench.build()

    assert ended.last_line.startswith(f"{prefix}.common.error.CodeException: (<ErrorCode.")


def test_the_oldest_has_no_sine_on_one_chip(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.save_model(head="Sin")
    options = ("--target_hardware", "AX620E")

    simulate(monkeypatch, "3.3")
    refused = bench.build(None, *options)
    simulate(monkeypatch, "5.2")

    assert refused.code == 1
    assert "AssertionError: AxQuantizedSin dont support" in refused.err
    assert "TileFailException" in refused.err.splitlines()[-1] or "op: Sin" in refused.err
    assert bench.build(None, *options).code == 0


@pytest.mark.parametrize(("version", "command"), [("5.2", "llm_build"), ("7.0", "llm_build2")])
def test_language_models_are_refused_by_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: str, command: str
) -> None:
    simulate(monkeypatch, version)

    assert command in bench.pulsar2("-h").out
    ended = bench.pulsar2(command, "--input_path", "x")
    assert ended.code == 1
    assert ended.last_line == f"NotImplementedError: {command} is not simulated"


@pytest.mark.parametrize(
    ("hardware", "mode"), [("AX8860", "NPU3"), ("AX637", "NPU2"), ("AX650", "NPU4")]
)
def test_a_mode_that_the_chip_lacks_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, hardware: str, mode: str
) -> None:
    simulate(monkeypatch, "7.0")

    ended = bench.build(None, "--target_hardware", hardware, "--npu_mode", mode)

    assert ended.code == 1
    assert mode in ended.last_line
    assert hardware in ended.last_line
