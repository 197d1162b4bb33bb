"""A board with a trace, and the agent on it: with the look-alike of axengine, or with less."""

from __future__ import annotations

from pathlib import Path

from containers.board_sim.profiles import PROFILES, identity_of
from containers.board_sim.replaying import Script
from containers.board_sim.root import make_root
from tests.unit.board_agent.board import Board

#: A package that needs neither model nor onnxruntime, so that a process takes no second.
_LIGHT = """
import atexit, os
from pathlib import Path
from containers.board_sim.scripted import ScriptedAxengine

_runtime = ScriptedAxengine(Path(os.environ["ORCH_SYSROOT"]))
atexit.register(_runtime.close)
InferenceSession = _runtime.InferenceSession
simulated_clock_ns = _runtime.simulated_clock_ns
simulated_sleep = _runtime.simulated_sleep
simulated_trace = _runtime.simulated_trace
"""
REPOSITORY = Path(__file__).parents[3]


def light_board(folder: Path, agent: Path, script: Script) -> Board:
    """A board on which the trace runs with no model."""
    board = Board(folder, agent)
    make_root(board.sysroot, PROFILES["m4n-debian12"], identity_of("traced"), script)
    (board.site / "axengine/__init__.py").write_text(_LIGHT)
    board.environment["PYTHONPATH"] = f"{board.site}:{REPOSITORY}"
    board.deploy()
    return board


def full_board(folder: Path, agent: Path, script: Script | None) -> Board:
    """A board with the look-alike itself, laid out as `orch sim` does it."""
    board = Board(folder, agent)
    make_root(board.sysroot, PROFILES["m4n-debian12"], identity_of("traced"), script)
    del board.environment["PYTHONPATH"]
    return board
