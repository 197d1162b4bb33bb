"""The cache is cleared while other processes are at work, or were killed at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import TURN, Cache, Produced, Wanted
from orchestrator.domain import Artifact
from orchestrator.eviction import Cleared, clear
from orchestrator.locks import try_hold
from orchestrator.seams import Progress

#: Does `cache.do` or is just present, until its stdin ends.
PROGRAM = """
import sys
from pathlib import Path
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.locks import present

class Quiet:
    def event(self, subject, message):
        pass

def make(folder):
    (folder / "half").write_text("x" * 1000)
    print("making", flush=True)
    sys.stdin.read()
    (folder / "a.onnx").write_text("content")
    return Produced({"onnx": folder / "a.onnx"}, {})

home = Path(sys.argv[1])
if sys.argv[2] == "present":
    with present(home / "work"):
        print("present", flush=True)
        sys.stdin.read()
    raise SystemExit
ledger = SqlLedger(f"sqlite:///{home / 'orch.db'}")
cache = Cache(ledger, FsspecBlobs(str(home / "cas")), home / "work")
print(cache.do(Wanted("export", "late", {}), "r", Quiet(), make)[1], flush=True)
ledger.close()
"""

#: Uses ten actions over and over, as short runs; whatever it gets must be there until its run ends.
USER = """
import random, sys
from pathlib import Path
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Produced, Wanted
from orchestrator.locks import present

class Quiet:
    def event(self, subject, message):
        pass

def make(folder):
    (folder / "shared").write_text("shared")
    (folder / "own").write_text(folder.name)
    return Produced({name: folder / name for name in ("shared", "own")}, {})

home = Path(sys.argv[1])
ledger = SqlLedger(f"sqlite:///{home / 'orch.db'}")
cache = Cache(ledger, FsspecBlobs(str(home / "cas")), home / "work")
for _ in range(25):
    with present(home / "work"):
        names = random.sample(range(10), 3)
        got = [cache.do(Wanted("s", "r", {"n": str(n)}), "r", Quiet(), make)[0] for n in names]
        for item in [item for action in got for item in action.outputs.values()]:
            with cache.blobs.open(item.sha256):
                pass
ledger.close()
"""


@dataclass(frozen=True)
class Home:
    """A state folder that several processes use."""

    path: Path
    cache: Cache
    progress: Progress

    def do(self, name: str) -> str:
        """Make an action of one file; give its key."""

        def make(folder: Path) -> Produced:
            (folder / "f").write_text(name)
            return Produced({"f": folder / "f"}, {})

        return self.cache.do(self.wanted(name), "r", self.progress, make)[0].key

    def wanted(self, name: str) -> Wanted:
        return Wanted("compile", name, {"name": name})

    def age(self) -> None:
        """Let all actions be of long ago."""
        for kept in self.cache.ledger.kept_actions():
            self.cache.ledger.forget_action(kept.action.key)
            old = replace(kept.action, created_at="2025-01-01T00:00:00+00:00")
            self.cache.ledger.record_action(old)

    def clear(self, *, dry_run: bool = False) -> Cleared:
        return clear(self.cache, 0, lambda: None, dry_run=dry_run)

    def left(self) -> list[str]:
        return sorted(kept.action.recipe for kept in self.cache.ledger.kept_actions())

    def start(self, what: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.path), what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() in {"present", "making"}
        return process


@pytest.fixture
def home(tmp_path: Path, progress: Progress) -> Iterator[Home]:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    cache = Cache(ledger, FsspecBlobs(str(tmp_path / "cas")), tmp_path / "work")
    yield Home(tmp_path, cache, progress)
    ledger.close()


def test_what_a_running_process_has_used_stays(home: Home) -> None:
    for name in ("used", "idle"):
        home.do(name)
    home.age()
    running = home.start("present")
    assert home.cache.use(home.wanted("used")) is not None

    home.clear()
    assert home.left() == ["used"]
    assert home.cache.find(home.wanted("used")) is not None

    running.kill()
    running.communicate(timeout=60)
    home.clear()
    assert home.left() == []


def test_what_another_process_is_making_stays(home: Home) -> None:
    maker = home.start("do")
    scratch = [path for path in (home.path / "work").iterdir() if path.is_dir()]

    cleared = home.clear()

    assert (cleared.scratch_bytes, cleared.locks) == (0, 0)
    assert (scratch[0] / "half").exists()
    out, _ = maker.communicate(timeout=60)
    assert (maker.returncode, out) == (0, "False\n")
    assert home.cache.find(Wanted("export", "late", {})) is not None


def test_what_a_killed_process_left_is_swept(home: Home) -> None:
    maker = home.start("do")
    maker.kill()
    maker.communicate(timeout=60)
    odd = home.path / "work" / f"export-{'0' * 16}"
    odd.mkdir()
    mine = home.path / "work" / "notes"
    mine.mkdir()

    would = home.clear(dry_run=True)
    cleared = home.clear()

    assert would == replace(cleared, plan=replace(cleared.plan, before=would.plan.before))
    assert (cleared.scratch_bytes, cleared.locks) == (1000, 1)
    assert sorted(path.name for path in (home.path / "work").iterdir()) == ["cache.lock", "notes"]


@dataclass
class Watching(FsspecBlobs):
    """Blobs that note at each call whether the cache could be cleared just then."""

    url: str
    turn: Path
    open_to_clearing: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.url)

    def _note(self) -> None:
        with try_hold(self.turn) as free:
            self.open_to_clearing.append(free)

    def has(self, sha256: str) -> bool:
        self._note()
        return super().has(sha256)

    def put(self, source: Path, name: str) -> Artifact:
        self._note()
        return super().put(source, name)


def test_the_cache_is_not_cleared_between_a_look_and_what_is_written_of_it(home: Home) -> None:
    watching = Watching(str(home.path / "cas"), home.path / "work" / TURN)
    watched = replace(home, cache=replace(home.cache, blobs=watching))

    watched.do("a")
    watched.do("a")

    assert watching.open_to_clearing == [False, False]


@pytest.mark.slow
def test_what_a_run_has_is_there_until_it_ends_however_often_the_cache_is_cleared(
    home: Home,
) -> None:
    users = [
        subprocess.Popen(
            [sys.executable, "-c", USER, str(home.path)], stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    while any(user.poll() is None for user in users):
        home.clear()

    assert [user.communicate(timeout=60)[1] for user in users] == ["", "", ""]
    home.clear()
    assert home.left() == []
