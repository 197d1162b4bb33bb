"""Models of one node that the toolchain refuses, and their like that it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from orchestrator.domain import Target
from orchestrator.pulsar2.preflight import Finding, check_model
from tests.unit.orchestrator.pulsar2.preflight.operator_cases import DOUBTED, REFUSED, TAKEN

Draw = Callable[..., Path]
AX650 = Target("AX650", "NPU1")


def look(path: Path, target: Target = AX650, version: str = "5.2") -> tuple[Finding, ...]:
    return check_model(path, target, version, {})


@pytest.mark.parametrize(
    ("op", "how", "check", "message", "advice"),
    REFUSED,
    ids=[f"{op}: {message}" for op, _, _, message, _ in REFUSED],
)
def test_what_the_target_does_not_take_is_refused_with_node_and_advice(
    draw: Draw, op: str, how: Mapping[str, Any], check: str, message: str, advice: str
) -> None:
    (found,) = [one for one in look(draw(op, **how)) if one.level == "refuse"]

    assert (found.check, found.where) == (check, f"the_{op}")
    assert message in found.message
    assert advice in found.advice


@pytest.mark.parametrize(("op", "how"), TAKEN, ids=[f"{op}-{i}" for i, (op, _) in enumerate(TAKEN)])
def test_what_the_target_takes_is_not_spoken_of(
    draw: Draw, op: str, how: Mapping[str, Any]
) -> None:
    assert look(draw(op, **how)) == ()


@pytest.mark.parametrize(
    ("op", "how", "check", "message"), DOUBTED, ids=[f"{op}: {text}" for op, _, _, text in DOUBTED]
)
def test_what_may_fail_is_warned_of(
    draw: Draw, op: str, how: Mapping[str, Any], check: str, message: str
) -> None:
    (found,) = look(draw(op, **how))

    assert (found.level, found.check) == ("warn", check)
    assert message in found.message


def test_sin_on_ax620e_came_with_3_4(draw: Draw) -> None:
    model, small = draw("Sin"), Target("AX620E", "NPU1")

    (old,) = look(model, small, "3.3")
    assert (old.level, old.where) == ("refuse", "the_Sin")
    assert "from 3.4 on; this is 3.3" in old.message
    assert look(model, small, "3.4") == ()
    assert look(model, AX650, "3.3") == ()


def test_where_no_list_is_known_what_ax650_lacks_is_only_doubted(draw: Draw) -> None:
    (found,) = look(draw("Selu"), Target("AX620E", "NPU1"))
    assert (found.level, found.check) == ("warn", "operator")
    assert "AX650 has no Selu" in found.message


def test_what_the_front_end_cannot_read_is_refused_on_any_target(draw: Draw) -> None:
    (found,) = look(draw("IsNaN", made=TensorProto.BOOL), Target("AX620E", "NPU1"))
    assert found.level == "refuse"


def test_m76h_has_the_list_of_ax650(draw: Draw) -> None:
    (found,) = look(draw("Selu"), Target("M76H", "NPU1"))
    assert (found.level, found.message) == ("refuse", "M76H has no Selu")


def test_control_flow_is_refused(tmp_path: Path) -> None:
    same = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])],
    )
    node = helper.make_node("If", ["c"], ["y"], name="choose", then_branch=same, else_branch=same)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [4]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
    )
    path = tmp_path / "if.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)

    (found,) = look(path)

    assert (found.level, found.where) == ("refuse", "choose")
    assert "fix the condition" in found.advice


ENDINGS: list[tuple[str, dict[str, object]]] = [
    ("Squeeze", {"shape": (1, 4), "constants": {"axes": [0]}}),
    ("Reshape", {"shape": (1, 4), "constants": {"to": [4]}}),
]


@pytest.mark.parametrize(("op", "how"), ENDINGS, ids=[op for op, _ in ENDINGS])
def test_what_fails_only_at_the_end_is_doubted_only_there(
    draw: Draw, op: str, how: dict[str, Any]
) -> None:
    path = draw(op, **how)
    assert look(path, version="5.2") == ()

    (found,) = look(path, version="6.0")

    assert (found.level, found.check, found.where) == ("warn", "operator", f"the_{op}")
    assert "end of a model" in found.message
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Relu", ["y"], ["z"], name="r"))
    model.graph.output[0].name = "z"
    onnx.save(model, path)
    assert look(path, version="6.0") == ()


def test_what_is_computed_from_shapes_is_folded_and_not_checked(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.DOUBLE),
        helper.make_node("Sign", ["f"], ["g"]),
        helper.make_node("Cast", ["g"], ["t"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])],
    )
    path = tmp_path / "folded.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)

    assert look(path) == ()


def test_a_node_without_a_name_is_called_by_what_it_gives(draw: Draw) -> None:
    path = draw("Selu")
    model = onnx.load(path)
    model.graph.node[0].name = ""
    onnx.save(model, path)
    (found,) = look(path)
    assert found.where == "Selu giving y"


def test_a_function_of_the_models_own_is_to_be_inlined(draw: Draw) -> None:
    path = draw("Mine", domain="own")
    model = onnx.load(path)
    body = [helper.make_node("Relu", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("own", "Mine", ["a"], ["b"], body, opsets))
    onnx.save(model, path)
    (found,) = look(path)
    assert (found.level, found.check) == ("refuse", "domain")
    assert "inline_local_functions" in found.advice
