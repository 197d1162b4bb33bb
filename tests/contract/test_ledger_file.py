"""A ledger in SQLite that an older orch has written, that a newer one has, or that is none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.domain import Delivery, KeptAction
from orchestrator.errors import ConfigError, OrchError
from tests.contract.ledger_values import ACTION, OUTCOME


def test_a_delivery_of_an_older_orch_is_read(tmp_path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    ledger.record_outcome("r1", OUTCOME)
    old = '{"release_id": "rel", "uploaded_bytes": 5, "agent_uploaded": true, "activated": false'
    with sqlite3.connect(tmp_path / "orch.db") as database:
        database.execute("UPDATE outcomes SET delivery = ?", (old + ', "facts": {}}',))
    database.close()

    (found,) = ledger.outcomes("r1")

    assert found.delivery == Delivery("rel", 5, agent_uploaded=True, activated=False, facts={})
    ledger.close()


def test_a_ledger_of_the_first_schema_opens_with_all_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orch.db'}"
    old = SqlLedger(url)
    old.record_action(ACTION)
    old.close()
    with sqlite3.connect(tmp_path / "orch.db") as database:
        for table in ("uses", "releases"):
            database.execute(f"DROP TABLE {table}")
        database.execute("UPDATE schema_version SET version = 1")
    database.close()

    for _ in range(2):
        opened = SqlLedger(url)
        opened.record_use(ACTION.key, "2025-02-01T00:00:00")
        assert opened.kept_actions() == [KeptAction(ACTION, "2025-02-01T00:00:00")]
        opened.close()


def test_a_ledger_of_another_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'orch.db'}"
    SqlLedger(url).close()
    with sqlite3.connect(tmp_path / "orch.db") as database:
        database.execute("UPDATE schema_version SET version = 99")
    database.close()

    with pytest.raises(ConfigError, match="it has schema 99, this orch knows"):
        SqlLedger(url)


@pytest.mark.parametrize("url", ["sqlite:///{}/text.db", "sqlite:///{}", "nosuch://host/db"])
def test_what_is_no_ledger_is_refused_by_its_url(tmp_path: Path, url: str) -> None:
    (tmp_path / "text.db").write_text("this is no database, it only has its name\n" * 50)
    named = url.format(tmp_path)

    with pytest.raises(OrchError, match="cannot be opened") as caught:
        SqlLedger(named)

    assert named in caught.value.message


@pytest.mark.parametrize("url", ["nosuch://me:secret@host/db", "me:secret@host"])
def test_a_password_in_a_url_is_not_repeated(url: str) -> None:
    with pytest.raises(OrchError, match="cannot be opened") as caught:
        SqlLedger(url)

    assert "secret" not in caught.value.message
