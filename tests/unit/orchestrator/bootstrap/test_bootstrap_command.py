"""Bootstrapping over SSH, by the command that a user types."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.domain import Board
from orchestrator.errors import ConfigError

ORCH = Path(sys.executable).with_name("orch")
PACKAGES = "/usr/local/lib/python3.11/dist-packages"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text("{boards: {b1: {host: 192.0.2.1}}, fleets: {lab: {boards: [b1]}}}")
    return path


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--axengine", "a.whl"], "without --sha256 any file would do"),
        (["--sha256", "0" * 64], "--sha256 goes with --axengine"),
        (["--axengine", "a.whl", "--sha256", "beef"], "is no sha256"),
        (["--axengine", "missing.whl", "--sha256", "0" * 64], "missing.whl"),
    ],
)
def test_an_axengine_that_is_not_pinned_stops_before_any_board(
    inventory: Path, options: list[str], said: str
) -> None:
    argv = ["fleet", "bootstrap", "--inventory", str(inventory), "--fleet", "lab", *options]
    result = CliRunner().invoke(app, argv)
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)


@pytest.mark.docker
@pytest.mark.slow
def test_a_container_without_packages_gets_them_over_ssh(
    board_container: Callable[..., AbstractContextManager[Board]],
    docker_engine: Callable[..., str],
    tmp_path: Path,
    index: Path,
    axengine_wheel: Path,
) -> None:
    with board_container() as board:
        docker_engine("exec", board.name, "sh", "-c", f"rm -r {PACKAGES}/numpy* {PACKAGES}/ml_*")
        path = tmp_path / "inventory.yaml"
        described = {
            "host": board.host,
            "port": board.port,
            "host_key": board.host_keys[0],
            "identity_file": board.identity_file,
        }
        fleets = {"lab": {"boards": [board.name]}}
        path.write_text(json.dumps({"boards": {board.name: described}, "fleets": fleets}))
        sha256 = hashlib.sha256(axengine_wheel.read_bytes()).hexdigest()

        def bootstrap() -> dict[str, Any]:
            argv = [str(ORCH), "fleet", "bootstrap", "--inventory", str(path), "--fleet", "lab"]
            argv += ["--axengine", str(axengine_wheel), "--sha256", sha256]
            argv += ["--wheels", str(index), "--json"]
            done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
            assert done.returncode == 0, done.stderr.decode()
            (found,) = json.loads(done.stdout)
            return dict(found)

        first, second = bootstrap(), bootstrap()
        assert (first["state"], second["state"]) == ("installed", "ready")
        assert first["packages"]["numpy"] == "2.0.0"
        assert first["uploaded_bytes"] > 9000
        assert second["uploaded_bytes"] == 0
        listed = docker_engine("exec", board.name, "ls", "/root/.orch/python/current/")
        assert {"numpy", "cffi", "ml_dtypes", "axengine"} <= set(listed.split())
