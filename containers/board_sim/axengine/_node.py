"""Values of the look-alike's public interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class NodeArg:
    """One input or output of a model. The field is `dtype`, not onnxruntime's `type`."""

    name: str
    dtype: np.dtype[Any]
    shape: list[int]


class SessionOptions:
    """Holds nothing, like the real one."""
