"""Builds that meet: one does the work, a killed one holds nobody up, nothing is ever half there."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.backends.sql_ledger import SqlLedger

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")
STAGES = ("export", "optimize", "compile", "check")
INVENTORY = f"""\
toolchains:
  program: {{kind: local, command: ["{sys.executable}", -m, containers.pulsar2_sim]}}
boards:
  sim-01: {{simulated: true}}
fleets:
  sim: {{boards: [sim-01], recipe: segformer-tiny, toolchain: sim}}
"""
#: The stand-in stops in the middle of a build and stays there.
HANGS = {"PULSAR2_SIM_FAULT": "hang"}
START_S = 120.0


@dataclass
class Build:
    """A running `orch`; what it says on stderr is kept as it comes."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            with self.news:
                self.said.append(line)
                self.news.notify_all()

    def wait_for(self, text: str) -> str:
        """Give the first line with the text."""

        def found() -> str | None:
            return next((line for line in self.said if text in line), None)

        with self.news:
            assert self.news.wait_for(found, START_S), f"never said {text!r}: {self.said}"
            return found() or ""

    def finish(self) -> dict[str, dict[str, object]]:
        """Give the stages of the build that ends well."""
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        assert self.process.wait(START_S) == 0, "".join(self.said)
        stages = json.loads(out)["stages"]
        assert isinstance(stages, dict)
        return stages

    def kill(self) -> None:
        """Kill it so that it can do nothing more, then the toolchain that it may leave."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        self.process.kill()
        self.process.wait(START_S)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@dataclass
class Place:
    """A folder with an inventory and its state."""

    folder: Path
    started: list[Build] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / ".orch"

    def start(self, *argv: str, **environment: str) -> Build:
        process = subprocess.Popen(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"ORCH_SLOTS": str(self.folder.parent / "slots")} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(Build(process))
        return self.started[-1]

    def build(self, *argv: str, **environment: str) -> Build:
        return self.start("build", "--json", *argv, **environment)

    def json(self, *argv: str) -> dict[str, object]:
        one = self.start(*argv, "--json")
        assert one.process.stdout is not None
        out = one.process.stdout.read()
        assert one.process.wait(START_S) == 0, one.said
        found = json.loads(out)
        assert isinstance(found, dict)
        return found

    def end(self) -> None:
        for one in self.started:
            if one.process.poll() is None:
                one.kill()
            one.reader.join()
            for stream in (one.process.stdout, one.process.stderr):
                if stream is not None:
                    stream.close()

    def forget(self, *stages: str) -> None:
        ledger = SqlLedger(f"sqlite:///{self.home / 'orch.db'}")
        for kept in ledger.kept_actions():
            if kept.action.stage in stages:
                ledger.forget_action(kept.action.key)
        ledger.close()

    def actions(self) -> list[str]:
        """The stages of all finished actions, each time that one was done."""
        ledger = SqlLedger(f"sqlite:///{self.home / 'orch.db'}")
        found = [kept.action for kept in ledger.kept_actions()]
        ledger.close()
        stored = self.blobs()
        for action in found:
            assert {item.sha256 for item in action.outputs.values()} <= stored
        return sorted(action.stage for action in found)

    def blobs(self) -> set[str]:
        """All blobs; each is what its name says."""
        paths = [path for path in (self.home / "cas").rglob("*") if path.is_file()]
        whole = {path.name: path for path in paths if path.suffix != ".part"}
        for sha256, path in whole.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
        return set(whole)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where two builds began at once and have ended."""
    place = Place(tmp_path_factory.mktemp("builds") / "place")
    place.folder.mkdir()
    (place.folder / "inventory.yaml").write_text(INVENTORY)
    both = [place.build(), place.build()]
    (place.folder / "both.json").write_text(json.dumps([one.finish() for one in both]))
    place.end()
    return place


@pytest.fixture
def copy(built: Place, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Gives places that have the optimized model, and what comes after it yet to be made."""
    made: list[Place] = []

    def make(name: str) -> Place:
        place = Place(tmp_path / name)
        shutil.copytree(built.folder, place.folder)
        place.forget("compile", "check")
        made.append(place)
        return place

    yield make
    for place in made:
        place.end()


def test_two_builds_started_together_do_each_stage_once(built: Place) -> None:
    first, second = json.loads((built.folder / "both.json").read_text())

    for stage in STAGES:
        assert sorted([first[stage]["cached"], second[stage]["cached"]]) == [False, True]
        assert first[stage]["outputs"] == second[stage]["outputs"]
    assert built.actions() == sorted(STAGES)


def test_a_killed_build_is_taken_over_by_the_one_that_waits(copy: Callable[[str], Place]) -> None:
    place = copy("place")
    stuck = place.build(**HANGS)
    stuck.wait_for("pulsar2 build")
    waiting = place.build()
    waiting.wait_for("another orch is at the same work; waiting for it")

    stuck.kill()

    stages = waiting.finish()
    cached = [stages[stage]["cached"] for stage in STAGES]
    assert cached == [True, True, False, False]
    assert place.actions() == sorted(STAGES)


def test_kills_at_any_moment_leave_nothing_torn(copy: Callable[[str], Place]) -> None:
    place = copy("place")
    chance = random.Random(3)  # noqa: S311 - any moment will do
    for _ in range(4):
        one = place.build()
        one.wait_for("optimize   cached")
        time.sleep(chance.uniform(0, 4))
        one.kill()
        place.actions()

    stages = place.build().finish()
    assert [stages[stage]["cached"] for stage in STAGES[:2]] == [True, True]
    assert place.actions() == sorted(STAGES)
    place.json("cache", "gc", "--max-size", "0")
    left = sorted(path.name for path in (place.home / "work").iterdir())
    assert left == ["cache.lock", "present"]
    assert list((place.home / "work" / "present").iterdir()) == []


def test_one_engine_does_one_build_at_a_time_whatever_the_state_folder(
    copy: Callable[[str], Place],
) -> None:
    stuck = copy("one").build("--toolchain", "program", **HANGS)
    stuck.wait_for("pulsar2 build")
    other = copy("other")
    waiting = other.build("--toolchain", "program")
    line = waiting.wait_for("waiting for a build slot")
    assert f"1 of 1 taken, by process {stuck.process.pid}" in line
    unlimited = copy("sim").build()
    assert unlimited.finish()["compile"]["cached"] is False

    stuck.kill()

    assert waiting.finish()["compile"]["cached"] is False


def test_clearing_keeps_what_the_newest_release_needs(copy: Callable[[str], Place]) -> None:
    place = copy("place")
    place.build().finish()
    place.build("--toolchain", "program").finish()
    before = place.json("cache", "list")
    assert isinstance(before["actions"], list)
    assert [row["stage"] for row in before["actions"]].count("compile") == 2

    would = place.json("cache", "gc", "--max-size", "0", "--dry-run")
    assert place.json("cache", "list") == before
    done = place.json("cache", "gc", "--max-size", "0")

    assert done == would | {"dry_run": False}
    assert done["kept_bytes"] == done["needed_bytes"]
    after = place.json("cache", "list")["actions"]
    assert isinstance(after, list)
    assert sorted(row["stage"] for row in after) == sorted(STAGES)
    assert all(row["releases"] and not row["missing"] for row in after)
    again = place.build("--toolchain", "program").finish()
    assert all(stage["cached"] for stage in again.values())
