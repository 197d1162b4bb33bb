"""The table of a model's op types that the toolchain prints when it loads one."""

from __future__ import annotations

import re

_CELLS = re.compile(r"^\s*[|│┃]([^|│┃]{1,300})[|│┃]([^|│┃]{1,300})[|│┃]\s*$")
_OP_TYPE = re.compile(r"[A-Za-z_][\w.:]*")
_COUNT = re.compile(r"\d{1,12}")
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([KMG]?)i?B", re.IGNORECASE)
_MEGABYTES = {"": 1 / 1024**2, "K": 1 / 1024, "M": 1.0, "G": 1024.0}


class OpTable:
    """Takes the lines of a log; a second table replaces the first.

    Attributes:
        counts: op type → number of nodes.
        size_mb: of the model; None until the table ends.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.size_mb: float | None = None
        self._open = False

    def see(self, line: str) -> None:
        """Take one line."""
        cells = _CELLS.match(line)
        if cells is None:
            self._open = self._open and not line.strip().strip("+-─━├┼┤┡╇┩┏┳┓└┴┘=╞╪╡ ")
            return
        name, value = cells[1].strip(), cells[2].strip()
        if name == "Model Name":
            self._open, self.size_mb = True, None
            self.counts = {}
        elif self._open and name == "Model Size":
            size = _SIZE.fullmatch(value)
            self.size_mb = float(size[1]) * _MEGABYTES[size[2].upper()] if size else None
        elif self._open and _OP_TYPE.fullmatch(name) and _COUNT.fullmatch(value):
            self.counts[name] = int(value)
