"""Progress bars as tqdm and rich draw them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: A bar is never longer; what is before it on the line is another writer's.
_WIDEST = 600
_COUNT = r"[\d.,]+[kMGT]?"
_TQDM = re.compile(
    r"(?P<percent>\d{1,3})%\|[^|]{0,300}(?:\|\s*"
    rf"(?P<done>{_COUNT})(?:/(?P<total>{_COUNT}))?"
    r"(?:\s*\[(?P<elapsed>[\d:]+)(?:<[\d:?]*)?(?:,\s*(?P<rate>[^\]]+))?)?)?"
)
_TQDM_OPEN = re.compile(
    rf"(?P<done>{_COUNT})(?:it|B)\s*\[(?P<elapsed>[\d:]+),\s*(?P<rate>[^\]]+)\]"
)
_RICH = re.compile(
    r"(?:(?<![━╸╺])[━╸╺]{3,}+[━╸╺ ]*+|(?<!-)-{5,}+[- ]*+|(?<![#=])[#=]{5,}+[#= ]*+)\s*+"
    rf"(?:(?P<percent>\d{{1,3}})%|(?P<done>{_COUNT})/(?P<total>{_COUNT}))"
    r"(?:\s+(?P<elapsed>\d+:\d\d:\d\d))?"
)
_SPINNER = re.compile(r"[\s\u2800-\u28ff]+$")
_END_OF_TQDM = re.compile(r"(?:it/s|s/it)\]")
_SCALE = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


@dataclass(frozen=True, slots=True)
class Bar:
    """One state of a progress bar.

    Attributes:
        total: 0 when it is not known. Bars that show only a percentage have 100.
        rate: as it was printed: `8.75it/s`.
        elapsed_s: 0 when the bar does not say.
    """

    label: str
    done: float
    total: float
    rate: str = ""
    elapsed_s: float = 0.0

    @property
    def fraction(self) -> float:
        """How much of it is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def finished(self) -> bool:
        """Tell whether it came to its end."""
        return self.total > 0 and self.done >= self.total


def read_bar(line: str) -> Bar | None:
    """Read the last progress bar of a line without escape sequences; None if there is none."""
    text = line[-_WIDEST:]
    ends = [end.end() for end in _END_OF_TQDM.finditer(text)]
    if ends and ends[-1] >= len(text.rstrip()):
        ends.pop()
    text = text[ends[-1] :] if ends and _found(text[ends[-1] :]) else text
    found = _found(text)
    if found is None:
        return None
    fields = found.groupdict()
    done, total = _number(fields.get("done")), _number(fields.get("total"))
    if done is None or (total is None and fields.get("percent")):
        done, total = float(fields.get("percent") or 0), 100.0
    return Bar(
        label=_label(text[: found.start()]),
        done=done,
        total=total or 0.0,
        rate=_rate(fields.get("rate")),
        elapsed_s=_seconds(fields.get("elapsed")),
    )


def _found(text: str) -> re.Match[str] | None:
    return _TQDM.search(text) or _RICH.search(text) or _TQDM_OPEN.search(text)


def _label(text: str) -> str:
    return _SPINNER.sub("", text).strip().rstrip(":").rstrip(".").strip()


def _rate(text: str | None) -> str:
    """Give a rate; tqdm prints `?it/s` until it knows one."""
    return "" if text is None or text.strip().startswith("?") else text.strip()


def _number(text: str | None) -> float | None:
    if not text:
        return None
    scale = _SCALE.get(text[-1], 1.0)
    try:
        return float(text.rstrip("kMGT").replace(",", "")) * scale
    except ValueError:
        return None


def _seconds(text: str | None) -> float:
    """Read `MM:SS` or `H:MM:SS`."""
    seconds = 0.0
    for part in (text or "").split(":"):
        if part:
            seconds = seconds * 60 + float(part)
    return seconds
