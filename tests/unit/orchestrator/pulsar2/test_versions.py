from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.pulsar2.versions import facts_of, newest_version, version_table


@pytest.mark.parametrize(
    ("version", "known", "guessed"),
    [
        ("5.2", "5.2", False),
        ("5.1-patch1-lite", "5.1", False),
        ("1.9_enc", "1.9", False),
        ("v7.0-lite", "7.0", False),
        ("4.0.1", "4.0", False),
        ("1.2-patch2", "1.9", True),
        ("5.9", "5.2", True),
        ("12.0", "7.0", True),
        ("20260520-temp-61099061-lite", "7.0", True),
        ("", "7.0", True),
    ],
)
def test_a_version_is_known_or_taken_for_its_nearest(
    version: str, known: str, *, guessed: bool
) -> None:
    facts = facts_of(version)

    assert (facts.version, facts.known, facts.guessed) == (version, known, guessed)


@pytest.mark.parametrize(
    ("version", "targets"),
    [
        ("3.2", {"AX650", "AX620E", "M76H"}),
        ("4.2", {"AX650", "AX620E", "M76H", "AX615", "M57", "AX620L"}),
        ("6.0", {"AX650", "AX620E", "M76H", "AX615", "M57", "AX620L", "AX637"}),
        ("7.0", {"AX650", "AX620E", "M76H", "AX615", "M57", "AX620L", "AX637", "AX8860"}),
    ],
)
def test_each_version_has_its_targets(version: str, targets: set[str]) -> None:
    assert set(facts_of(version).targets) == targets


def test_versions_are_compared_as_numbers() -> None:
    assert facts_of("5.2").has("5.2")
    assert facts_of("5.2").has("4.2")
    assert not facts_of("5.2").has("6.0")
    assert not facts_of("3.4").has("4.0")


def test_the_table_is_in_order_and_speaks_only_of_its_versions() -> None:
    table = version_table()
    numbers = [tuple(map(int, one.split("."))) for one in table.versions]

    assert numbers == sorted(set(numbers))
    assert newest_version() == table.versions[-1]
    assert set(table.hardware_since.values()) | set(table.values_since.values()) <= set(
        table.versions
    )
    assert set(table.chips.values()) | set(table.sold_as.values()) <= set(table.npu_modes)


def test_the_reference_tells_what_came_with_each_version() -> None:
    page = Path(__file__).parents[4] / "docs" / "reference" / "build-config.md"
    rows = dict(re.findall(r"^\| (\d\.\d) \| (.*)$", page.read_text(), re.MULTILINE))
    table = version_table()
    keys = [*table.keys_since.items(), *table.keys_until.items()]
    came = [*keys, *table.hardware_since.items(), *table.values_since.items()]

    missing = [name for name, since in came if name.split(".")[-1] not in rows.get(since, "")]

    assert missing == []
