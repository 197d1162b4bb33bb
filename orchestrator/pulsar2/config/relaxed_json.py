"""JSON as the vendor's configs are written: with comments (`//`, `#`, `/* */`) and commas to spare.

The toolchain's own reader takes the line comments. orch hands it plain JSON in any case, so what
is read here need not be read there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.pulsar2.config.origin import below

_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | //[^\n]* | \#[^\n]* | /\*.*?\*/)
  | (?P<text>"(?:[^"\\\n]|\\.)*")
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]))
  | (?P<word>true|false|null)\b
  | (?P<mark>[\[\]{},:])
    """,
    re.VERBOSE | re.DOTALL,
)
#: What to do about the commonest strangers, by how they begin.
_ADVICE = {
    "...": "samples leave parts out with it: write what belongs there, or delete it",
    "'": 'texts stand in double quotes: "…"',
    "/*": "the comment has no end",
    '"': "the text has no end on its line",
}
_END = "the end of the file"


@dataclass(slots=True)
class _Text:
    """A text being read: `at` is the place behind the token `now`; `lines` grows on the way."""

    text: str
    source: str
    at: int = 0
    kind: str = ""
    now: str = ""
    lines: dict[str, int] = field(default_factory=dict)

    def line(self) -> int:
        return self.text.count("\n", 0, self.at - len(self.now)) + 1

    def error(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError(f"{self.source}:{self.line()}: {message}", hint)

    def step(self) -> None:
        """Go to the next token; at the end it is empty."""
        self.kind, self.now = "", ""
        while self.at < len(self.text):
            found = _TOKEN.match(self.text, self.at)
            if found is None:
                rest = self.text[self.at :].split("\n", 1)[0].strip()
                hint = next((hint for start, hint in _ADVICE.items() if rest.startswith(start)), "")
                raise self.error(f"not valid JSON: {rest[:40]!r} stands here", hint)
            self.at = found.end()
            if found.lastgroup != "space":
                self.kind, self.now = found.lastgroup or "", found.group()
                return

    def unexpected(self, wanted: str) -> ConfigError:
        found = repr(self.now) if self.now else _END
        return self.error(f"not valid JSON: {found} stands where {wanted} should")


def read_relaxed_json(text: str, source: str) -> tuple[Json, dict[str, int]]:
    """Read one value, and the line of each key path.

    Raises:
        ConfigError: with the line; also for a key that is named twice.
    """
    reader = _Text(text, source)
    reader.step()
    try:
        value = _value(reader, "")
    except RecursionError as error:
        raise ConfigError(f"{source}: it is nested too deeply") from error
    if reader.now:
        raise reader.unexpected(_END)
    return value, reader.lines


def _value(reader: _Text, path: str) -> Json:
    """Read the value that begins with the present token, and step behind it."""
    reader.lines.setdefault(path, reader.line())
    if reader.now == "{":
        return _object(reader, path)
    if reader.now == "[":
        return _list(reader, path)
    if reader.kind not in {"text", "number", "word"}:
        raise reader.unexpected("a value")
    value = _scalar(reader)
    reader.step()
    return value


def _scalar(reader: _Text) -> Json:
    problem, hint = "half of a surrogate pair", ""
    try:
        value: Json = json.loads(reader.now, strict=False)
        if isinstance(value, str):
            value.encode()
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:]
        hint = "a backslash is written twice; a path may have / in its place"
    except UnicodeEncodeError:
        pass
    except ValueError:
        problem = f"a number of {len(reader.now)} digits"
    else:
        return value
    raise reader.error(f"not valid JSON: {reader.now[:40]}: {problem}", hint)


def _object(reader: _Text, path: str) -> Json:
    found: dict[str, Json] = {}
    reader.step()
    while reader.now != "}":
        if reader.kind != "text":
            raise reader.unexpected('a key in double quotes or "}"')
        key = str(_scalar(reader))
        here = below(path, key)
        if key in found:
            message = f"{here}: named twice, first on line {reader.lines[here]}"
            raise reader.error(message, "delete one of the two")
        reader.lines[here] = reader.line()
        reader.step()
        if reader.now != ":":
            raise reader.unexpected(f'":" after {key!r}')
        reader.step()
        found[key] = _value(reader, here)
        _separate(reader, "}")
    reader.step()
    return found


def _list(reader: _Text, path: str) -> Json:
    found: list[Json] = []
    reader.step()
    while reader.now != "]":
        found.append(_value(reader, below(path, len(found))))
        _separate(reader, "]")
    reader.step()
    return found


def _separate(reader: _Text, end: str) -> None:
    """Step over a comma; before the end there may be one or none."""
    if reader.now == ",":
        reader.step()
    elif reader.now != end:
        raise reader.unexpected(f'"," or "{end}"')
