"""Where a build config came from, so that an error can say where to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of a config.

    Attributes:
        source: a file or a recipe, as messages name it.
        lines: path of a key (`quant.layer_configs[2].data_type`) → its line, from 1.
        within: what stands before every path: where in the source the config lies.
    """

    source: str
    lines: Mapping[str, int] = field(default_factory=dict)
    within: str = ""

    def error(self, path: str, message: str, hint: str = "") -> ConfigError:
        """Make the one-line error for a key: `file:line: a.b.c: message`."""
        known = path
        while known and known not in self.lines:
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        line = self.lines.get(known)
        where = self.source if line is None else f"{self.source}:{line}"
        full = ".".join(part for part in (self.within, path) if part)
        return ConfigError(": ".join(part for part in (where, full, message) if part), hint)


def below(path: str, key: str | int) -> str:
    """Give the path of a key or an item of the value at `path`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
