"""Stands in for the vendor's package: prints what it prints and fails as its script says.

It is copied into a folder of its own as `axengine/__init__.py`. FAKE_AXENGINE names the script, a
JSON file; beside it the fake notes what was asked of it.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import sys
import time
import types
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


class Simulated:
    """Time that passes where the script says so; the C library, as the vendor's module names it.

    `latencies_ns` are those of the C call, the last one for ever; `copy_ns` is what copying takes
    before and again after it.
    """

    now_ns = 0

    def sleep(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)

    def copy(self) -> None:
        self.now_ns += SCRIPT.get("copy_ns", 0)

    def AX_ENGINE_RunSyncV2(self, _handle: None, _context: None, _io: None) -> int:  # noqa: N802 - the vendor's
        latencies = SCRIPT["latencies_ns"]
        self.now_ns += latencies[min(_FILE.with_name("runs").stat().st_size, len(latencies)) - 1]
        return 0


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
        _leak(SCRIPT.get("leak_kb", 0))
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
        if "latencies_ns" in SCRIPT:
            simulated.copy()
            sys.modules["axengine._axe"].engine_lib.AX_ENGINE_RunSyncV2(None, None, None)
            simulated.copy()
        _act(SCRIPT.get("at_run", ""))
        first = feed[self.get_inputs()[0].name]
        if not first.flags["C_CONTIGUOUS"]:
            raise ValueError("memory in another order")
        made = [np.full(node.shape, int(first.sum()), node.dtype) for node in nodes("outputs")]
        return made[: SCRIPT.get("outputs_given", len(made))]


def _complain(session: Callable[[], object]) -> None:
    if session() is not None:
        say("Exception ignored in: a session that was still open")


def _leak(kib: int) -> None:
    """NPU memory that nobody gives back."""
    info = Path(os.environ["ORCH_SYSROOT"], "proc/ax_proc/mem_cmm_info")
    if kib:
        used = re.compile(r"(?<=used=)\d+")
        info.write_text(used.sub(lambda found: str(int(found.group()) + kib), info.read_text()))


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
if "latencies_ns" in SCRIPT:
    simulated = Simulated()
    simulated_clock_ns, simulated_sleep = lambda: simulated.now_ns, simulated.sleep
    sys.modules["axengine._axe"] = types.ModuleType("axengine._axe")
    sys.modules["axengine._axe"].engine_lib = simulated  # type: ignore[attr-defined]
