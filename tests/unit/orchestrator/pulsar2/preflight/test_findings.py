"""How findings are said."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest

from orchestrator.errors import PreflightError, StageError
from orchestrator.pulsar2.preflight import CHECKS, Finding, preflight_rows, refuse
from orchestrator.pulsar2.preflight.operators import known_targets, operator_table
from orchestrator.pulsar2.versions import version_table

ROOT = Path(__file__).parents[5]


def bad(where: str, message: str = "AX650 has no Selu", advice: str = "") -> Finding:
    return Finding("refuse", "operator", where, message, advice)


def test_warnings_refuse_nothing() -> None:
    refuse([Finding("warn", "opset", "opset 18", "newer than 17")], "model")


def test_the_error_names_each_node_with_its_advice() -> None:
    with pytest.raises(PreflightError) as caught:
        refuse([bad("a", advice="cut it"), bad("b")], "segformer")
    assert isinstance(caught.value, StageError)
    assert caught.value.exit_code == 1
    assert caught.value.message.splitlines() == [
        "segformer: pulsar2 would refuse 2 things:",
        "  a: AX650 has no Selu -> cut it",
        "  b: AX650 has no Selu",
    ]
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


def test_of_many_eight_are_shown_and_the_rest_is_counted() -> None:
    with pytest.raises(PreflightError) as caught:
        refuse([bad(str(index)) for index in range(11)], "model")
    lines = caught.value.message.splitlines()
    assert len(lines) == 10
    assert lines[-1] == "  and 3 more"


def test_rows_put_equal_findings_together_and_refused_ones_first() -> None:
    warned = Finding("warn", "opset", "opset 18", "new", "old")
    assert preflight_rows([warned, bad("a"), bad("b"), bad("c")]) == [
        ("refuse", "operator", "a and 2 more", "AX650 has no Selu", ""),
        ("warn", "opset", "opset 18", "new", "old"),
    ]


def test_the_reference_lists_the_checks_that_there_are() -> None:
    text = (ROOT / "docs/reference/preflight.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(CHECKS)


def test_every_target_has_its_file() -> None:
    assert known_targets() == set(version_table().npu_modes)


@pytest.mark.parametrize("target", sorted(known_targets()))
def test_every_file_is_understood_to_the_last_key(target: str) -> None:
    table = operator_table(target)
    assert table.operators["Conv"].attributes
    assert "IsNaN" in table.front_end
    assert table.complete == (target in {"AX650", "M76H"})


def test_no_operator_is_both_there_and_missing() -> None:
    path = ROOT / "orchestrator/pulsar2/data/operators/AX650.json"
    data = json.loads(path.read_text())
    missing = {*data["missing"]["front_end"], *data["missing"]["target"]}
    assert missing & data["operators"].keys() == set()
