"""`orch fleet list` and `orch fleet import`, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli.main import app
from orchestrator.errors import ConfigError

INVENTORY = """\
boards:
  ax650-[01-12]: {host: "10.0.0.[1-12]", site: fra, tags: [npu3], password: env:NOT_SET}
  spare: {simulated: true}
fleets:
  all: {boards: "*"}
  some: {select: ax650-0*}
"""


def orch(*argv: str) -> Result:
    return CliRunner().invoke(app, argv)


def refused(*argv: str) -> ConfigError:
    error = orch(*argv).exception
    assert isinstance(error, ConfigError)
    return error


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "hosts").write_text("[web]\nweb[1:2] ansible_password=hunter2 rack=1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORCH_INVENTORY", raising=False)
    monkeypatch.delenv("NOT_SET", raising=False)
    return tmp_path


pytestmark = pytest.mark.usefixtures("folder")


def test_a_list_is_limited_and_needs_no_secret() -> None:
    done = orch(
        *("fleet", "list", "--limit", "site=fra and ax650-0*"),
        *("--exclude", "ax650-[01-07]", "--json"),
    )

    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert list(found["boards"]) == ["ax650-08", "ax650-09"]
    assert found["fleets"] == {"all": ["ax650-08", "ax650-09"], "some": ["ax650-08", "ax650-09"]}


@pytest.mark.parametrize(
    "command", [["fleet", "check"], ["fleet", "facts"], ["deploy", "-r", "segformer-tiny"]]
)
def test_boards_are_chosen_before_their_secrets_are_looked_for(command: list[str]) -> None:
    unset = refused(*command, "--fleet", "all", "--limit", "ax650-01")
    misspelt = refused(*command, "--fleet", "all", "--limit", "ax650-13")

    key = "inventory.yaml:2: boards.ax650-[01-12].password"
    assert f"{key}: the environment variable NOT_SET is not set" in unset.message
    assert "did you mean ax650-12" in misspelt.hint


def test_an_import_is_written_to_a_new_file_and_over_none() -> None:
    first = orch("fleet", "import", "hosts", "--output", "new.yaml")

    assert (first.exit_code, first.stdout) == (0, "")
    assert "hosts:2: not taken: variable 'rack'" in first.stderr
    assert "hosts: 2 boards, 2 fleets, 2 notes" in first.stderr
    listed = orch("fleet", "list", "-i", "new.yaml", "--json")
    assert list(json.loads(listed.stdout)["boards"]) == ["web1", "web2"]
    again = refused("fleet", "import", "hosts", "--output", "new.yaml")
    assert again.message == "new.yaml: is there already, nothing was written"


def test_an_import_prints_what_load_inventory_reads(folder: Path) -> None:
    done = orch("fleet", "import", "hosts")

    assert "hunter2" not in done.output
    (folder / "inventory.yaml").write_text(done.stdout)
    assert "web2" in orch("fleet", "list").stdout
    plain = json.loads(orch("fleet", "import", "hosts", "--json").stdout)
    assert plain["inventory"] == done.stdout
