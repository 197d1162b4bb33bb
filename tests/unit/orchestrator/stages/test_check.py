from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, save

from orchestrator import seams
from orchestrator.domain import CommandResult, Recipe, ToolchainIdentity
from orchestrator.errors import CompileError
from orchestrator.images import NamedImage, runtime_input
from orchestrator.seams import Progress
from orchestrator.stages.check import Checked, check, difference

IDENTITY = ToolchainIdentity("t", "5.2", "fa4e0000", "sha256:00", simulated=True)


class Axmodel(Protocol):
    """A hand-made axmodel (conftest)."""

    def content(self) -> bytes: ...


@dataclass
class FakeRuntime:
    """A `pulsar2 run` that answers each image with `answer(its index)` under the name `classes`."""

    answer: Callable[[int], NDArray[np.generic] | None]
    returncode: int = 0

    def identity(self) -> ToolchainIdentity:
        return IDENTITY

    def engine_id(self) -> str:
        return "here"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        assert deadline_s > 0
        assert list(argv[:2]) == ["pulsar2", "run"]
        options = dict(zip(argv[2::2], argv[3::2], strict=True))
        assert (work_dir / options["--model"]).is_file()
        for index, name in enumerate((work_dir / options["--list"]).read_text().split()):
            fed = (work_dir / options["--input_dir"] / name / "input.bin").read_bytes()
            assert len(fed) == 8 * 16 * 3
            on_line(f">>> [{name}] start")
            if (found := self.answer(index)) is not None:
                (work_dir / options["--output_dir"] / name / "classes.bin").write_bytes(
                    found.tobytes()
                )
            on_line(f">>> [{name}] finish")
        return CommandResult(self.returncode, b"ValueError: no\n", b"")


@dataclass
class Bench:
    recipe: Recipe
    folder: Path
    progress: Progress
    axmodel: bytes
    images: list[NamedImage]

    def check(self, runtime: FakeRuntime) -> Checked:
        onnx, model, work = (self.folder / name for name in ("m.onnx", "m.axmodel", "work"))
        model.write_bytes(self.axmodel)
        _save_argmax(onnx)
        work.mkdir()
        log = self.folder / "logs" / "check.log"
        bench = seams.Bench(runtime, IDENTITY, self.progress, work, log)
        return check(self.recipe, onnx, model, self.images, bench)

    def truth(self, index: int) -> NDArray[np.int32]:
        """What the float model says: the brightest channel of every 4 x 4 block's first pixel."""
        fed = runtime_input(self.images[index].pixels, self.recipe.preprocess)[0, ::4, ::4]
        how = self.recipe.preprocess
        mean, std = np.array(how.mean, np.float32), np.array(how.std, np.float32)
        classes: NDArray[np.int32] = ((fed - mean) / std).argmax(axis=-1).astype(np.int32)
        return classes[np.newaxis, np.newaxis]


def _save_argmax(path: Path) -> None:
    """Save a model: (1, 3, 8, 16) float → (1, 1, 2, 4) int64, the channel of every fourth pixel."""
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["input", "starts", "ends", "axes", "steps"], ["few"]),
            helper.make_node("ArgMax", ["few"], ["classes"], axis=1, keepdims=1),
        ],
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 8, 16])],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, [1, 1, 2, 4])],
        [
            helper.make_tensor("starts", TensorProto.INT64, [2], [0, 0]),
            helper.make_tensor("ends", TensorProto.INT64, [2], [8, 16]),
            helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("steps", TensorProto.INT64, [2], [4, 4]),
        ],
    )
    opset = [helper.make_opsetid("", 13)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


@pytest.fixture
def bench(
    recipe: Recipe, tmp_path: Path, progress: Progress, axmodel: Callable[..., Axmodel]
) -> Bench:
    head = replace(recipe.head, output_name="classes")
    noise = np.random.default_rng(5)
    images = [
        NamedImage(name, noise.integers(0, 255, (8, 16, 3), dtype=np.uint8)) for name in ("a", "b")
    ]
    return Bench(replace(recipe, head=head), tmp_path, progress, axmodel().content(), images)


def test_a_model_that_answers_like_the_float_one_agrees_wholly(bench: Bench) -> None:
    checked = bench.check(FakeRuntime(bench.truth))

    assert (checked.agreement.share, checked.agreement.miou) == (1.0, 1.0)
    assert checked.agreement.images == 2
    assert [one.name for one in checked.outputs] == ["classes"]
    assert checked.outputs[0].cosine is None
    assert np.load(checked.answers).shape == (2, 2, 4)


def test_pixels_of_another_class_are_counted(bench: Bench) -> None:
    def wrong(index: int) -> NDArray[np.int32]:
        found = bench.truth(index)
        found[0, 0, 0, 0] = (found[0, 0, 0, 0] + 1) % 3
        return found

    assert bench.check(FakeRuntime(wrong)).agreement.share == pytest.approx(1 - 1 / 8)


def test_a_failed_run_is_named_by_its_cause(bench: Bench) -> None:
    with pytest.raises(CompileError, match="ended with 1: ValueError: no") as caught:
        bench.check(FakeRuntime(bench.truth, returncode=1))

    assert "check.log" in caught.value.hint


def test_a_missing_output_is_an_error(bench: Bench) -> None:
    with pytest.raises(CompileError, match=r"wrote no classes.bin of image 1"):
        bench.check(FakeRuntime(lambda index: None if index else bench.truth(index)))


def test_an_output_of_another_size_is_an_error(bench: Bench) -> None:
    with pytest.raises(CompileError, match=r"wrote 8 bytes as classes.bin, int32 .* takes 32"):
        bench.check(FakeRuntime(lambda index: bench.truth(index).astype(np.uint8)))


def test_float_outputs_are_compared_as_vectors() -> None:
    expected = [np.array([1, 0], np.float32), np.array([0, 2], np.float32)]
    found = [np.array([1, 0], np.float32), np.array([1, 2], np.float32)]

    compared = difference("logits", expected, found)

    assert compared.max_abs_error == 1.0
    assert compared.cosine == pytest.approx(5 / np.sqrt(5 * 6))
    assert compared.dtype == "float32"


def test_an_output_that_is_all_zero_has_no_direction() -> None:
    zero = [np.zeros(3, np.float32)]

    compared = difference("logits", zero, zero)

    assert (compared.cosine, compared.max_abs_error) == (None, 0.0)
