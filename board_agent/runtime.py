"""The vendor's Python runtime: how to find and start it, and what its messages mean.

It says what it knows of chip and model only by printing it, and why it fails only by texts. Only
worker processes import this module's subject.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Protocol, Sequence

from board_agent.errors import AgentError
from board_agent.places import Board

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROVIDER = "AxEngineExecutionProvider"
OLDEST_PYTHON = (3, 10)
#: Other tenants let the engine's start fail for a moment.
INIT_RETRY_S = 1.0

_LIBRARIES = ("ax_sys", "ax_interpreter", "ax_engine")  # in the order in which they need each other
#: Printed in older releases, logged in newer ones.
_SAID = r"(?:\[INFO\]| INFO -) +"
_PRINTED = {
    "available_providers": re.compile(_SAID + r"Available providers: +(.+)"),
    "provider": re.compile(_SAID + r"Using provider: (.+)"),
    "chip": re.compile(_SAID + r"Chip type: (?:ChipType\.)?(.+)"),
    "vnpu": re.compile(_SAID + r"VNPU type: (?:VNPUType\.)?(.+)"),
    "engine_version": re.compile(_SAID + r"Engine version: (.+)"),
    "model_type": re.compile(_SAID + r"Model type: (.+)"),
    "compiler_version": re.compile(_SAID + r"Compiler version: (.+)"),
}
_START_TEXTS = (
    ("Failed to initialize ax sys", "INIT_FAILED"),
    ("Failed to get VNPU attribute", "INIT_FAILED"),
    ("is not allowed when vnpu is inited as", "VNPU_CONFLICT"),
    ("Failed to allocate memory for", "CMM_FULL"),
    ("Failed to find library", "NO_RUNTIME"),
    ("is not available", "NO_RUNTIME"),
    ("Create session failed with provider", "NO_RUNTIME"),
    ("No available provider", "NO_RUNTIME"),
    ("cannot load library", "NO_RUNTIME"),
    ("not found in library", "NO_RUNTIME"),
)
_RUN_TEXTS = (
    ("Failed to allocate memory for", "CMM_FULL"),
    ("Required inputs", "INPUT_MISMATCH"),
    ("expect shape", "INPUT_MISMATCH"),
)
#: What the runtime is known to raise.
_RAISED = (
    RuntimeError,
    ValueError,
    AssertionError,
    TypeError,
    AttributeError,
    OSError,
    ImportError,
)


class Clock(NamedTuple):
    """The time as measurements see it.

    Attributes:
        now_ns: never goes back; from any origin.
        sleep: waits, in seconds.
    """

    now_ns: Callable[[], int] = time.perf_counter_ns
    sleep: Callable[[float], None] = time.sleep


class Node(Protocol):
    """An input or output as the runtime describes it; `dtype` is numpy's."""

    name: str
    dtype: object
    shape: Sequence[int]


class Session(Protocol):
    """What this agent uses of the runtime's session."""

    def get_inputs(self) -> Sequence[Node]:
        """In the model's order."""

    def get_outputs(self) -> Sequence[Node]:
        """In the model's order."""

    def get_providers(self) -> str | Sequence[str]:
        """A plain string, in every release seen."""

    def run(self, output_names: None, input_feed: Mapping[str, NDArray[Any]]) -> Sequence[object]:
        """One array per output; asked for by name, some releases give them in a wrong order."""


def import_axengine(board: Board) -> Any:
    """The vendor's package. Raises NO_RUNTIME or OLD_PYTHON."""
    for name in _LIBRARIES:
        file = board.library(name)
        if file is not None:
            try:
                ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
            except OSError as error:
                sys.stderr.write(f"{file}: not loaded beforehand: {error}\n")
    find_library = ctypes.util.find_library
    # Without ldconfig's cache, gcc or ld, Python finds no library that LD_LIBRARY_PATH leads to.
    ctypes.util.find_library = lambda name: str(board.library(name) or "") or find_library(name)
    sys.path.extend(board.site_packages())
    try:
        importlib.import_module("numpy")
        axengine = importlib.import_module("axengine")
    except (ImportError, TypeError, SyntaxError, AttributeError, AssertionError, OSError) as error:
        raise import_error(error, sys.version_info[:2]) from error
    if hasattr(axengine.InferenceSession, "load_from_model"):
        raise AgentError("NO_RUNTIME", "axengine: a package from before its first release")
    return axengine


def import_error(error: Exception, python: tuple[int, ...]) -> AgentError:
    """What a failed import means on this Python (major, minor)."""
    text = f"{type(error).__name__}: {error}"
    if python < OLDEST_PYTHON:
        versions = "Python {}.{} < {}.{}".format(*python, *OLDEST_PYTHON)
        return AgentError("OLD_PYTHON", f"{versions}, axengine cannot load", {"import_error": text})
    return AgentError("NO_RUNTIME", f"axengine cannot be imported: {text}", {"import_error": text})


def clock_of(axengine: Any, board: Board) -> Clock:
    """The clock to measure by: a simulated board may bring its own."""
    if not board.simulated():
        return Clock()
    now_ns = getattr(axengine, "simulated_clock_ns", time.perf_counter_ns)
    return Clock(now_ns, getattr(axengine, "simulated_sleep", time.sleep))


def start_error(error: Exception, python: tuple[int, ...] = OLDEST_PYTHON) -> AgentError:
    """What an exception of the session's constructor means; anything unknown blames the model.

    The package imports some of itself only there.
    """
    old = python < OLDEST_PYTHON and isinstance(error, (TypeError, AttributeError))
    if old or isinstance(error, (ImportError, SyntaxError)):
        return import_error(error, python)
    return AgentError(_code(str(error), _START_TEXTS, "MODEL_REJECTED"), str(error) or repr(error))


def run_error(error: Exception) -> AgentError:
    """What an exception of an inference means."""
    return AgentError(_code(str(error), _RUN_TEXTS, "RUN_FAILED"), str(error) or repr(error))


def open_session(axengine: Any, model_path: str, clock: Clock) -> Session:
    """A session; a process should have one only, for its memory comes back when it ends."""
    try:
        return _open(axengine, model_path)
    except AgentError as error:
        if error.code != "INIT_FAILED":
            raise
    clock.sleep(INIT_RETRY_S)
    return _open(axengine, model_path)


def _open(axengine: Any, model_path: str) -> Session:
    try:
        # A path, for bytes do not work; one named provider, for the default may be another's.
        session: Session = axengine.InferenceSession(model_path, providers=PROVIDER)
    except (*_RAISED, SyntaxError) as error:
        raise start_error(error, sys.version_info[:2]) from error
    return session


def run_once(session: Session, feed: Mapping[str, NDArray[Any]]) -> Sequence[object]:
    """One inference, in the model's order of outputs."""
    try:
        return session.run(None, feed)
    except _RAISED as error:
        raise run_error(error) from error


def printed_facts(log: str) -> dict[str, str | None]:
    """What the runtime printed of engine, chip and model."""
    found = {key: pattern.search(log) for key, pattern in _PRINTED.items()}
    return {key: match.group(1).strip() if match else None for key, match in found.items()}


def _code(text: str, table: Sequence[tuple[str, str]], default: str) -> str:
    return next((code for part, code in table if part in text), default)
