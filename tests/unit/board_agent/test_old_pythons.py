from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import board_agent

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.unit.board_agent.board import Board

SOURCES = sorted(Path(board_agent.__file__).parent.glob("*.py"))
SHOW_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def interpreter(version: str) -> str | None:
    """A Python of this version, from PATH or pyenv."""
    found = [shutil.which(f"python{version}")]
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True)
        folder = Path(root.stdout.strip(), "versions")
        found += map(str, sorted(folder.glob(f"{version}.*/bin/python{version}")))
    for path in filter(None, found):
        command = [path, "-c", SHOW_VERSION]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.stdout.strip() == version:
            return path
    return None


@pytest.fixture(params=["3.8", "3.9", "3.13"])
def old_board(request: pytest.FixtureRequest, board: Board) -> Board:
    """The board with another Python, which finds no numpy and none of this one's packages."""
    path = interpreter(request.param)
    if path is None:
        pytest.skip(f"there is no Python {request.param} on PATH or under pyenv")
    board.python, board.near = path, False
    board.environment["PYTHONWARNINGS"] = "error"
    return board


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_sources_are_python_3_8(source: Path) -> None:
    ast.parse(source.read_text(), feature_version=(3, 8))


def test_probe_activate_and_rollback_run_on_every_python(old_board: Board) -> None:
    for release_id in ("r1", "r2"):
        manifest = old_board.manifest(a=release_id.encode())
        old_board.result("activate", release_id=release_id, manifest=manifest)

    old_board.result("rollback")

    found = old_board.result("probe", blobs=[], lease={"owner": "me", "ttl_s": 60})
    old_board.result("gc", token=found["lease"]["token"], keep=[])
    assert (found["current"], found["previous"]) == ("r1", "r2")
    assert old_board.python.endswith(found["facts"]["python"].rpartition(".")[0])
    assert found["facts"]["uid"] == "0x6007080746221049"


def test_a_python_that_cannot_load_the_runtime_says_why(old_board: Board) -> None:
    old_board.deploy()
    version = Path(old_board.python).name.replace("python", "")

    error = old_board.error(
        "benchmark", run_id="x", model="model.axmodel", warmup=0, iterations=1, deadline_s=60
    )

    if version == "3.13":
        assert error["code"] == "NO_RUNTIME"
    else:
        assert error["code"] == "OLD_PYTHON"
        assert error["message"] == f"Python {version} < 3.10, axengine cannot load"
    assert "numpy" in error["details"]["import_error"]
