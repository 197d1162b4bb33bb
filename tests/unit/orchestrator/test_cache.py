from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import NOT_INSTALLED, Cache, Produced, Wanted
from orchestrator.seams import Progress

WANTED = Wanted("export", "small", {"opset": "11", "shape": "1x3"})

#: Does the work in a process of its own: says what happens, and ends `make` when stdin does.
PROGRAM = """
import sys
from pathlib import Path
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import NOT_INSTALLED, Cache, Produced, Wanted

class Said:
    def event(self, subject, message):
        print("waiting", flush=True)

def make(folder):
    (folder / "half").write_text("x")
    print("making", flush=True)
    sys.stdin.read()
    (folder / "a.onnx").write_text("content")
    return Produced({"onnx": folder / "a.onnx"}, {})

home = Path(sys.argv[1])
ledger = SqlLedger(f"sqlite:///{home / 'orch.db'}")
cache = Cache(ledger, FsspecBlobs(str(home / "cas")), home / "work")
wanted = Wanted("export", "small", {"opset": "11", "shape": "1x3"})
print("hit" if cache.do(wanted, "r", Said(), make)[1] else "done", flush=True)
"""

#: Makes new actions with files of a few MB for as long as it lives.
ENDLESS = """
import itertools, os, sys
from pathlib import Path
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.cache import Cache, Produced, Wanted

class Quiet:
    def event(self, subject, message):
        pass

def make(folder):
    for name in ("onnx", "log"):
        (folder / name).write_bytes(os.urandom(1 << 21))
    return Produced({name: folder / name for name in ("onnx", "log")}, {})

home = Path(sys.argv[1])
ledger = SqlLedger(f"sqlite:///{home / 'orch.db'}")
cache = Cache(ledger, FsspecBlobs(str(home / "cas")), home / "work")
print("begun", flush=True)
for number in itertools.count(int(sys.argv[2])):
    cache.do(Wanted("export", "small", {"number": str(number)}), "r", Quiet(), make)
"""


def start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> str:
    """Let `make` end; give what the process says after that."""
    said, _ = process.communicate(timeout=60)
    return said.strip()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    ledger = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}")
    yield Cache(ledger, FsspecBlobs(str(tmp_path / "cas")), tmp_path / "work")
    ledger.close()


def writes(content: str, calls: list[Path] | None = None) -> Callable[[Path], Produced]:
    """A stage that writes one file and notes the folder it was given."""

    def make(folder: Path) -> Produced:
        assert not list(folder.iterdir())
        if calls is not None:
            calls.append(folder)
        path = folder / "model.onnx"
        path.write_text(content)
        return Produced({"onnx": path}, {"nodes": 3})

    return make


def folders(cache: Cache) -> list[Path]:
    return [path for path in cache.work.iterdir() if path.is_dir()]


def test_work_is_done_once(cache: Cache, progress: Progress) -> None:
    calls: list[Path] = []

    made, was_hit = cache.do(WANTED, "r1", progress, writes("x", calls))
    again, is_hit = cache.do(WANTED, "r2", progress, writes("x", calls))

    assert (was_hit, is_hit, len(calls)) == (False, True, 1)
    assert again == made
    assert (again.run_id, again.facts, again.key) == ("r1", {"nodes": 3}, WANTED.key)
    with cache.blobs.open(again.outputs["onnx"].sha256) as path:
        assert path.read_text() == "x"
    assert folders(cache) == []


@pytest.mark.parametrize(
    "other",
    [
        Wanted("optimize", "small", WANTED.fields),
        Wanted("export", "small", {"opset": "12", "shape": "1x3"}),
        Wanted("export", "small", {"opset": "11"}),
    ],
)
def test_other_work_is_done_apart(cache: Cache, progress: Progress, other: Wanted) -> None:
    cache.do(WANTED, "r1", progress, writes("x"))

    assert not cache.do(other, "r1", progress, writes("y"))[1]


def test_the_same_work_for_another_recipe_is_a_hit(cache: Cache, progress: Progress) -> None:
    cache.do(WANTED, "r1", progress, writes("x"))

    assert cache.do(Wanted("export", "other", WANTED.fields), "r1", progress, writes("x"))[1]


def test_a_host_without_the_packages_uses_what_a_build_host_made(
    cache: Cache, progress: Progress
) -> None:
    built = Wanted("export", "small", {"opset": "11", "version_torch": "2.13.0"})
    cache.do(built, "r1", progress, writes("x"))

    light = Wanted("export", "small", {"opset": "11", "version_torch": NOT_INSTALLED})
    other = Wanted("export", "small", {"opset": "12", "version_torch": NOT_INSTALLED})
    newer = Wanted("export", "small", {"opset": "11", "version_torch": "2.14.0"})

    assert cache.find(light) == cache.find(built)
    assert cache.find(other) is None
    assert cache.find(newer) is None


def test_a_lost_file_is_made_again(cache: Cache, progress: Progress, tmp_path: Path) -> None:
    made, _ = cache.do(WANTED, "r1", progress, writes("x"))
    sha256 = made.outputs["onnx"].sha256
    (tmp_path / "cas" / sha256[:2] / sha256).unlink()

    assert cache.find(WANTED) is None
    assert not cache.do(WANTED, "r2", progress, writes("x"))[1]
    assert cache.blobs.has(sha256)


def test_work_that_fails_leaves_nothing(cache: Cache, progress: Progress) -> None:
    def fails(folder: Path) -> Produced:
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        cache.do(WANTED, "r1", progress, fails)

    assert folders(cache) == []
    assert cache.find(WANTED) is None
    assert cache.ledger.last_action("export", "small") is None
    assert not cache.do(WANTED, "r2", progress, writes("x"))[1]


def test_a_promised_file_that_is_not_there_records_nothing(
    cache: Cache, progress: Progress
) -> None:
    with pytest.raises(OSError, match="never"):
        cache.do(WANTED, "r", progress, lambda folder: Produced({"onnx": folder / "never"}, {}))

    assert cache.find(WANTED) is None


def test_two_processes_do_the_same_work_once(tmp_path: Path) -> None:
    first = start(tmp_path)
    assert line(first) == "making"
    second = start(tmp_path)
    assert line(second) == "waiting"

    assert finish(first) == "done"
    assert finish(second) == "hit"


def test_a_killed_maker_is_not_waited_for(tmp_path: Path, cache: Cache, progress: Progress) -> None:
    maker = start(tmp_path)
    assert line(maker) == "making"
    waiter = start(tmp_path)
    assert line(waiter) == "waiting"

    maker.kill()
    maker.communicate(timeout=60)

    assert line(waiter) == "making"
    assert finish(waiter) == "done"
    assert cache.do(WANTED, "r", progress, writes("x"))[1]
    assert folders(cache) == []


@pytest.mark.slow
def test_a_killed_maker_never_leaves_half_a_result(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - any moment will do
    for number in range(8):
        maker = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path), str(number * 1000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert line(maker) == "begun"
        # Longer and longer: on a busy machine too, some get as far as to finish something.
        time.sleep(chance.uniform(0, 0.12) * (number + 1))
        maker.kill()
        maker.communicate(timeout=60)

    ledger, blobs = SqlLedger(f"sqlite:///{tmp_path / 'orch.db'}"), FsspecBlobs(f"{tmp_path}/cas")
    stored = {blob.sha256 for blob in blobs.stored()}
    for sha256 in stored:
        with blobs.open(sha256) as path:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    actions = [kept.action for kept in ledger.kept_actions()]
    ledger.close()
    assert actions
    assert {item.sha256 for action in actions for item in action.outputs.values()} <= stored


def test_a_hit_is_a_use(cache: Cache, progress: Progress) -> None:
    made, _ = cache.do(WANTED, "r1", progress, writes("x"))
    cache.ledger.record_use(made.key, "2001-01-01T00:00:00+00:00")
    cache.explain(WANTED)
    assert cache.ledger.kept_actions()[0].used_at == made.created_at

    cache.ledger.forget_action(made.key)
    cache.ledger.record_action(replace(made, created_at="2001-01-01T00:00:00+00:00"))
    cache.do(WANTED, "r2", progress, writes("x"))

    assert cache.ledger.kept_actions()[0].used_at >= made.created_at


def test_an_explanation_names_the_fields_that_changed(cache: Cache, progress: Progress) -> None:
    assert cache.explain(WANTED).last_key is None
    cache.do(WANTED, "r1", progress, writes("x"))

    hit = cache.explain(WANTED)
    miss = cache.explain(Wanted("export", "small", {"opset": "12", "mean": "0"}))

    assert (hit.hit, hit.changed) == (True, {})
    assert (miss.hit, miss.last_key) == (False, WANTED.key)
    assert miss.changed == {"opset": ("11", "12"), "shape": ("1x3", None), "mean": (None, "0")}
