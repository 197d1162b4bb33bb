"""What optimize refuses, on graphs of a few nodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from orchestrator.domain import HeadSpec, Recipe, Task
from orchestrator.errors import OptimizeError
from orchestrator.images import NamedImage
from orchestrator.onnx_graph import undecided
from orchestrator.recipe import load_recipe
from orchestrator.stages.optimize import _hold_together, optimize

pytestmark = pytest.mark.slow

TINY = load_recipe("segformer-tiny")
NOISE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def recipe_for(task: Task) -> Recipe:
    return replace(
        TINY,
        name="small",
        checkpoint=replace(TINY.checkpoint, task=task),
        export=replace(TINY.export, shape=(1, 3, 8, 8), input_name="x", output_name="y"),
        head=HeadSpec("none", 1, keepdims=True, output_name="y"),
        classes=(),
    )


def graph(*nodes: NodeProto, shape: list[int | str], **weights: object) -> onnx.ModelProto:
    """A model of x, (1, 3, 8, 8), and y."""
    made = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def branching() -> onnx.ModelProto:
    """The image where its sum is above 0, else its negative."""
    value = helper.make_tensor_value_info
    branches = [
        helper.make_graph(
            [helper.make_node(op, ["x"], [op])],
            op,
            [],
            [value(op, TensorProto.FLOAT, [1, 3, 8, 8])],
        )
        for op in ("Neg", "Identity")
    ]
    return graph(
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["above"]),
        helper.make_node(
            "If", ["above"], ["y"], "choose", then_branch=branches[1], else_branch=branches[0]
        ),
        shape=[1, 3, 8, 8],
        zero=np.float32(0),
    )


def looping() -> onnx.ModelProto:
    """The image doubled as often as its largest value says."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["before", "before"], ["after"]),
            helper.make_node("Identity", ["go"], ["on"]),
        ],
        "body",
        [
            value("turn", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("before", TensorProto.FLOAT, [1, 3, 8, 8]),
        ],
        [value("on", TensorProto.BOOL, []), value("after", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    return graph(
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["turns"], to=TensorProto.INT64),
        helper.make_node("Loop", ["turns", "", "x"], ["y"], "again", body=body),
        shape=[1, 3, 8, 8],
    )


def selecting() -> onnx.ModelProto:
    """The values that are not 0, however many they are."""
    return graph(
        helper.make_node("NonZero", ["x"], ["places"], "find"),
        helper.make_node("Cast", ["places"], ["y"], to=TensorProto.FLOAT),
        shape=[4, "many"],
    )


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (branching(), "If choose decides which nodes run"),
        (looping(), "Loop again decides which nodes run"),
        (selecting(), "NonZero find decides the size of places"),
    ],
    ids=["if", "loop", "nonzero"],
)
def test_what_is_decided_at_run_time_is_refused_by_its_node(
    model: onnx.ModelProto, reason: str, tmp_path: Path
) -> None:
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "source.onnx")
    images = [NamedImage("noise", NOISE)]

    with pytest.raises(OptimizeError) as refusal:
        optimize(recipe_for("depth-estimation"), tmp_path / "source.onnx", images, 1, tmp_path)

    assert str(refusal.value).startswith(f"small: {reason}, ")
    assert refusal.value.hint


def test_sizes_behind_a_makers_own_operator_are_taken_for_fixed() -> None:
    own = graph(
        helper.make_node("Sharpen", ["x"], ["s"], domain="com.example"),
        helper.make_node("Relu", ["s"], ["y"]),
        shape=[1, 3, 8, 8],
    )
    own.opset_import.append(helper.make_opsetid("com.example", 1))

    assert undecided(own) == ""


def test_what_depends_on_sizes_alone_is_folded(tmp_path: Path) -> None:
    model = graph(
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Slice", ["size", "two", "four"], ["plane"]),
        helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["one", "plane"], ["target"], axis=0),
        helper.make_node("Reshape", ["grey", "target"], ["y"]),
        shape=[1, "h", "w"],
        one=np.array([1], np.int64),
        two=np.array([2], np.int64),
        four=np.array([4], np.int64),
    )
    onnx.save(model, tmp_path / "source.onnx")

    done = optimize(
        recipe_for("depth-estimation"),
        tmp_path / "source.onnx",
        [NamedImage("noise", NOISE)],
        1,
        tmp_path,
    )

    assert done.ops_after == {"ReduceMean": 1, "Reshape": 1}
    assert (done.agreement, done.difference) == (1.0, 0.0)


def moved(by: float) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Outputs from 100 to 101, and the same with one value of the second moved."""
    kept = [np.linspace(100, 101, 64, dtype=np.float32).reshape(1, 8, 8) for _ in range(2)]
    found = [one.copy() for one in kept]
    found[1][0, 3, 3] += by
    return kept, found


@pytest.mark.parametrize("task", ["depth-estimation", "image-feature-extraction"])
def test_a_value_that_moved_is_refused_though_the_answers_are_still_alike(task: Task) -> None:
    kept, found = moved(by=0.02)

    with pytest.raises(OptimizeError) as refusal:
        _hold_together(recipe_for(task), kept, found)

    assert str(refusal.value) == (
        "small: the optimized graph differs from the exported one on 2 images: agreement 100.000% "
        "(must be 99.99%), largest difference 2.0e-02 of the range (may be 1e-03)"
    )


def test_rounding_is_no_difference() -> None:
    kept, found = moved(by=5e-4)

    same, apart = _hold_together(recipe_for("depth-estimation"), kept, found)

    assert same == 1.0
    assert apart == pytest.approx(5e-4, rel=0.05)


def test_a_value_that_is_no_number_any_more_is_refused() -> None:
    with pytest.raises(OptimizeError, match="largest difference nan"):
        _hold_together(recipe_for("depth-estimation"), *moved(by=np.nan))


def test_an_output_without_relief_is_held_against_its_own_size() -> None:
    flat = [np.full((1, 8, 8), 100, np.float32)]

    _, apart = _hold_together(recipe_for("depth-estimation"), flat, [flat[0] + np.float32(1e-4)])

    assert apart == pytest.approx(1e-4, rel=0.1)
