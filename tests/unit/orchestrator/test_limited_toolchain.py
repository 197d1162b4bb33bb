from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.backends.limited_toolchain import LimitedToolchain
from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import ToolchainError

BUILD = ("pulsar2", "build", "--input", "a.onnx")
IDENTITY = ToolchainIdentity("t", "5.2", "abc", "sha256:00", simulated=False)

#: Builds in a process of its own: says what happens, and ends when its stdin does.
PROGRAM = """
import sys
from pathlib import Path
from orchestrator.backends.limited_toolchain import LimitedToolchain
from orchestrator.domain import CommandResult

class Builds:
    def engine_id(self):
        return sys.argv[2]

    def run(self, argv, work_dir, on_line, deadline_s):
        print("building", flush=True)
        sys.stdin.read()
        return CommandResult(0, b"", b"")

def says(text):
    print(text, flush=True)

limited = LimitedToolchain(Builds(), int(sys.argv[3]), Path(sys.argv[1]), says)
limited.run(("pulsar2", "build"), Path("."), says, 1)
print("done", flush=True)
"""


@dataclass
class Builds:
    """A toolchain that notes what it ran and what `during` made of it."""

    engine: str = "engine-1"
    during: Callable[[], None] = lambda: None
    ran: list[tuple[tuple[str, ...], float]] = field(default_factory=list)

    def identity(self) -> ToolchainIdentity:
        return IDENTITY

    def engine_id(self) -> str:
        return self.engine

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        self.ran.append((tuple(argv), deadline_s))
        on_line(str(work_dir))
        self.during()
        return CommandResult(0, b"out", b"")


@dataclass
class Slots:
    """The folder that a test's builders share, and the builders it started."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def build(self, toolchain: Builds, max_builds: int = 1, *argv: str) -> list[str]:
        """Run a build here; give what was said while it waited."""
        said: list[str] = []
        limited = LimitedToolchain(toolchain, max_builds, self.folder, said.append)
        limited.run(argv or BUILD, self.folder, lambda _: None, 5)
        return said

    def start(self, engine: str = "engine-1", max_builds: int = 1) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.folder), engine, str(max_builds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[Slots]:
    found = Slots(tmp_path / "slots")
    yield found
    for process in found.started:
        process.kill()
        process.communicate(timeout=60)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_build_is_handed_through_with_its_whole_deadline(slots: Slots) -> None:
    inner, lines = Builds(), list[str]()
    limited = LimitedToolchain(inner, 1, slots.folder, lines.append)

    result = limited.run(BUILD, Path("work"), lines.append, 7.5)

    assert (result.stdout, inner.ran, lines) == (b"out", [(BUILD, 7.5)], ["work"])
    assert (limited.identity(), limited.engine_id()) == (IDENTITY, "engine-1")


def test_a_second_build_on_the_engine_waits_and_says_once_for_whom(slots: Slots) -> None:
    first = slots.start()
    assert line(first) == "building"
    second = slots.start()

    assert line(second) == f"waiting for a build slot: 1 of 1 taken, by process {first.pid}"
    first.communicate(timeout=60)
    assert line(second) == "building"
    assert second.communicate(timeout=60)[0] == "done\n"


def test_a_killed_builder_frees_its_slot(slots: Slots) -> None:
    first = slots.start()
    assert line(first) == "building"
    second = slots.start()
    assert line(second).startswith("waiting")

    first.kill()

    assert line(second) == "building"


def test_as_many_builds_run_at_once_as_are_allowed(slots: Slots) -> None:
    first, second = slots.start(max_builds=2), slots.start(max_builds=2)
    assert [line(first), line(second)] == ["building", "building"]
    third = slots.start(max_builds=2)

    said = line(third)
    assert said.startswith("waiting for a build slot: 2 of 2 taken")
    assert str(first.pid) in said
    assert str(second.pid) in said


def test_another_engine_is_not_waited_for(slots: Slots) -> None:
    assert line(slots.start("engine-1")) == "building"

    assert slots.build(Builds("engine-2")) == []


def test_pulsar2_run_takes_a_slot_and_the_version_does_not(slots: Slots) -> None:
    holder = slots.start()
    assert line(holder) == "building"
    inner = Builds()

    assert slots.build(inner, 1, "pulsar2", "version") == []
    waiting = threading.Event()
    limited = LimitedToolchain(inner, 1, slots.folder, lambda _: waiting.set())
    run = ("pulsar2", "run", "model")
    thread = threading.Thread(
        target=limited.run, args=(run, slots.folder, lambda _: None, 5), daemon=True
    )
    thread.start()
    assert waiting.wait(60)
    assert [argv[1] for argv, _ in inner.ran] == ["version"]
    holder.communicate(timeout=60)
    thread.join(60)
    assert [argv[1] for argv, _ in inner.ran] == ["version", "run"]


def test_a_build_that_raises_frees_its_slot(slots: Slots) -> None:
    def fails() -> None:
        raise ToolchainError("no")

    with pytest.raises(ToolchainError, match="no"):
        slots.build(Builds(during=fails))

    assert slots.build(Builds()) == []


def test_every_user_of_the_machine_may_use_the_slots(slots: Slots) -> None:
    before = os.umask(0o077)
    try:
        slots.build(Builds())
    finally:
        os.umask(before)

    (slot,) = slots.folder.iterdir()
    assert stat.S_IMODE(slots.folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE(slot.stat().st_mode) == 0o666


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "folder"])
def test_a_slot_that_is_no_plain_file_is_refused_and_not_written(
    slots: Slots, tmp_path: Path, kind: str
) -> None:
    slots.build(Builds())
    (slot,) = slots.folder.iterdir()
    slot.unlink()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    make: dict[str, Callable[[], object]] = {
        "symlink": lambda: slot.symlink_to(victim),
        "hard link": lambda: slot.hardlink_to(victim),
        "fifo": lambda: os.mkfifo(slot),
        "folder": slot.mkdir,
    }
    make[kind]()

    with pytest.raises(ToolchainError, match=f"build slots: {slot} cannot be used"):
        slots.build(Builds())

    assert victim.read_text() == "precious"


def test_a_link_in_place_of_the_folder_is_refused(slots: Slots, tmp_path: Path) -> None:
    slots.folder.symlink_to(tmp_path)

    with pytest.raises(ToolchainError, match="it is no folder"):
        slots.build(Builds())
