"""YAML that remembers on which line each key stands, so that an error can say where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.domain import Json
from orchestrator.errors import ConfigError

Place = tuple[str | int, ...]
#: libyaml recurses in C, and twice this many levels end the whole process.
_SAFE_DEPTH = 10_000
#: `{host: 10.0.0.[1-9]}`: inside braces and brackets a `[` begins a list.
_BARE_RANGE = re.compile(r"[\w.-]\[\w+([-,]\w+)*\]")


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file: `lines` maps the place of every key and item to its line, from 1."""

    path: Path
    data: Json
    lines: Mapping[Place, int]

    def error(self, place: Place, message: str, hint: str = "") -> ConfigError:
        """Make the one-line error for a place: `file:line: a.b.c: message`."""
        known = place
        while known and known not in self.lines:
            known = known[:-1]
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
        where = f"{self.path}:{self.lines.get(known, 1)}"
        return ConfigError(f"{where}: {dotted.lstrip('.') or 'file'}: {message}", hint)


def read_yaml(path: Path) -> YamlFile:
    """Read one document of plain values. Raises ConfigError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    lines: dict[Place, int] = {}
    try:
        loader = yaml.SafeLoader("")
        node = _parse(text)
        data: Json = {}
        if node is not None:
            _note_lines(node, (), lines, path, {})
            data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        bare = _BARE_RANGE.search("".join(text.splitlines()[line - 1 : line]))
        hint = (
            'a range inside braces or brackets stands in quotes: "10.0.0.[11-26]"' if bare else ""
        )
        raise ConfigError(f"{path}:{line}: not valid YAML: {error.problem}", hint) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: it is nested too deeply, or holds itself") from error
    return YamlFile(path, data, lines)


def _parse(text: str) -> yaml.Node | None:
    """Give the one document of a text; libyaml is many times as fast, but says less of mistakes."""
    deep = text.count("[") + text.count("{") > _SAFE_DEPTH
    deep = deep or any(line.count("- ") > _SAFE_DEPTH for line in text.splitlines())
    if yaml.__with_libyaml__ and not deep:
        try:
            return _node(yaml.CSafeLoader(text))
        except yaml.YAMLError:
            pass
    return _node(yaml.SafeLoader(text))


def _node(loader: yaml.SafeLoader | yaml.CSafeLoader) -> yaml.Node | None:
    node: yaml.Node | None = loader.get_single_node()
    return node


def _note_lines(
    node: yaml.Node, place: Place, lines: dict[Place, int], path: Path, seen: dict[int, bool]
) -> None:
    """Note where every key stands, once for each node: an alias is where its anchor is.

    `seen` tells of each node whether it is one that holds the present one.
    """
    lines.setdefault(place, node.start_mark.line + 1)
    if id(node) in seen:
        if seen[id(node)]:
            raise RecursionError
        return
    seen[id(node)] = True
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_lines(item, (*place, index), lines, path, seen)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                dotted = ".".join(map(str, here))
                raise ConfigError(
                    f"{path}:{line}: {dotted}: named twice, first on line {lines[here]}",
                    "rename one of the two, or delete it",
                )
            lines[here] = line
            _note_lines(value, here, lines, path, seen)
    seen[id(node)] = False


def explain(file: YamlFile, problems: Sequence[Mapping[str, object]], schema: Json) -> ConfigError:
    """Turn the first of pydantic's problems into one line; unknown keys get the nearest known one.

    Args:
        file: where the values came from.
        problems: `ValidationError.errors()`.
        schema: the model's JSON Schema, to know which keys there are.
    """
    # A misspelt key that must be there is two problems; the spelling is the one to show.
    misspelt = (one for one in problems if one.get("type") == "extra_forbidden")
    problem = next(misspelt, problems[0])
    place = _place(file, problem.get("loc", ()))
    while problem.get("type") != "missing" and place and place not in file.lines:
        place = place[:-1]  # pydantic's own words: which choice of a union, `[key]`
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if problem.get("type") == "extra_forbidden":
        known = sorted(_keys_at(schema, schema, place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return file.error(place, f"unknown key{more}", hint)
    message = str(problem.get("msg", "not valid")).removeprefix("Value error, ")
    return file.error(place, message[:1].lower() + message[1:] + more)


def _place(file: YamlFile, loc: object) -> Place:
    """Give pydantic's location in the terms of the file, where every key is a text."""
    place: Place = ()
    for part in loc if isinstance(loc, tuple) else ():
        known = (*place, part) in file.lines or (*place, str(part)) not in file.lines
        place = (*place, part if known else str(part))
    return place


def _keys_at(root: Json, schema: Json, place: Place) -> set[str]:
    """Give the property names that the schema allows at a place."""
    if not isinstance(schema, dict) or not isinstance(root, dict):
        return set()
    if isinstance(reference := schema.get("$ref"), str):
        definitions = root.get("$defs")
        name = reference.rsplit("/", 1)[-1]
        return _keys_at(root, definitions.get(name) if isinstance(definitions, dict) else {}, place)
    found: set[str] = set()
    for choice in [*_list(schema.get("anyOf")), *_list(schema.get("allOf"))]:
        found |= _keys_at(root, choice, place)
    properties = schema.get("properties")
    named = properties if isinstance(properties, dict) else {}
    if not place:
        return found | set(named)
    if isinstance(place[0], int):
        return found | _keys_at(root, schema.get("items"), place[1:])
    inner = named.get(place[0], schema.get("additionalProperties"))
    return found | _keys_at(root, inner, place[1:])


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
