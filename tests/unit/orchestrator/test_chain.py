"""Links that fit each other, and those that do not."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.chain import faults, next_link
from orchestrator.domain import Link


def chain(count: int) -> list[Link]:
    links: list[Link] = []
    for at in range(count):
        before = links[-1] if links else None
        links.append(next_link(before, "run", f"r{at}", "c" * 64, "2026-01-01"))
    return links


def test_a_chain_that_was_left_alone_has_no_faults() -> None:
    assert faults(chain(5)) == []
    assert faults([]) == []


def test_a_changed_link_is_named() -> None:
    links = chain(5)
    links[2] = replace(links[2], content="d" * 64)

    assert faults(links) == ["link 3 (run r2): it was changed"]


def test_a_link_that_was_changed_with_its_own_hash_breaks_the_one_behind_it() -> None:
    links = chain(5)
    links[2] = next_link(links[1], "run", "other", "d" * 64, "2026-01-01")

    assert faults(links) == ["link 4 (run r3): it does not follow the link before it"]


def test_a_missing_link_is_named() -> None:
    links = chain(5)

    assert faults([*links[:2], *links[3:]]) == ["link 4 (run r3): link 3 is missing before it"]
