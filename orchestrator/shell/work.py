"""What must be known of a model before a shell is asked to run it: its sidecar, checked. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain import Json, TensorSpec
from orchestrator.errors import AgentError
from orchestrator.shell.frame import Entry


@dataclass(frozen=True, slots=True)
class ModelThere:
    """A model on a board, as its sidecar tells.

    Attributes:
        input_sizes: bytes of the inputs that were asked for, by sha256.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    input_sizes: Mapping[str, int]


def read_model(entries: Sequence[Entry], name: str) -> ModelThere:
    """Read the answer to `sidecar`. Raises AgentError BAD_REQUEST, MODEL_REJECTED."""
    try:
        content = json.loads(next(e.data for e in entries if e.value == "sidecar"))
        inputs, outputs = (
            tuple(_tensor(spec) for spec in content[key]) for key in ("inputs", "outputs")
        )
        simulated = content.get("simulated") is True
    except (StopIteration, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AgentError(f"{name}: its sidecar cannot be read", "", "BAD_REQUEST") from error
    if simulated != any(entry.key == "simulated" for entry in entries):
        kinds = {True: "simulated", False: "genuine"}
        its, here = kinds[simulated], kinds[not simulated]
        raise AgentError(f"{name}: a {its} model on a {here} board", "", "MODEL_REJECTED")
    said = [entry.value.rpartition(" ") for entry in entries if entry.key == "input"]
    sizes = {sha256: int(size) for sha256, _, size in said if size.isdecimal()}
    return ModelThere(name, inputs, outputs, sizes)


def _tensor(spec: Mapping[str, Json]) -> TensorSpec:
    shape = spec["shape"]
    if not isinstance(shape, list):
        raise TypeError("shape is no list")
    axes = tuple(axis for axis in shape if isinstance(axis, int))
    return TensorSpec(str(spec["name"]), str(spec["dtype"]), axes)


def input_name(model: ModelThere, inputs: Sequence[Json]) -> str:
    """Give the name of the model's only input, once the inputs fit it. Raises INPUT_MISMATCH."""
    if len(model.inputs) != 1:
        raise _mismatch(f"{model.name}: has {len(model.inputs)} inputs, the request gives one")
    spec = model.inputs[0]
    bits = "".join(letter for letter in spec.dtype if letter.isdecimal()) or "8"
    expected = math.prod(spec.shape) * int(bits) // 8
    needs = f"{model.name}: input {spec.name} is {spec.dtype} {list(spec.shape)}, {expected} bytes"
    for item in inputs:
        # 0: it is not there at all, which the board will say.
        if (found := model.input_sizes.get(str(item), 0)) not in {0, expected}:
            raise _mismatch(f"{needs}; the request gives {found} bytes")
    if "/" in spec.name:
        raise _mismatch(f"{needs}; no file can have its name, as ax_run_model wants")
    return spec.name


def _mismatch(message: str) -> AgentError:
    return AgentError(message, "", "INPUT_MISMATCH")
