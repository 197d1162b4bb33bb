"""The agent's own measuring code over scripted boards, in this process and on their clock."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from board_agent import sensors, worker
from board_agent.errors import AgentError
from board_agent.jobs import Job, Plan
from board_agent.places import Board
from containers.board_sim.profiles import PROFILES, identity_of
from containers.board_sim.replaying import Script, write_script
from containers.board_sim.root import make_root
from containers.board_sim.scripted import ScriptedAxengine
from containers.board_sim.traces import KINDS, TRUTH, Kind
from orchestrator.domain import Evidence, Judged, Measurement, RunSpec
from orchestrator.hashing import as_json
from orchestrator.replies import parse_measurement
from orchestrator.verdicts import judge

#: What ends the process that lives it, or never ends: what the supervisor makes of it is tested
#: with processes.
APART: frozenset[Kind] = frozenset({"hang", "kill"})
PLAN = Plan(warmup=None, iterations=160, min_duration_s=None, blocks=10)
#: What a call takes on a good board.
_BASES_MS = (2.0, 20.0, 80.0)
_CMM_FILE = "proc/ax_proc/mem_cmm_info"
_SIDECAR = {
    "inputs": [{"name": "input", "dtype": "uint8", "shape": [1, 2, 3, 3]}],
    "simulated": True,
}


@dataclass(frozen=True, slots=True)
class Lived:
    """One trace, what is true of it, and what was found; an agent's error is no measurement."""

    script: Script
    truth: str
    judged: Judged
    measurement: Measurement | None = None

    @property
    def right(self) -> bool:
        return self.judged.verdict == self.truth


class TracedBoard:
    """A board's folder that lives one trace after another."""

    def __init__(self, folder: Path) -> None:
        self.root, self._model, self._log = folder / "root", folder / "m.axmodel", folder / "log"
        self.root.mkdir(parents=True)
        self._model.write_bytes(b"a model")
        self._input = folder / "input"
        self._input.write_bytes(bytes(1 * 2 * 3 * 3))
        self._log.touch()
        make_root(self.root, PROFILES["m4n-debian12"], identity_of("traced"))
        self._idle = (self.root / _CMM_FILE).read_text(encoding="ascii")

    def live(self, script: Script, plan: Plan = PLAN) -> Lived:
        """Measure the board while the trace goes on, and judge that."""
        # What an earlier trace has left is not this one's.
        (self.root / _CMM_FILE).write_text(self._idle, encoding="ascii")
        write_script(self.root, script)
        board, truth = Board(str(self.root)), TRUTH[script.kind]
        before = sensors.read_cmm(board)
        try:
            with _axengine_of(self.root):
                reply = worker.run(self._job(plan), board, self._log)
        except AgentError as error:
            refused = Evidence("INVALID", "samples", f"{error.code}: {error.message}")
            return Lived(script, truth, Judged("INVALID", (refused,)))
        after = sensors.read_cmm(board)
        assert before is not None
        assert after is not None
        reply["left_cmm_bytes"] = max(0, after.used_bytes - before.used_bytes)
        plain = as_json(reply)
        assert isinstance(plain, dict)
        measurement = parse_measurement("traced", plain)
        asked = RunSpec(plan.warmup, plan.iterations, 60.0, plan.min_duration_s, plan.blocks)
        return Lived(script, truth, judge(measurement, asked), measurement)

    def _job(self, plan: Plan) -> Job:
        return Job(
            kind="benchmark",
            run_id="traced",
            model="m.axmodel",
            model_path=str(self._model),
            sidecar=_SIDECAR,
            inputs=[str(self._input)],
            **plan._asdict(),
        )


@contextlib.contextmanager
def _axengine_of(root: Path) -> Iterator[None]:
    """Let `import axengine` give the scripted package of this board, as in a process of its own."""
    package, runtime, path = ModuleType("axengine"), ScriptedAxengine(root), sys.path[:]
    package.__file__ = str(root / "axengine/__init__.py")
    for name in ("InferenceSession", "simulated_clock_ns", "simulated_sleep", "simulated_trace"):
        setattr(package, name, getattr(runtime, name))
    others = {name: sys.modules.pop(name) for name in [*sys.modules] if _is_axengine(name)}
    sys.modules["axengine"] = package
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        runtime.close()
        sys.path[:] = path
        del sys.modules["axengine"]
        sys.modules.update(others)


def _is_axengine(name: str) -> bool:
    return name == "axengine" or name.startswith("axengine.")


def scripts(each: int, first_seed: int = 0) -> list[Script]:
    """Give traces of every kind that this process survives, `each` seeds of each, fast and slow."""
    kinds = [kind for kind in KINDS if kind not in APART]
    seeds = range(first_seed, first_seed + each)
    return [
        Script(kind, seed, _BASES_MS[seed % len(_BASES_MS)]) for kind in kinds for seed in seeds
    ]
