"""Stands in for the vendor's package: prints what it prints and fails as its script says.

It is copied into a folder of its own as `axengine/__init__.py`. FAKE_AXENGINE names the script, a
JSON file; beside it the fake notes what was asked of it.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FILE = Path(os.environ["FAKE_AXENGINE"])
SCRIPT: dict[str, Any] = json.loads(_FILE.read_text())
_TYPES = {kind.__name__: kind for kind in (RuntimeError, ValueError, TypeError, ImportError)}


def say(line: str) -> None:
    """Print as the vendor's package does."""
    print(line)  # noqa: T201 - what the agent has to cope with


def note(name: str) -> None:
    """Add a mark to the file `name` beside the script."""
    with _FILE.with_name(name).open("a") as file:
        file.write(".")


def fail(step: str) -> None:
    """Raise what the script holds for a step: [type, text]."""
    if step in SCRIPT:
        kind, text = SCRIPT[step]
        raise _TYPES[kind](text)


class NodeArg(NamedTuple):
    """The vendor's: a dtype, not a type."""

    name: str
    dtype: np.dtype[Any]
    shape: list[int]


def nodes(key: str) -> list[NodeArg]:
    """The inputs or outputs of the script's model."""
    return [NodeArg(name, np.dtype(dtype), shape) for name, dtype, shape in SCRIPT[key]]


class InferenceSession:
    """Gives each output filled with the sum of the first input."""

    def __init__(self, path: str, providers: str) -> None:
        note("starts")
        if not isinstance(path, str) or providers != "AxEngineExecutionProvider":
            raise TypeError(f"{path!r} with {providers!r}")
        say("[INFO] Using provider: AxEngineExecutionProvider")
        if _FILE.with_name("starts").stat().st_size <= SCRIPT.get("failing_starts", 0):
            raise RuntimeError("Failed to initialize ax sys engine.")
        say("[INFO] Chip type: ChipType.MC50")
        say("[INFO] VNPU type: VNPUType.DISABLED")
        say("[INFO] Engine version: 2.10.1s")
        say("[INFO] Model type: 0 (single core)")
        fail("start")
        say("[INFO] Compiler version: 1.2-patch2 7e6b2b5f")
        note("loads")
        self._open = [self]  # a cycle, as in the vendor's: only the collector ends it
        atexit.register(_complain, weakref.ref(self))

    def get_providers(self) -> str:
        return "AxEngineExecutionProvider"

    def get_inputs(self) -> list[NodeArg]:
        return nodes("inputs")

    def get_outputs(self) -> list[NodeArg]:
        return nodes("outputs")

    def run(self, output_names: None, feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        if output_names is not None:
            raise ValueError("'a' is not in list")
        note("runs")
        os.write(1, b"a C library says ORCH/1 things\n")
        fail("run")
        _act(SCRIPT.get("at_run", ""))
        first = feed[self.get_inputs()[0].name]
        if not first.flags["C_CONTIGUOUS"]:
            raise ValueError("memory in another order")
        made = [np.full(node.shape, int(first.sum()), node.dtype) for node in nodes("outputs")]
        return made[: SCRIPT.get("outputs_given", len(made))]


def _complain(session: Callable[[], object]) -> None:
    if session() is not None:
        say("Exception ignored in: a session that was still open")


def _act(what: str) -> None:
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "exit":
        os.write(2, b"last words\n")
        os._exit(7)
    gate = _FILE.with_name("gate")
    while what == "wait" and not gate.exists():
        time.sleep(0.005)
    while what == "hang":
        time.sleep(60)


say("[INFO] Available providers:  ['AxEngineExecutionProvider']")
fail("import")
if SCRIPT.get("old_api"):
    InferenceSession.load_from_model = None  # type: ignore[attr-defined]
if sys.flags.optimize:
    raise RuntimeError("the asserts of the vendor's package are gone")
