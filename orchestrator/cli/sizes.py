"""Sizes as people write them: `500MB`, `10GB`, `1.5GiB`."""

from __future__ import annotations

import re

from orchestrator.errors import ConfigError

_UNITS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def parse_size(text: str, option: str) -> int:
    """Give the bytes of `10GB` (1000³), `1.5GiB` (1024³), `500M` or `0`. Raises ConfigError."""
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigError(
            f"{option} {text!r}: this is no size", "a number and a unit: 500MB, 10GB, 1.5GiB"
        )
    number, unit = found.groups()
    if unit not in _UNITS:
        known = "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"
        raise ConfigError(f"{option} {text!r}: {unit!r} is no unit of bytes", f"known are {known}")
    return int(float(number) * _UNITS[unit])


def size_text(size_bytes: int) -> str:
    """Give a size for people, with a decimal unit."""
    value, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004 - decimal units
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
