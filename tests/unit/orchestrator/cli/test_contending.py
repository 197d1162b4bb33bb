"""`--contend`, `--contend-with`, `--affinity`: what they mean together."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cli.contending import company, contend_of, found_company
from orchestrator.domain import Contend, KeptRelease
from orchestrator.errors import ConfigError
from orchestrator.hashing import as_json


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ((None, None, None), None),
        ((3, None, None), Contend(3)),
        ((None, "street", None), Contend(2, "street")),
        ((4, "street", None), Contend(4, "street")),
        ((None, None, "1,2,4"), Contend(3, None, (1, 2, 4))),
        ((2, None, "7, 7"), Contend(2, None, (7, 7))),
    ],
)
def test_options_that_fit_together(
    options: tuple[int | None, str | None, str | None], meant: Contend | None
) -> None:
    assert company(*options) == meant


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((3, None, "1,2"), "2 masks for 3"),
        ((None, "street", "1,2"), "cannot be had together"),
        ((None, None, "1"), "one mask"),
        ((None, None, "0,1"), "numbers from 1 to 7"),
        ((None, None, "1,x"), "numbers from 1 to 7"),
        ((None, None, ""), "numbers from 1 to 7"),
    ],
)
def test_options_that_do_not(options: tuple[int | None, str | None, str | None], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        company(*options)


@pytest.mark.parametrize("asked", [Contend(2, "r1"), Contend(3, None, (1, 2, 4))])
def test_a_run_keeps_what_was_asked(asked: Contend) -> None:
    assert contend_of(as_json(asked)) == asked


@pytest.mark.parametrize(
    "kept", [None, 7, {"processes": "2", "release_id": None, "affinities": []}]
)
def test_an_older_run_was_asked_for_no_company(kept: object) -> None:
    assert contend_of(kept) is None  # type: ignore[arg-type] # what a ledger may hold


def test_company_is_found_by_release_and_by_recipe(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    for name, used in (("street-1", "2026-01-01"), ("street-2", "2026-01-02")):
        ledger.record_release(KeptRelease(name, "street", (), (), used))

    assert found_company(Contend(2, "street-1"), ledger) == Contend(2, "street-1")
    assert found_company(Contend(2, "street"), ledger) == Contend(2, "street-2")
    assert found_company(Contend(2), ledger) == Contend(2)
    with pytest.raises(ConfigError, match="neither a release nor a recipe") as raised:
        found_company(Contend(2, "sea"), ledger)
    assert "street-2" in raised.value.hint
    ledger.close()
