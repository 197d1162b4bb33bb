"""What is made of what a board says of itself, before anything is brought there."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from board_agent import protocol
from orchestrator.bootstrap.fleet import Supplies
from orchestrator.domain import Board, CommandResult
from tests.unit.orchestrator.bootstrap.bringing import go

RUNTIME = {
    "python": "3.10.12",
    "implementation": "cpython",
    "bits": 64,
    "machine": "aarch64",
    "libc": "glibc 2.35",
    "packages": {"numpy": None, "cffi": None, "ml_dtypes": None, "axengine": None},
    "axengine_sha256": None,
    "installed": None,
    "disk_free_bytes": 10**9,
    "models": [],
    "selftest": None,
    "simulated": False,
}


class Told:
    """A board whose agent says `runtime`; anything else it is asked is a failure of the test."""

    def __init__(self, returncode: int = 0, **changes: Any) -> None:
        reply = protocol.success(RUNTIME | changes)
        self.result = CommandResult(
            returncode, protocol.pack(reply) if not returncode else b"", b""
        )

    def __call__(self, _: Board) -> Any:
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, argv: Any, stdin: bytes = b"", **_: object) -> CommandResult:
        assert self.result.returncode or json.loads(stdin)["kind"] == "runtime", argv
        return self.result


def test_a_board_with_too_old_a_python_is_told_what_it_can_do(supplies: Supplies) -> None:
    found = go(Told(python="3.9.2"), supplies)
    assert (found.state, found.error) == ("limited", "")
    assert found.can == "ax_run_model only: Python 3.9.2 < 3.10"


def test_a_board_without_python_is_told_what_it_can_do(supplies: Supplies) -> None:
    found = go(Told(returncode=127), supplies)
    assert (found.state, found.can) == ("limited", "ax_run_model only: it has no python3")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"libc": None}, "libc unknown"),
        ({"bits": 32}, "32 bits"),
        ({"implementation": "pypy"}, "pypy 3.10.12"),
    ],
)
def test_a_board_that_no_wheels_are_made_for_is_refused(
    supplies: Supplies, changes: dict[str, Any], said: str
) -> None:
    found = go(Told(**changes), supplies)
    assert (found.state, found.error_code) == ("failed", "REFUSED")
    assert said in found.error


def test_a_full_disk_is_refused_before_a_byte_is_copied(supplies: Supplies) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}.1"
    found = go(Told(python=version, disk_free_bytes=5000), supplies)
    assert (found.state, found.error_code) == ("failed", "REFUSED")
    assert "0.0 MB of disk are free" in found.error


def test_a_board_that_has_everything_is_ready_at_once(supplies: Supplies) -> None:
    packages = {name: {"version": "1.0"} for name in ("numpy", "cffi", "ml_dtypes", "axengine")}
    sha256 = "5bbff3c11ba8" + "0" * 52
    board = Told(packages=packages, axengine_sha256=sha256)
    found = go(board, replace(supplies, axengine=None))
    assert (found.state, found.axengine) == ("ready", "0.1.3-frigate or 0.1.3.rc3")


@pytest.mark.parametrize(
    "changes",
    [
        {"python": "3.x"},
        {"packages": []},
        {"disk_free_bytes": "much"},
        {"axengine_sha256": "\x1b["},
    ],
)
def test_what_a_board_says_is_checked(supplies: Supplies, changes: dict[str, Any]) -> None:
    found = go(Told(**changes), supplies)
    assert (found.state, found.error_code) == ("failed", "INTERNAL")
    assert "no usable" in found.error
