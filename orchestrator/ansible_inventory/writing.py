"""Boards and fleets → the text of an `inventory.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from orchestrator.domain import Json

Keys = Mapping[str, Json]
_SHARED = ("user", "port", "identity_file", "jump", "password", "sudo", "sudo_password")


def inventory_text(title: str, boards: Mapping[str, Keys], groups: Sequence[str]) -> str:
    """Write an inventory: what all boards share goes to `defaults`, each group is a fleet.

    `groups` are tags that boards have.
    """
    shared = _shared(list(boards.values()))
    lines = [f"# {title}"]
    if shared:
        lines += ["defaults:", *(f"  {key}: {_flow(value)}" for key, value in shared.items())]
    lines += ["boards:"]
    for name, keys in boards.items():
        own = {key: value for key, value in keys.items() if key not in shared}
        lines.append(f"  {_flow(name)}: {_flow(own)}")
    lines += ["fleets:", '  all: {boards: "*"}']
    lines += [f"  {_flow(group)}: {_flow({'select': f'tag={group}'})}" for group in groups]
    return "\n".join(lines) + "\n"


def _shared(boards: Sequence[Keys]) -> dict[str, Json]:
    """Give what all boards say alike; one board alone shares nothing."""
    if len(boards) < 2:  # noqa: PLR2004 - it takes two
        return {}
    first = boards[0]
    return {
        key: first[key]
        for key in _SHARED
        if key in first and all(one.get(key) == first[key] for one in boards)
    }


def _flow(value: object) -> str:
    """Write a value on one line, as YAML that is read back as the same."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=2**30, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
