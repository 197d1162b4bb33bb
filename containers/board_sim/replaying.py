"""A board with a trace: the file that selects it, the sensor files that follow it.

This runs on the simulated board, beside the look-alike of axengine. Every process lives the story
from its beginning; what it leaves behind (leaked memory, how often it was lived) stays on the
board. When a process ends the board rests until it is cool.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple

from containers.board_sim.fact_texts import Cmm, cmm_text, load_text, read_cmm
from containers.board_sim.replay import Parts, Replay, Sensors
from containers.board_sim.traces import KINDS, Kind, draw

TRACE_FILE = "etc/orch-simulated-trace"
_STATE_FILE = "etc/orch-simulated-trace-state"
_CMM_FILE = "proc/ax_proc/mem_cmm_info"
_CPU = "sys/devices/system/cpu/cpu0/cpufreq"
#: Heating times after which a board is as cool as an idle one.
_RESTS = 20
_HANG_S = 3600.0
_MS = 1_000_000


class Script(NamedTuple):
    """What the trace file says.

    Attributes:
        base_latency_ms: of a call on a good board.
        span_s: how long the story takes; 0: a warm-up and a hundred calls.
        times: how many processes live it, those with hardly any calls aside; later ones run on a
            good board. 0: all of them.
    """

    kind: Kind
    seed: int = 0
    base_latency_ms: float = 20.0
    span_s: float = 0.0
    times: int = 0

    def __str__(self) -> str:
        """What the trace is called where its figures are shown."""
        return f"{self.kind} seed {self.seed}"


def read_script(text: str) -> Script:
    """Read a trace file. Raises ValueError."""
    told = json.loads(text)
    if not isinstance(told, dict) or told.get("kind") not in KINDS:
        raise ValueError(f"{TRACE_FILE}: {text.strip()[:80]!r}: kind is one of {', '.join(KINDS)}")
    unknown = sorted(told.keys() - set(Script._fields))
    if unknown:
        raise ValueError(f"{TRACE_FILE}: {', '.join(unknown)}: there are {Script._fields}")
    script = Script(**told)
    if script.base_latency_ms <= 0 or script.span_s < 0 or script.times < 0:
        raise ValueError(f"{TRACE_FILE}: {script}: base_latency_ms above 0, the rest 0 or more")
    return script


def write_script(root: Path, script: Script | None) -> None:
    """Select the trace of a board, with its first readings; None: it has none, as most have."""
    state = root / _STATE_FILE
    if state.is_file():  # of an earlier trace, whose memory is not this one's
        _replace(root / _CMM_FILE, _read_state(root)["cmm"])
        state.unlink()
    file = root / TRACE_FILE
    if script is None:
        file.unlink(missing_ok=True)
        return
    file.write_text(json.dumps(script._asdict()) + "\n", encoding="ascii")
    ScriptedBoard(root, script).publish()


def scripted_board(root: Path) -> ScriptedBoard | None:
    """The board's trace, begun by this process; None where there is none. Raises ValueError."""
    file = root / TRACE_FILE
    if not file.is_file():
        return None
    return ScriptedBoard(root, read_script(file.read_text(encoding="ascii")))


class ScriptedBoard:
    """One process on a board with a trace; its files follow the simulated time."""

    def __init__(self, root: Path, script: Script) -> None:
        self.script = script
        self._root = root
        self._state = _read_state(root)
        self._cmm = read_cmm(self._state["cmm"])
        lived = 0 < script.times <= self._state["lived"]
        base_ns, span_ns = round(script.base_latency_ms * _MS), round(script.span_s * 1e9)
        trace = draw("clean" if lived else script.kind, script.seed, base_ns, span_ns or None)
        self.replay = Replay(trace, self._state["processes"], self._state["leaked_kb"])
        self._parts = Parts(0, 0, 0)
        self._told: Sensors | None = None
        self._written: dict[str, str] = {}

    @property
    def kind(self) -> Kind:
        """What this process lives through."""
        return self.replay.trace.kind

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.replay.sleep(seconds)
        self.publish()

    def take(self, size_bytes: int) -> bool:
        """Hold memory of the NPU until the process ends; False when there is not enough."""
        size_kb = -(-size_bytes // 1024)
        if size_kb > self._memory().free_kb:
            return False
        self.replay.own_kb += size_kb
        self.publish()
        return True

    def begin_call(self) -> None:
        """Copy the inputs in. Does not return from a call that hangs or dies."""
        if self.replay.calls == self.replay.trace.bad_call:
            while self.kind == "hang":
                time.sleep(_HANG_S)
            if self.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        self._parts = self.replay.plan()
        self.replay.copy(self._parts.copy_in_ns)

    def use_npu(self) -> None:
        """Let the NPU work."""
        self.replay.spend(self._parts.npu_ns)

    def end_call(self) -> None:
        """Copy the outputs out."""
        self.replay.copy(self._parts.copy_out_ns)
        self.publish()

    def run_tool(self) -> int:
        """Spend a call by the vendor's tool, which copies nothing; its ns on the NPU."""
        self.begin_call()
        self.use_npu()
        self.publish()
        return self._parts.npu_ns

    @property
    def spoilt(self) -> bool:
        """Whether the call under way gives no numbers."""
        return self.kind == "nan" and self.replay.calls > self.replay.trace.bad_call

    def close(self) -> None:
        """End the process: its memory comes back but for what leaked, and the board cools down."""
        replay = self.replay
        covered = 2 * replay.now_ns > replay.trace.span_ns
        self._state["lived"] += int(covered)
        self._state["processes"] += 1
        self._state["leaked_kb"] = replay.leaked_kb
        replay.own_kb = 0
        replay.sleep(_RESTS * replay.trace.heating_ns / 1e9)
        self.publish()
        _replace(self._root / _STATE_FILE, json.dumps(self._state))

    def publish(self) -> None:
        """Bring the sensor files up to this moment."""
        read = self.replay.sensors()
        if read == self._told:
            return
        self._told = read
        texts = {
            "sys/class/thermal/thermal_zone0/temp": f"{round(read.temperature_c * 1000)}\n",
            "proc/ax_proc/npu/clk": f"{read.npu_clock_mhz}M\n",
            "proc/ax_proc/npu/top": load_text(read.npu_load_percent),
            _CMM_FILE: cmm_text(self._memory()),
            f"{_CPU}/scaling_governor": f"{read.cpu_governor}\n",
            f"{_CPU}/scaling_cur_freq": f"{read.cpu_clock_mhz * 1000}\n",
        }
        if self.kind == "wrong-vnpu":
            texts["proc/ax_proc/npu/vnpu"] = "enable\n"
        for name, text in texts.items():
            if self._written.get(name) != text:
                _replace(self._root / name, text)
                self._written[name] = text

    def _memory(self) -> Cmm:
        holders = dict(self._cmm.holders_kb)
        for name, size in self.replay.sensors().holders_kb.items():
            holders[name] = holders.get(name, 0) + size
        return self._cmm._replace(holders_kb=holders)


def _read_state(root: Path) -> dict[str, Any]:
    """What earlier processes left; before the first one, the memory list of an idle board."""
    file = root / _STATE_FILE
    if file.is_file():
        state: dict[str, Any] = json.loads(file.read_text(encoding="ascii"))
        return state
    idle = (root / _CMM_FILE).read_text(encoding="ascii")
    fresh = {"lived": 0, "processes": 0, "leaked_kb": 0, "cmm": idle}
    _replace(file, json.dumps(fresh))
    return fresh


def _replace(file: Path, text: str) -> None:
    """Write a file at once: another process may read it at any time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    part.write_text(text, encoding="ascii")
    part.replace(file)
