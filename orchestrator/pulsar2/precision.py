"""The table of `precision_analysis_table.txt`: how near each layer is to the float model. Pure.

It is a rich table: title with method and mode, box-drawing rules, long cells folded over several
lines. Names and number of the columns differ between versions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import CompileError
from orchestrator.pulsar2.terminal import without_ansi

HEADER = ("operator", "type", "tensor", "shape", "dtype", "qdtype", "cosine", "mse")

#: Headings without blanks, in lower case → the column.
_COLUMNS = {
    **dict.fromkeys(("operator", "op", "opname", "operatorname", "layer"), "operator"),
    **dict.fromkeys(("type", "optype", "operatortype"), "type"),
    **dict.fromkeys(("outputtensor", "output", "tensor", "outputname"), "tensor"),
    **dict.fromkeys(("shape", "outputshape"), "shape"),
    **dict.fromkeys(("dtype", "datatype"), "dtype"),
    **dict.fromkeys(("qdtype", "quantdtype", "quanttype"), "qdtype"),
    **dict.fromkeys(("cosin", "cosine", "cos", "cosinesimilarity", "cosinsimilarity"), "cosine"),
    **dict.fromkeys(("mse", "meansquareerror"), "mse"),
}
_TITLE = re.compile(r"(PerLayer|EndToEnd)\s+(Reference|NPUBackend)")
_RULE = re.compile(r"(?=.*[-=─━═]{3})[\s+|\-=─-╿]+")
_UNKNOWN = frozenset({"", "-", "n/a", "none"})
_NUMBER = re.compile(r"[-+]?(?:\d+\.\d*(?:e[-+]?\d+)?|nan|inf)…?", re.IGNORECASE)

Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LayerPrecision:
    """One output of one layer, quantized against float.

    Attributes:
        operator: its name in the optimised float model; `layer_configs` takes these.
        dtype: of the float model.
        qdtype: as it was quantized.
        cosine: similarity, 1 is the same; NaN where it is not defined (a tensor of zeros).
        mse: mean squared error; NaN where the table does not say.
    """

    operator: str
    op_type: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str
    qdtype: str
    cosine: float
    mse: float


@dataclass(frozen=True, slots=True)
class PrecisionTable:
    """The whole table, in the order of the graph.

    Attributes:
        method: PerLayer (each layer on float inputs) or EndToEnd; empty if the title is missing.
        mode: Reference or NPUBackend; empty if the title is missing.
    """

    method: str
    mode: str
    rows: tuple[LayerPrecision, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    cells: Cells


def read_precision_table(text: str) -> PrecisionTable:
    """Read the table, out of a log too.

    Raises:
        CompileError: there is no such table, or a line of it that cannot be read.
    """
    plain = without_ansi(text)
    header: Cells | None = None
    rows: list[LayerPrecision] = []
    for group in _groups(plain.replace("\r\n", "\n").split("\n")):
        found = _columns(group)
        if found is not None:
            if header not in (None, found):
                break
            header = found
        elif header is not None and group:
            for lines in _split(header, group):
                rows.append(_named(_layer(header, lines), rows))
        elif header is not None:
            break
    if header is None:
        raise CompileError(
            "the precision table has no header with the columns operator and cosine in its "
            f"{len(plain.splitlines())} lines",
            "was the build run with precision_analysis?",
        )
    title = _TITLE.search(plain)
    return PrecisionTable(title[1] if title else "", title[2] if title else "", tuple(rows))


def worst(table: PrecisionTable, n: int = 10) -> tuple[LayerPrecision, ...]:
    """Give the `n` layers furthest from the float model, the worst first.

    A cosine that is not defined is the worst of all, unless the error is 0.
    """
    return tuple(sorted(table.rows, key=_nearness)[:n])


def display_rows(layers: Iterable[LayerPrecision]) -> list[list[str]]:
    """Give the cells under HEADER."""
    return [
        [
            layer.operator,
            layer.op_type or "-",
            layer.tensor or "-",
            "x".join(map(str, layer.shape)) or "-",
            layer.dtype or "-",
            layer.qdtype or "-",
            f"{layer.cosine:.5f}",
            "-" if math.isnan(layer.mse) else f"{layer.mse:.5f}",
        ]
        for layer in layers
    ]


def _nearness(layer: LayerPrecision) -> tuple[float, float]:
    cosine = layer.cosine
    if math.isnan(cosine):
        cosine = 1.0 if layer.mse == 0 else -math.inf
    return cosine, -math.inf if math.isnan(layer.mse) else -layer.mse


def _groups(lines: Sequence[str]) -> Iterable[list[_Line]]:
    """Give the lines between two rules, and an empty group wherever a table ends."""
    group: list[_Line] = []
    for number, line in enumerate(lines, start=1):
        cells = _cells(line)
        if cells is not None:
            group.append(_Line(number, cells))
            continue
        if group:
            yield group
            group = []
        if not _RULE.fullmatch(line):
            yield []
    if group:
        yield group


def _cells(line: str) -> Cells | None:
    """Split a line of a table; None for all others."""
    text = line.strip()
    if text[:1] not in tuple("│┃║|") or _RULE.fullmatch(text):
        return None
    # A name may hold the other kind of bar.
    parts = text.split("|") if text[0] == "|" else re.split("[│┃║]", text)
    if parts[-1].strip():
        parts.append("")
    return tuple(part.strip() for part in parts[1:-1])


def _columns(group: Sequence[_Line]) -> Cells | None:
    """Give the columns if these lines are a header, folded or not; unknown ones are kept."""
    if not group or len({len(line.cells) for line in group}) != 1:
        return None
    parts = zip(*(line.cells for line in group), strict=True)
    names = ("".join("".join(part).lower().split()) for part in parts)
    columns = tuple(_column(name) for name in names)
    return columns if {"operator", "cosine"} <= set(columns) else None


def _column(heading: str) -> str:
    """Give the column of a heading; one that was too wide has lost letters to `…`."""
    if "…" not in heading:
        return _COLUMNS.get(heading, heading)
    like = re.compile(".*".join(re.escape(part) for part in heading[:40].split("…")))
    return next((column for name, column in _COLUMNS.items() if like.fullmatch(name)), heading)


def _split(header: Cells, group: Sequence[_Line]) -> list[list[_Line]]:
    """Split lines between two rules into rows: a row begins where there is a whole cosine."""
    place = header.index("cosine")
    rows: list[list[_Line]] = []
    for line in group:
        if len(line.cells) != len(header):
            raise CompileError(
                f"the precision table's line {line.number} has {len(line.cells)} cells, "
                f"its header has {len(header)}",
                "the file is cut, or of a version that is not known yet",
            )
        cell = line.cells[place]
        if not rows or _NUMBER.fullmatch(cell) or (cell and cell.lower() in _UNKNOWN):
            rows.append([])
        rows[-1].append(line)
    return rows


def _layer(header: Cells, lines: Sequence[_Line]) -> LayerPrecision:
    """Put a row together; names and shapes have no blanks, so pieces are simply joined."""
    joined = ("".join(pieces) for pieces in zip(*(line.cells for line in lines), strict=True))
    row = dict(zip(header, joined, strict=True))
    number = lines[0].number
    # A shape that was too wide has lost some of its numbers.
    shape = "" if "…" in row.get("shape", "") else row.get("shape", "")
    return LayerPrecision(
        operator=row["operator"],
        op_type=row.get("type", ""),
        tensor=row.get("tensor", ""),
        shape=tuple(int(size) for size in re.findall(r"-?\d{1,18}", shape)),
        dtype=row.get("dtype", ""),
        qdtype=row.get("qdtype", ""),
        cosine=_float(row["cosine"], "cosine", number),
        mse=_float(row.get("mse", ""), "mse", number),
    )


def _named(layer: LayerPrecision, before: Sequence[LayerPrecision]) -> LayerPrecision:
    """Give a layer's further outputs, whose first cells are empty, the name of the layer."""
    if layer.operator or not before:
        return layer
    op_type = layer.op_type or before[-1].op_type
    return replace(layer, operator=before[-1].operator, op_type=op_type)


def _float(text: str, column: str, number: int) -> float:
    """Read a number; NaN for what is not said. A number that was too wide ends with `…`."""
    if text.lower() in _UNKNOWN:
        return math.nan
    try:
        return float(text.removesuffix("…"))
    except ValueError as error:
        raise CompileError(
            f"the precision table's line {number} has the {column} {text[:40]!r}, not a number"
        ) from error
