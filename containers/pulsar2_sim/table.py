"""Tables in the style of rich, with a rule between the rows."""

from collections.abc import Iterator, Sequence

_CENTRED = frozenset({"Type", "Shape", "QDType"})
_ELLIPSIS = "…"


def rich_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None = None
) -> str:
    """Give the table; where `columns` is too narrow, cells are wrapped and long words cut short."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    while columns is not None and sum(widths) + 3 * len(widths) + 1 > columns:
        widest = widths.index(max(widths))
        if widths[widest] == 1:
            break
        widths[widest] -= 1
    centred = [name in _CENTRED for name in header]
    width = sum(widths) + 3 * len(widths) + 1
    lines = [title.center(width).rstrip(), _rule("┏┳┓", "━", widths)]
    lines += _lines(header, widths, centred, "┃")
    lines.append(_rule("┡╇┩", "━", widths))
    for index, row in enumerate(rows):
        lines += _lines(row, widths, centred, "│")
        last = index == len(rows) - 1
        lines.append(_rule("└┴┘" if last else "├┼┤", "─", widths))
    return "\n".join(lines)


def _rule(corners: str, bar: str, widths: Sequence[int]) -> str:
    left, middle, right = tuple(corners)
    return left + middle.join(bar * (width + 2) for width in widths) + right


def _lines(
    cells: Sequence[str], widths: Sequence[int], centred: Sequence[bool], edge: str
) -> Iterator[str]:
    wrapped = [_wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for line in range(max(map(len, wrapped))):
        shown = []
        for words, width, centre in zip(wrapped, widths, centred, strict=True):
            text = words[line] if line < len(words) else ""
            shown.append(f" {text.center(width) if centre else text.ljust(width)} ")
        yield edge + edge.join(shown) + edge


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        short = word if len(word) <= width else word[: width - 1] + _ELLIPSIS
        joined = f"{lines[-1]} {short}".strip()
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(short)
    return lines
