"""The phases of a build: which line belongs to which, and how long each took."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from enum import StrEnum

_DAY = 86_400.0
#: A stamp that is further back than this belongs to another build in the same log.
_OTHER_BUILD = 3_600.0


class Phase(StrEnum):
    """What a build is at, in the order of a build; several subgraphs repeat the last four."""

    LOAD = "front end"
    CALIBRATE = "calibration"
    QUANTIZE = "quantization"
    ANALYSE = "precision analysis"
    TILE = "tiling"
    BUILD = "op build"
    SCHEDULE = "schedule"
    ASSEMBLE = "assemble"


#: Where each phase begins on a bar over the whole build: a rough guess, calibration is the longest.
_BEGINS = {
    Phase.LOAD: 0.0,
    Phase.CALIBRATE: 0.05,
    Phase.QUANTIZE: 0.5,
    Phase.ANALYSE: 0.55,
    Phase.TILE: 0.65,
    Phase.BUILD: 0.72,
    Phase.SCHEDULE: 0.85,
    Phase.ASSEMBLE: 0.97,
}

#: The first that matches decides; the wording of every version since 3.2.
_RULES = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        (Phase.ASSEMBLE, r"assem\w{1,9} model|fuse \d+ subgraph|:check_data:|check npu graph"),
        (Phase.ANALYSE, r"precision_analysis|Quant Precision Table|Precision Analys|of outliers"),
        (Phase.SCHEDULE, r"add ddr swap|calc (?:in|out)put dependenc|assign eu|schedule npu"),
        (Phase.SCHEDULE, r"clear job deps|max_cycle\s{0,9}="),
        (Phase.BUILD, r"build op\b"),
        (Phase.TILE, r"tiling op|compile npu subgraph|compiler transformation"),
        (Phase.TILE, r"QuantAxModel macs|subgraph \[\d+\], group|load_model:(?:pre|post|ir)_"),
        (Phase.QUANTIZE, r"Network Snapshot|Network Quantization Finished|Do quant optimi"),
        (Phase.QUANTIZE, r"axmodel export success|export \w+ data to folder|quant exporter"),
        (Phase.LOAD, r"Inf tensor|OnnxModel|Building onnx|save optimized onnx|:extract_archive:"),
        (Phase.LOAD, r"Quant Config Table|:fill_default:|onnx parser"),
        (Phase.CALIBRATE, r"Calibration|Smooth Quant|Get Outlier"),
    )
)
_PASS = re.compile(r"^\[\d\d:\d\d:\d\d\] (.+?)(?: Pass)? Running\b")
_STAMP = re.compile(
    r"^\s*(?:(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:[.,](\d{1,6}))? ?\||"
    r"\[(\d\d):(\d\d):(\d\d)\] )"
)


def pass_name(line: str) -> str | None:
    """Give the name of the quantizer's pass that a line announces."""
    found = _PASS.match(line)
    return found[1] if found else None


def phase_of(line: str, *, calibrated: bool) -> Phase | None:
    """Give the phase that a line belongs to; None where it does not tell.

    Passes of the quantizer have no telling names: those before calibration prepare it, those after
    it quantize.
    """
    for phase, rule in _RULES:
        if rule.search(line):
            return phase
    if pass_name(line) is None:
        return None
    return Phase.QUANTIZE if calibrated else Phase.CALIBRATE


def overall(phase: Phase, fraction: float) -> float:
    """Estimate how much of the whole build is done, 0 to 1."""
    order = list(Phase)
    place = order.index(phase)
    end = _BEGINS[order[place + 1]] if place + 1 < len(order) else 1.0
    return _BEGINS[phase] + (end - _BEGINS[phase]) * fraction


class PhaseClock:
    """Adds up the seconds of each phase.

    The stamps of the log count. Between them the caller's clock does, or, without one, what a bar
    says it took.
    """

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock
        self._arrived = clock() if clock else 0.0
        self._now: float | None = None
        self._dated = False
        self._seconds: dict[Phase, float] = {}

    def see(self, phase: Phase, line: str, bar_s: float = 0.0) -> None:
        """Credit the time up to this line to `phase`, the one that was on before it.

        Args:
            phase: what the build was at.
            line: as it was printed.
            bar_s: what the bar that this line ends says it took; 0 for all other lines.
        """
        passed = self._arrival() if self._clock else bar_s
        stamp = self._stamp(line)
        if stamp is None:
            self._now = None if self._now is None else self._now + passed
        elif self._now is None:
            self._now = stamp
        else:
            passed = stamp - self._now
            # Stamps of whole seconds lag behind a little; only a large step back is a new start.
            self._now = stamp if passed > 0 or passed < -_OTHER_BUILD else self._now
        self._seconds[phase] = self._seconds.get(phase, 0.0) + max(0.0, passed)

    def seconds(self) -> tuple[tuple[Phase, float], ...]:
        """Give what each phase took so far, in the order of a build, where it is known."""
        known = ((phase, self._seconds.get(phase, 0.0)) for phase in Phase)
        return tuple((phase, round(seconds, 3)) for phase, seconds in known if seconds > 0)

    def _arrival(self) -> float:
        """Give the seconds since the line before, by the caller's clock."""
        before, self._arrived = self._arrived, self._clock() if self._clock else 0.0
        return max(0.0, self._arrived - before)

    def _stamp(self, line: str) -> float | None:
        """Give the time that a line was printed at, in seconds on one axis."""
        found = _STAMP.match(line)
        if found is None:
            return None
        year, month, day, *time, fraction = found.groups()[:7]
        hour, minute, second = time if year else found.groups()[7:]
        of_day = int(hour) * 3600.0 + int(minute) * 60 + int(second)
        if year is None:
            return self._undated(of_day)
        try:
            midnight = date(int(year), int(month), int(day)).toordinal() * _DAY
        except ValueError:
            return None
        stamp = midnight + of_day + float(f"0.{fraction or 0}")
        if not self._dated and self._now is not None:
            # The stamps so far had no date: give them the one that fits.
            self._now += stamp - self._undated(of_day)
        self._dated = True
        return stamp

    def _undated(self, of_day: float) -> float:
        """Give the time of a stamp without a date: the one nearest to the line before."""
        if self._now is None:
            return of_day
        stamp = self._now - self._now % _DAY + of_day
        return stamp + _DAY if stamp < self._now - _DAY / 2 else stamp
