"""What a release takes on a board, as far as its sidecar and other boards tell. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.domain import BoardOutcome, Json

#: By the digits in a dtype's name: `bfloat16`.
_ITEM_BYTES = {"8": 1, "16": 2, "32": 4, "64": 8}


@dataclass(frozen=True, slots=True)
class Need:
    """What a release takes on a board.

    Attributes:
        send_bytes: what will be sent.
        unpack_bytes: what comes of it in beside, where it is sent packed.
        files: files that will be new.
        cmm_bytes: NPU memory, as another board has measured it; None: nobody has.
        tensor_bytes: of one set of inputs and outputs.
        dtypes: of the inputs and outputs, in numpy's words.
        task: of the checkpoint, in the hub's words.
    """

    send_bytes: int = 0
    unpack_bytes: int = 0
    files: int = 0
    cmm_bytes: int | None = None
    tensor_bytes: int = 0
    dtypes: frozenset[str] = frozenset()
    task: str = ""


def need_of_sidecar(sidecar: Mapping[str, Json]) -> tuple[int, frozenset[str]]:
    """Give the bytes and the dtypes of a model's inputs and outputs."""
    size, dtypes = 0, set()
    for role in ("inputs", "outputs"):
        tensors = sidecar.get(role)
        for tensor in tensors if isinstance(tensors, list) else []:
            if not isinstance(tensor, dict):
                continue
            dtype, shape = str(tensor.get("dtype")), tensor.get("shape")
            axes = [one for one in shape if isinstance(one, int)] if isinstance(shape, list) else []
            bits = "".join(letter for letter in dtype if letter.isdigit())
            size += math.prod(axes) * _ITEM_BYTES.get(bits, 1)
            dtypes.add(dtype)
    return size, frozenset(dtypes)


def cmm_of(release_id: str, outcomes: Iterable[BoardOutcome]) -> int | None:
    """Give the most NPU memory that a release took on boards that have measured it, in bytes."""
    taken = []
    for outcome in outcomes:
        measured, delivery = outcome.measurement, outcome.delivery
        if measured is None or delivery is None or delivery.release_id != release_id:
            continue
        before, after = (number(one, "cmm_used_bytes") for one in (measured.before, measured.after))
        if before is not None and after is not None and after > before:
            taken.append(round(after - before))
    return max(taken, default=None)


def number(values: Mapping[str, Json], key: str) -> float | None:
    """Give a number that a board told, if it is one."""
    value = values.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
