"""`power` in an inventory: a command of words, on this host, without secrets in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import PowerHook
from orchestrator.errors import ConfigError
from orchestrator.inventory import Inventory, load_inventory

POWER = """\
defaults: {power: {command: "pdu --port 3", environment: {PDU_USER: "env:LAB_PDU"}}}
boards:
  metered: {host: a}
  special: {host: b, power: {command: [meter, "a b"], interval_s: 0.2}}
fleets: {all: {boards: "*"}}
"""


def load(folder: Path, text: str) -> Inventory:
    path = folder / "inventory.yaml"
    path.write_text(text)
    return load_inventory(path)


def test_a_power_hook_is_a_command_of_words(tmp_path: Path) -> None:
    boards = load(tmp_path, POWER).boards

    assert boards["metered"].power == PowerHook(
        ("pdu", "--port", "3"), 1.0, {"PDU_USER": "env:LAB_PDU"}
    )
    assert boards["special"].power == PowerHook(("meter", "a b"), 0.2, {})


@pytest.mark.parametrize(
    ("power", "says"),
    [
        ('{command: ""}', "at least the program"),
        ("{command: []}", "at least the program"),
        ('{command: "pdu env:LAB_PDU"}', "by environment"),
        ("{command: pdu, interval_s: 0}", "greater than or equal to 0.05"),
        ("{command: pdu, environment: {A-B: x}}", "environment"),
        ("{interval_s: 1}", "command"),
    ],
)
def test_a_power_hook_that_is_none_is_refused(tmp_path: Path, power: str, says: str) -> None:
    text = f"boards:\n  one: {{host: a, power: {power}}}\nfleets: {{all: {{boards: '*'}}}}\n"

    with pytest.raises(ConfigError, match=says):
        load(tmp_path, text)
