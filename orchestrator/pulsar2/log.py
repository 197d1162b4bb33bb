"""What a build's log says: progress while it comes, facts and the cause of a failure at its end.

Logs differ between versions and nobody has seen them all: what is not known is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.pulsar2.bars import Bar, read_bar
from orchestrator.pulsar2.build_facts import BuildFacts, FactCollector
from orchestrator.pulsar2.phases import Phase, PhaseClock, overall, pass_name, phase_of
from orchestrator.pulsar2.remarks import message_of
from orchestrator.pulsar2.terminal import LineSplitter, plain_lines

__all__ = ["BuildFacts", "LogReader", "Phase", "Step", "find_cause", "plain_lines", "read_facts"]

_CODE = re.compile(r"CodeException: \(<ErrorCode\.(\w+): (\d+)>,? ?")
_EXCEPTION = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.*")
_LONGEST_LABEL = 60
#: No line is read further than this for a label: tables are wide.
_WIDEST = 400


@dataclass(frozen=True, slots=True)
class Step:
    """How far a build has come.

    Attributes:
        label: the step within the phase: of a bar, a pass or a message.
        done: of `total`, in what the bar counts; both are 0 for steps without a bar.
        rate: of the bar, as printed; empty where it does not say.
        overall: how much of the whole build is done, a rough guess that never goes back, 0 to 1.
    """

    phase: Phase
    label: str
    done: float
    total: float
    rate: str
    overall: float

    @property
    def shown(self) -> str:
        """What a progress bar says: phase, step and count."""
        count = f" {self.done:g}/{self.total:g}" if self.total else ""
        label = f": {self.label}" if self.label != self.phase else ""
        return f"{self.phase}{label}{count}"


class LogReader:
    """Reads a log while it is written.

    Args:
        clock: seconds that go on steadily, for lines without a stamp. Without it (an old log) the
            stamps alone tell what each phase took.
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._splitter = LineSplitter()
        self._facts = FactCollector()
        self._clock = PhaseClock(clock)
        self._phase = Phase.LOAD
        self._calibrated = False
        self._overall = 0.0
        self._last_step: Step | None = None
        self._ended: str | None = None

    @property
    def phase(self) -> Phase:
        """What the build is at."""
        return self._phase

    @property
    def last_step(self) -> Step | None:
        """The newest step; None until there is one."""
        return self._last_step

    def feed(self, chunk: str | bytes) -> list[Step]:
        """Take what came, cut anywhere, and give the steps that it completes."""
        return [step for line in self._splitter.feed(chunk) if (step := self._see(line))]

    def close(self) -> list[Step]:
        """Take the end of the log: its last line may have none."""
        return [step for line in self._splitter.close() if (step := self._see(line))]

    def facts(self) -> BuildFacts:
        """Give the facts so far."""
        return self._facts.facts(self._clock.seconds())

    def _see(self, line: str) -> Step | None:
        bar = read_bar(line)
        found = phase_of(line, calibrated=self._calibrated)
        self._clock.see(self._phase, line, self._newly_ended(bar))
        self._phase = found or self._phase
        self._calibrated = self._calibrated or "Calibration" in line
        self._facts.see(line, found)
        if bar is None and found is None:
            return None
        self._last_step = self._step(line, bar)
        return self._last_step

    def _step(self, line: str, bar: Bar | None) -> Step:
        self._overall = max(self._overall, overall(self._phase, bar.fraction if bar else 0.0))
        label = bar.label if bar else pass_name(line) or message_of(line)[1]
        done, total, rate = (bar.done, bar.total, bar.rate) if bar else (0.0, 0.0, "")
        label = " ".join(label[:_WIDEST].replace("|", " ").split())[:_LONGEST_LABEL].strip(" -=>")
        return Step(self._phase, label or str(self._phase), done, total, rate, self._overall)

    def _newly_ended(self, bar: Bar | None) -> float:
        """Give the seconds of a bar that has just come to its end; tqdm draws that state twice."""
        if bar is None or not bar.finished:
            self._ended = None
            return 0.0
        again, self._ended = bar.label == self._ended, bar.label
        return 0.0 if again else bar.elapsed_s


def read_facts(text: str) -> BuildFacts:
    """Read the facts of a whole log."""
    reader = LogReader()
    reader.feed(text)
    reader.close()
    return reader.facts()


def find_cause(text: str) -> str:
    """Give the one line that says best why a build failed."""
    lines = [line for line in plain_lines(text) if line.strip()]
    for line in reversed(lines):
        if found := _CODE.search(line):
            return f"{found[1]} {found[2]}: {line[found.end() :].removesuffix(')')}"
    for line in reversed(lines):
        if _EXCEPTION.match(line.strip()):
            return line.strip()
    return lines[-1].strip() if lines else "the log is empty"
