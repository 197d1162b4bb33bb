from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper

from orchestrator.domain import CommandResult, Recipe, Target, ToolchainIdentity
from orchestrator.errors import CompileError, DeadlineError, PreflightError
from orchestrator.images import NamedImage, normalise
from orchestrator.seams import Bench as Desk
from orchestrator.seams import Progress
from orchestrator.stages import compile as stage

IDENTITY = ToolchainIdentity("t", "5.2", "fa4e0000", "sha256:00", simulated=True)
LOG = b"\x1b[32mINFO\x1b[0m macs: 1,024\nmax_cycle = 99\nfuse 1 subgraph(s)\n"


class Axmodel(Protocol):
    """A hand-made axmodel (conftest)."""

    def content(self) -> bytes: ...


@dataclass
class FakeToolchain:
    """A `pulsar2` that prints `log`, leaves `axmodel` and ends with `returncode`."""

    axmodel: bytes | None
    returncode: int = 0
    log: bytes = LOG
    table: str = ""
    seen: dict[str, bytes] = field(default_factory=dict)

    def identity(self) -> ToolchainIdentity:
        return IDENTITY

    def engine_id(self) -> str:
        return "here"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        if deadline_s < 1:
            raise DeadlineError("pulsar2 build took longer")
        options = dict(zip(argv[2::2], argv[3::2], strict=True))
        for name in ("--input", "--config"):
            self.seen[name] = (work_dir / options[name]).read_bytes()
        config = json.loads(self.seen["--config"])
        dataset = config["quant"]["input_configs"][0]["calibration_dataset"]
        self.seen["dataset"] = (work_dir / dataset).read_bytes()
        for line in self.log.decode().splitlines():
            on_line(line)
        if self.axmodel is not None:
            output = work_dir / options["--output_dir"]
            (output / "compiled.axmodel").write_bytes(self.axmodel)
            if self.table:
                (output / "quant" / "debug").mkdir(parents=True)
                (output / "quant" / "debug" / "precision_analysis_table.txt").write_text(self.table)
        return CommandResult(self.returncode, self.log, b"")


@dataclass
class Bench:
    """Everything that compiling needs but the toolchain."""

    recipe: Recipe
    folder: Path
    progress: Progress
    images: list[NamedImage]
    model: ModelProto

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "r" / "compile.log"

    def compile(self, toolchain: FakeToolchain) -> stage.Compiled:
        onnx = self.folder / "source.onnx"
        onnx.write_bytes(self.model.SerializeToString())
        work = self.folder / "work"
        work.mkdir()
        bench = Desk(toolchain, IDENTITY, self.progress, work, self.log)
        return stage.compile_model(self.recipe, onnx, iter(self.images), bench)


@pytest.fixture
def bench(recipe: Recipe, tmp_path: Path, progress: Progress) -> Bench:
    pixels = np.arange(8 * 16 * 3, dtype=np.uint8).reshape(8, 16, 3)
    images = [NamedImage("a", pixels), NamedImage("b", 255 - pixels)]
    return Bench(
        recipe, tmp_path, progress, images, model(helper.make_node("Relu", ["x"], ["logits"]))
    )


def model(last: NodeProto) -> ModelProto:
    """A model of the recipe's shape: input → Sigmoid → `last` → logits."""
    shape = [1, 3, 8, 16]
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["input"], ["x"], name="gate"), last],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_a_build_gives_axmodel_sidecar_facts_and_log(
    bench: Bench, axmodel: Callable[..., Axmodel]
) -> None:
    compiled = bench.compile(FakeToolchain(axmodel().content()))

    assert compiled.made.axmodel.read_bytes() == axmodel().content()
    assert (str(compiled.made.header.target), compiled.made.header.simulated) == (
        "AX650/NPU3",
        True,
    )
    assert (compiled.made.facts.macs, compiled.made.facts.max_cycle) == (1024, 99)
    assert bench.log.read_bytes() == LOG


def test_the_toolchain_finds_model_and_config_and_normalised_arrays(
    bench: Bench, axmodel: Callable[..., Axmodel]
) -> None:
    toolchain = FakeToolchain(axmodel().content())
    bench.compile(toolchain)

    assert toolchain.seen["--input"] == bench.model.SerializeToString()
    with tarfile.open(fileobj=io.BytesIO(toolchain.seen["dataset"])) as tar:
        names = tar.getnames()
        first = tar.extractfile(names[0])
        assert first is not None
        array = np.load(io.BytesIO(first.read()))
    assert names == ["00000.npy", "00001.npy"]
    assert array.tolist() == normalise(bench.images[0].pixels, bench.recipe.preprocess).tolist()


def test_the_sidecar_says_what_a_board_must_know(
    bench: Bench, axmodel: Callable[..., Axmodel]
) -> None:
    sidecar = json.loads(bench.compile(FakeToolchain(axmodel().content())).sidecar.read_text())

    assert sidecar == {
        "version": 1,
        "model": "model.axmodel",
        "target": {"hardware": "AX650", "npu_mode": "NPU3"},
        "pulsar2": {"version": "5.2", "commit": "fa4e0000"},
        "simulated": True,
        "inputs": [
            {
                "name": "input",
                "dtype": "uint8",
                "shape": [1, 8, 16, 3],
                "layout": "NHWC",
                "colour": "RGB",
                "mean": [1, 2, 3],
                "std": [2, 4, 8],
            }
        ],
        "outputs": [
            {"name": "classes", "dtype": "int32", "shape": [1, 1, 2, 4], "meaning": "class ids"}
        ],
    }


def test_a_failed_build_is_named_by_its_cause(bench: Bench) -> None:
    log = b"building\nyamain.CodeException: (<ErrorCode.NPUBackendError: 8>, Tile('/Resize_3'))\n"

    with pytest.raises(CompileError) as caught:
        bench.compile(FakeToolchain(None, 1, log))

    assert caught.value.message.startswith("small: pulsar2 5.2 exited with 1 for AX650/NPU3: ")
    assert caught.value.message.endswith("NPUBackendError 8: Tile: /Resize_3")
    assert caught.value.code == "NPU_BACKEND"
    assert str(bench.log) in caught.value.hint
    assert bench.log.read_bytes() == log


def test_a_failed_build_is_failed_whatever_it_left(
    bench: Bench, axmodel: Callable[..., Axmodel]
) -> None:
    with pytest.raises(CompileError, match="exited with 137") as caught:
        bench.compile(FakeToolchain(axmodel().content(), 137))

    assert caught.value.code == "OUT_OF_MEMORY"


@pytest.mark.parametrize("content", [None, b""])
def test_success_without_an_axmodel_is_a_failure(bench: Bench, content: bytes | None) -> None:
    with pytest.raises(
        CompileError, match=r"exited with 0 .* the axmodel is (missing|empty)"
    ) as caught:
        bench.compile(FakeToolchain(content))

    assert caught.value.code == ("EMPTY_AXMODEL" if content == b"" else "NO_AXMODEL")


def test_a_log_without_its_end_is_a_failure(bench: Bench, axmodel: Callable[..., Axmodel]) -> None:
    with pytest.raises(CompileError) as caught:
        bench.compile(FakeToolchain(axmodel().content(), log=LOG.replace(b"fuse", b"")))

    assert caught.value.code == "TRUNCATED"


def test_a_model_that_would_be_refused_is_not_built(bench: Bench) -> None:
    bench.model = model(helper.make_node("Det", ["x"], ["logits"], name="strange"))
    toolchain = FakeToolchain(None)

    with pytest.raises(PreflightError, match=r"strange: .*Det"):
        bench.compile(toolchain)

    assert toolchain.seen == {}


def test_the_precision_table_is_kept(bench: Bench, axmodel: Callable[..., Axmodel]) -> None:
    table = "| Operator | Cosin |\n|---|---|\n| gate | 0.5 |\n"

    made = bench.compile(FakeToolchain(axmodel().content(), table=table)).made

    assert made.precision is not None
    assert made.precision.read_text() == table


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"npu_mode": 0}, "for AX650/NPU1 by pulsar2 5.2 (fa4e0000), asked was AX650/NPU3"),
        ({"hardware": 1}, "for AX620E/NPU3 by"),
        ({"version": "3.4"}, "by pulsar2 3.4 (fa4e0000), asked was AX650/NPU3 by 5.2"),
        ({"commit": "3dfd5692"}, "(3dfd5692), asked was"),
    ],
)
def test_another_axmodel_than_was_asked_for_is_refused(
    bench: Bench, axmodel: Callable[..., Axmodel], made: dict[str, object], message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        bench.compile(FakeToolchain(axmodel(**made).content()))

    assert message in caught.value.message


def test_a_chip_whose_number_is_not_published_is_what_was_asked_for(
    bench: Bench, axmodel: Callable[..., Axmodel]
) -> None:
    target = Target("AX615", "NPU1")
    bench.recipe = replace(bench.recipe, compile=replace(bench.recipe.compile, target=target))

    made = bench.compile(FakeToolchain(axmodel(hardware=7, npu_mode=0).content())).made

    assert made.header.target == target


def test_what_is_no_axmodel_is_refused(bench: Bench) -> None:
    with pytest.raises(CompileError, match="not an axmodel"):
        bench.compile(FakeToolchain(b"<html>"))


def test_the_deadline_of_the_recipe_is_the_toolchains(bench: Bench) -> None:
    bench.recipe = replace(bench.recipe, compile=replace(bench.recipe.compile, timeout_s=0.5))

    with pytest.raises(DeadlineError, match="it was at front end"):
        bench.compile(FakeToolchain(None))
