"""What the README shows is what happens: its console blocks are run, in order, in a copy.

Blocks marked `sh` are not: they want a board, the vendor's image, or are the tests themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
# The copy's own sources, run by this very Python with what is installed beside it.
PROGRAM = """#!/bin/sh
PYTHONPATH='{copy}' exec '{python}' {arguments} "$@"
"""
MAIN = "-c 'from orchestrator.cli.main import main; main()'"


@dataclass(frozen=True, slots=True)
class Ran:
    command: str
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, as `git clone` gives it, with an environment that is complete."""
    copy = tmp_path_factory.mktemp("readme") / "orch"
    # In CI the folder may be somebody else's, which git does not trust by itself.
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    give_environment(copy)
    return copy


def give_environment(copy: Path) -> None:
    """Make `.venv` a stand-in for the one that scripts/demo would take minutes to install.

    It carries the stamp of a finished installation, so that the script uses it as it is.
    """
    programs = copy / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("orch", MAIN)):
        text = PROGRAM.format(copy=copy, python=sys.executable, arguments=arguments)
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    script = 'source "$1/scripts/lib/environment.sh" && environment_key "$1" "$1/.venv"'
    key = subprocess.run(
        ["bash", "-c", script, "bash", str(copy)],
        capture_output=True,
        text=True,
        check=True,
    )
    (programs.parent / ".orch-stamp").write_text(f"{key.stdout.strip()} all\n")


@pytest.fixture(scope="module")
def ran(copy: Path) -> list[Ran]:
    """Every command of the README, run one after the other like a reader would."""
    results = []
    for command in COMMANDS:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=copy,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        results.append(Ran(command, done.returncode, done.stdout, done.stderr))
    return results


def columns(text: str) -> list[str]:
    """The header of the first latency table in a text."""
    header = next(line for line in text.splitlines() if re.match(r"board\b.*\bp50 ms\b", line))
    return re.split(r"\s{2,}", header.strip())


def test_the_readme_begins_with_the_demo() -> None:
    assert COMMANDS[0] == "scripts/demo"


def test_every_command_of_the_readme_ends_well(ran: list[Ran]) -> None:
    assert [f"{one.command}: {one.code} {one.err}" for one in ran if one.code != 0] == []


def test_the_table_of_the_readme_is_the_one_that_the_demo_prints(ran: list[Ran]) -> None:
    assert columns(README) == columns(ran[0].out)


def test_the_table_of_the_readme_says_that_its_boards_are_simulated(ran: list[Ran]) -> None:
    note = "simulated boards: times are of this machine's CPU, not of an NPU"
    assert note in README
    assert note in ran[0].out


def test_the_demo_installs_nothing_where_the_environment_is_complete(ran: list[Ran]) -> None:
    assert "environment:" not in ran[0].err
