"""`orch cache` as it is typed: what it prints, and what it takes for its own."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.cli.main import app
from orchestrator.domain import Json, KeptRelease
from orchestrator.errors import ConfigError
from orchestrator.seams import Progress

INVENTORY = """\
boards: {b: {host: 192.0.2.1}}
fleets: {lab: {boards: [b]}}
"""


@dataclass(frozen=True)
class Desk:
    """A folder with an inventory and two compiled models, of which one is in a release."""

    folder: Path

    def orch(self, *argv: str) -> str:
        inventory = str(self.folder / "inventory.yaml")
        done = CliRunner().invoke(app, ["cache", *argv, "-i", inventory], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    def fill(self, progress: Progress) -> list[str]:
        """Compile `small` and `large`; give their keys."""
        home, keys = self.folder / ".orch", []
        ledger = SqlLedger(f"sqlite:///{home / 'orch.db'}")
        cache = Cache(ledger, FsspecBlobs(str(home / "cas")), home / "work")
        for name, size in (("small", 1000), ("large", 2_000_000)):

            def make(folder: Path, size: int = size) -> Produced:
                (folder / "axmodel").write_bytes(b"x" * size)
                facts: dict[str, Json] = {"hardware": "AX650", "npu_mode": "NPU3"}
                facts["simulated"] = True
                return Produced({"axmodel": folder / "axmodel"}, facts)

            wanted = Wanted("compile", name, {"toolchain_version": "5.2", "config": name})
            keys.append(cache.do(wanted, "run-1", progress, make)[0].key)
        ledger.record_release(KeptRelease("small-1", "small", (keys[0],), (), "2025-01-01"))
        ledger.close()
        return keys

    def blobs(self) -> list[Path]:
        return [path for path in (self.folder / ".orch" / "cas").rglob("*") if path.is_file()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return Desk(tmp_path)


def test_an_empty_cache_says_so(desk: Desk) -> None:
    assert desk.orch("list") == "no actions yet: orch build\n"
    assert json.loads(desk.orch("list", "--json")) == {"actions": []}
    assert not (desk.folder / ".orch").exists()


def test_actions_are_listed_with_who_uses_them(desk: Desk, progress: Progress) -> None:
    small, large = desk.fill(progress)
    max(desk.blobs(), key=lambda path: path.stat().st_size).unlink()

    rows = [re.split(r" {2,}", line.strip()) for line in desk.orch("list").splitlines()[2:]]

    assert [row[:3] for row in rows] == [
        ["compile", "large", large[:12]],
        ["compile", "small", small[:12]],
    ]
    same = ["5.2 simulated", "AX650/NPU3"]
    assert rows[0][6:] == ["2,000,000", *same, "missing: axmodel", "run run-1"]
    assert rows[1][6:] == ["1,000", *same, "there", "small-1"]


def test_what_goes_and_why_the_rest_stays_is_said(desk: Desk, progress: Progress) -> None:
    _, large = desk.fill(progress)

    would = desk.orch("gc", "--max-size", "0", "--dry-run")
    assert len(desk.blobs()) == 2
    done = desk.orch("gc", "--max-size", "0")

    assert would.replace("would go:", "gone:") == done
    assert f"compile of large  {large[:12]}" in re.sub(r" {3,}", "  ", done)
    assert "gone: actions and inputs 1, artifacts that nothing refers to 0, locks 2" in done
    assert "in all 2.0 MB; kept: 1.0 kB" in done
    assert "more than 0 B: 1.0 kB are needed by the newest release of each recipe" in done
    assert [path.stat().st_size for path in desk.blobs()] == [1000]


def test_a_limit_that_is_no_size_is_refused_before_anything_is_looked_at(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="--max-size 'much': this is no size"):
        desk.orch("gc", "--max-size", "much")
    assert not (desk.folder / ".orch").exists()


def test_a_folder_of_blobs_elsewhere_is_not_swept_for_another_ledger(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "x"
    source.write_text("theirs")
    FsspecBlobs(str(tmp_path / "shared")).put(source, "x")
    (theirs,) = (path for path in (tmp_path / "shared").rglob("*") if path.is_file())
    os.utime(theirs, (0, 0))
    monkeypatch.setenv("ORCH_BLOBS", str(tmp_path / "shared"))

    desk.orch("gc", "--max-size", "0")
    assert theirs.exists()

    monkeypatch.setenv("ORCH_LEDGER", f"sqlite:///{tmp_path / 'their.db'}")
    desk.orch("gc", "--max-size", "0")
    assert not theirs.exists()
