"""Small models, written as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Write a model of one node, `x` → `y`; constants are further inputs of the node."""

    def write(  # noqa: PLR0913 - the cases of a table say what they need by name
        op: str,
        shape: tuple[int | str, ...] = (1, 4, 8, 8),
        constants: Mapping[str, object] | None = None,
        *,
        inputs: tuple[str, ...] = (),
        opset: int = 13,
        domain: str = "",
        kind: int = TensorProto.FLOAT,
        made: int = TensorProto.FLOAT,
        **attributes: object,
    ) -> Path:
        held = {name: np.asarray(value) for name, value in (constants or {}).items()}
        names = inputs or ("x", *held)
        node = helper.make_node(op, names, ["y"], name=f"the_{op}", domain=domain, **attributes)
        computed = [name for name in names if name and name != "x" and name not in held]
        given = [helper.make_tensor_value_info("x", kind, shape)]
        given += [helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in computed]
        graph = helper.make_graph(
            [node],
            "small",
            given,
            [helper.make_tensor_value_info("y", made, None)],
            [numpy_helper.from_array(value, name) for name, value in held.items()],
        )
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(domain, 1)] if domain else []
        path = tmp_path / f"{op}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=opsets), path)
        return path

    return write
