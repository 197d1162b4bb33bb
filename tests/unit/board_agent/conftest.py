"""A board to ask: the agent as a zipapp, a home, fact files and a scripted runtime."""

from __future__ import annotations

import base64
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import board_agent
from tests.unit.board_agent.board import Board


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as one file, laid out as the host lays it out."""
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        for source in Path(board_agent.__file__).parent.glob("*.py"):
            archive.write(source, f"board_agent/{source.name}")
            if source.name == "__main__.py":
                archive.write(source, source.name)
    return path


@pytest.fixture(scope="session")
def new_board(tmp_path_factory: pytest.TempPathFactory, agent: Path) -> Callable[[], Board]:
    """Makes boards for the tests that may share one."""
    return lambda: Board(tmp_path_factory.mktemp("board"), agent)


@pytest.fixture
def board(tmp_path: Path, agent: Path) -> Board:
    return Board(tmp_path, agent)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition that will come true."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            time.sleep(0.005)

    return wait


@pytest.fixture
def decode() -> Callable[[dict[str, Any]], Any]:
    """The array in an encoded tensor."""

    def read(tensor: dict[str, Any]) -> Any:
        data = zlib.decompress(base64.b64decode(tensor["data"]))
        return np.frombuffer(data, tensor["dtype"]).reshape(tensor["shape"])

    return read
