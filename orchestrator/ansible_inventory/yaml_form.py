"""An Ansible inventory in its YAML form, and its files of variables → what they say.

The format: https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from orchestrator.ansible_inventory.source import Group, Source, Variable, Where
from orchestrator.errors import ConfigError

_MAP = "tag:yaml.org,2002:map"
_NULL = "tag:yaml.org,2002:null"


def read_yaml_form(path: Path, text: str) -> Source:
    """Read the YAML form. Raises ConfigError with file and line."""
    source = Source(path)
    root = _compose(path, text)
    if root is None:
        raise Where(path, 1).error("the file is empty")
    for name, key, value in _items(path, root):
        if name == "plugin":
            raise _where(path, key).error(
                "this configures a plugin that makes an inventory, it is none itself",
                "write it down: ansible-inventory --list --yaml -i FILE > hosts.yaml",
            )
        _group(source, name, key, value, set())
    return source


def read_variables(path: Path, text: str) -> dict[str, Variable]:
    """Read a file of group_vars or host_vars. Raises ConfigError with file and line."""
    root = _compose(path, text)
    return {} if root is None else dict(_variables(path, root))


def _group(source: Source, name: str, key: yaml.Node, node: yaml.Node, above: set[str]) -> None:
    where = _where(source.path, key)
    if name in above:
        raise where.error(f"group {name!r} is in itself")
    group = source.group(name, where)
    if node.tag == _NULL:
        return
    for part, part_key, value in _items(source.path, node):
        here = _where(source.path, part_key)
        if part not in {"hosts", "children", "vars"}:
            source.notes.append(f"{here}: not taken: key {part!r} of group {name!r}")
        elif value.tag == _NULL:
            continue
        elif part == "hosts":
            _hosts(source, group, value)
        elif part == "vars":
            group.variables.update(_variables(source.path, value))
        else:
            for child, child_key, inner in _names(source.path, value):
                group.children[child] = None
                _group(source, child, child_key, inner, above | {name})


def _hosts(source: Source, group: Group, node: yaml.Node) -> None:
    for pattern, key, value in _names(source.path, node):
        variables = {} if value.tag == _NULL else dict(_variables(source.path, value))
        source.add_hosts(group, pattern, variables, _where(source.path, key))


def _names(path: Path, node: yaml.Node) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Give the keys of a mapping; a plain text is one key without a value."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str"):
        yield node.value, node, yaml.ScalarNode(_NULL, "")
        return
    yield from _items(path, node)


def _items(path: Path, node: yaml.Node) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Give the keys of a mapping as texts. Raises ConfigError for anything else."""
    if not isinstance(node, yaml.MappingNode):
        raise _where(path, node).error("names with a colon behind each should stand here")
    yaml.SafeLoader("").flatten_mapping(node)  # `<<: *base`
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _where(path, key).error("a name should stand here")
        yield key.value, key, value


def _variables(path: Path, node: yaml.Node) -> Iterator[tuple[str, Variable]]:
    for name, key, value in _items(path, node):
        where = _where(path, key)
        if value.tag.startswith("!"):
            yield name, Variable(None, where, sealed=True)
            continue
        try:
            yield name, Variable(yaml.SafeLoader("").construct_document(value), where)
        except (yaml.YAMLError, ValueError):
            # Tags of Ansible's inside a list or a mapping: nothing of ours stands there.
            yield name, Variable(None, where, sealed=True)


def _where(path: Path, node: yaml.Node) -> Where:
    return Where(path, node.start_mark.line + 1 if node.start_mark else 1)


def _compose(path: Path, text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.SafeLoader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not valid YAML: {error.problem}"
        raise Where(path, mark.line + 1 if mark else 1).error(message) from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    return node
