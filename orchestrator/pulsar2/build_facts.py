"""The facts that the lines of a build's log state."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.pulsar2.op_table import OpTable
from orchestrator.pulsar2.phases import Phase
from orchestrator.pulsar2.remarks import remark

#: So many different warnings are kept.
_MOST_WARNINGS = 50

#: Plain counts: the last mention is the fact.
_COUNTS = {
    "macs": re.compile(r"macs: ([\d,]{1,30})"),
    "ops": re.compile(r"Num of Op: *\[(\d{1,12})\]"),
    "quantized_ops": re.compile(r"Num of Quantized Op: *\[(\d{1,12})\]"),
    "variables": re.compile(r"Num of Variable: *\[(\d{1,12})\]"),
    "quantized_variables": re.compile(r"Num of Quantized Var: *\[(\d{1,12})\]"),
    "files": re.compile(r"(\d{1,12}) File\(s\) Loaded"),
    "opset": re.compile(r"Op Set: (\d{1,6})"),
    "subgraphs": re.compile(r"fuse (\d{1,6}) subgraph\(s\)"),
}
_CYCLE = re.compile(r"max_cycle\s{0,9}=\s{0,9}([\d,]{1,30})")
_SUBGRAPH = re.compile(r"(?:compile|schedule) npu subgraph \[(\d{1,6})\]")
_KIND = re.compile(r"subgraph \[(\d{1,6})\], group: (\d{1,6}), type: (?:GraphType\.)?(\w{1,20})")
_GROUP = re.compile(r"group (\d{1,6}) compiler transformation")
_SMOOTH = re.compile(r"Enable Smooth Quant|Smooth Quantization")
_WRITTEN = re.compile(
    r"\b(?:save|saved|export|dump)\b[^\[\]]{0,80}? to (?:\[([^\]]{1,1000})\]|folder: (\S.{0,999}))"
)


@dataclass(frozen=True, slots=True)
class BuildFacts:
    """What a log tells; None or empty where it does not say.

    Attributes:
        max_cycle: the compiler's prediction, added up over the subgraphs on the NPU.
        macs: of one inference.
        subgraphs: with more than 1 the CPU of the board may have to help.
        cycles: the prediction for each subgraph on the NPU.
        cpu_subgraphs: the numbers of the subgraphs that the board's CPU will run.
        files_loaded: calibration samples of the input that was loaded last.
        op_types: how many there are of each, as loaded.
        warnings: each once, without stamp and level.
        phase_seconds: what each phase took.
        complete: the log has its last line; without it the build did not come to its end.
        precision_table: where the toolchain wrote it, in its own file system.
        outputs: all files and folders that it says it wrote.
    """

    max_cycle: int | None = None
    macs: int | None = None
    subgraphs: int | None = None
    cycles: tuple[int, ...] = ()
    cpu_subgraphs: tuple[int, ...] = ()
    ops: int | None = None
    quantized_ops: int | None = None
    variables: int | None = None
    quantized_variables: int | None = None
    files_loaded: int | None = None
    opset: int | None = None
    model_size_mb: float | None = None
    op_types: tuple[tuple[str, int], ...] = ()
    smooth_quant: bool = False
    warnings: tuple[str, ...] = ()
    phase_seconds: tuple[tuple[Phase, float], ...] = ()
    complete: bool = False
    precision_table: str | None = None
    outputs: tuple[str, ...] = ()


class FactCollector:
    """Takes the plain lines of a log, one by one."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._table = OpTable()
        self._group = self._subgraph = 0
        self._cycles: dict[int, int] = {}
        self._cpu: set[int] = set()
        self._smooth = self._complete = self._listing = False
        # Dictionaries for sets that keep their order.
        self._warnings: dict[str, None] = {}
        self._outputs: dict[str, None] = {}

    def see(self, line: str, phase: Phase | None) -> None:
        """Take one line; `phase` is what it belongs to, if it tells."""
        self._table.see(line)
        for name, pattern in _COUNTS.items():
            if found := pattern.search(line):
                self._counts[name] = _integer(found[1])
        self._smooth = self._smooth or _SMOOTH.search(line) is not None
        self._see_subgraph(line)
        self._see_output(line)
        self._see_end(line, phase)
        if len(self._warnings) < _MOST_WARNINGS and (worth := remark(line)):
            self._warnings[worth] = None

    def facts(self, phase_seconds: tuple[tuple[Phase, float], ...]) -> BuildFacts:
        """Give what was found so far."""
        counts = self._counts
        return BuildFacts(
            max_cycle=sum(self._cycles.values()) if self._cycles else None,
            macs=counts.get("macs"),
            subgraphs=counts.get("subgraphs"),
            cycles=tuple(self._cycles[number] for number in sorted(self._cycles)),
            cpu_subgraphs=tuple(sorted(self._cpu)),
            ops=counts.get("ops"),
            quantized_ops=counts.get("quantized_ops"),
            variables=counts.get("variables"),
            quantized_variables=counts.get("quantized_variables"),
            files_loaded=counts.get("files"),
            opset=counts.get("opset"),
            model_size_mb=self._table.size_mb,
            op_types=tuple(self._table.counts.items()),
            smooth_quant=self._smooth,
            warnings=(*self._warnings, *self._derived_warnings()),
            phase_seconds=phase_seconds,
            complete=self._complete,
            precision_table=next((path for path in self._outputs if _is_table(path)), None),
            outputs=tuple(self._outputs),
        )

    def _see_subgraph(self, line: str) -> None:
        """Note which subgraph the next prediction is for.

        A model with several input shapes is compiled once for each, in groups: the last one counts.
        """
        kind = _KIND.search(line)
        group = kind[2] if kind else (found[1] if (found := _GROUP.search(line)) else None)
        if group is not None and int(group) != self._group:
            self._group = int(group)
            self._cycles.clear()
            self._cpu.clear()
        if kind and kind[3] == "CPU":
            self._cpu.add(int(kind[1]))
        if found := _SUBGRAPH.search(line):
            self._subgraph = int(found[1])
        if found := _CYCLE.search(line):
            self._cycles[self._subgraph] = _integer(found[1])

    def _see_output(self, line: str) -> None:
        """Note what was written; after an export the paths follow on lines of their own."""
        if self._listing and line[:1].isspace():
            self._outputs[line.strip()] = None
            return
        self._listing = "export success:" in line
        if found := _WRITTEN.search(line):
            self._outputs[(found[1] or found[2]).strip()] = None

    def _see_end(self, line: str, phase: Phase | None) -> None:
        """Note the last line; an earlier phase or an exception after it takes it back."""
        if _COUNTS["subgraphs"].search(line):
            self._complete = True
        elif phase not in (None, Phase.ASSEMBLE) or line.startswith("Traceback (most recent"):
            self._complete = False

    def _derived_warnings(self) -> list[str]:
        """Say what the toolchain does not print as a warning."""
        told = []
        if (subgraphs := self._counts.get("subgraphs", 1)) > 1:
            told.append(f"the model was split into {subgraphs} subgraphs")
        if self._cpu:
            numbers = ", ".join(str(number) for number in sorted(self._cpu))
            told.append(f"the CPU of the board runs subgraph {numbers}")
        ops = self._counts.get("ops", 0)
        if (left := ops - self._counts.get("quantized_ops", ops)) > 0:
            told.append(f"{left} of {ops} ops are not quantized")
        return told


def _is_table(path: str) -> bool:
    return "precision" in path and path.endswith("table.txt")


def _integer(text: str) -> int:
    """Read `300,774,272`; 0 where there are only commas."""
    return int(text.replace(",", "") or 0)
