"""Words in pictures: a font of any size, and texts that fit into a width."""

from __future__ import annotations

from functools import cache
from unicodedata import normalize

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_MORE = "…"


@cache
def font(size_px: int) -> Font:
    """Give the font that comes with Pillow, so that every machine draws the same."""
    return ImageFont.load_default(size_px)


def width_px(text: str, size_px: int) -> int:
    """Give how wide a text is drawn, in pixels."""
    return round(font(size_px).getlength(text))


def readable(text: str) -> str:
    """Give a text as one line of letters that the font has; others become question marks."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return "".join(_letter(one) for one in line)


def fit(text: str, most_px: int, size_px: int) -> str:
    """Shorten a text in its middle, where it is wider than that: both its ends tell."""
    text = readable(text)
    if width_px(text, size_px) <= most_px:
        return text
    for left in range(len(text) - 1, 0, -1):
        half = left // 2
        shorter = text[: left - half] + _MORE + text[len(text) - half :]
        if width_px(shorter, size_px) <= most_px:
            return shorter
    return ""


def _letter(letter: str) -> str:
    """Give the letter, or the one below its accents, or a question mark."""
    found = (one for one in (letter, normalize("NFKD", letter)[0]) if _drawn(one))
    return next(found, "?")


@cache
def _drawn(letter: str) -> bool:
    """Say whether the font has a letter: what it lacks is drawn as the box of U+FFFF."""
    if letter == " ":
        return True
    masks = [font(16).getmask(one) for one in (letter, "\uffff")]
    return bytes(masks[0]) != bytes(masks[1])
