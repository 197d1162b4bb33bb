from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.locks import at_work_since, hold, present, try_hold


def test_a_lock_that_was_removed_while_one_waited_is_taken_anew(tmp_path: Path) -> None:
    path, waited = tmp_path / "a.lock", list[int]()

    def remove() -> None:
        """Let go of the lock as the sweep does: remove the file, then free it."""
        waited.append(1)
        path.unlink()
        holder.__exit__(None, None, None)

    holder = hold(path, pytest.fail)
    holder.__enter__()
    with hold(path, remove), try_hold(path) as free:
        assert path.exists()
        assert not free
    assert waited == [1]


def test_the_first_that_is_at_work_is_known_until_it_ends(tmp_path: Path) -> None:
    before = time.time()
    assert at_work_since(tmp_path) is None
    with present(tmp_path):
        first = at_work_since(tmp_path)
        assert first is not None
        assert before <= first <= time.time()
        with present(tmp_path):
            assert at_work_since(tmp_path) == first
    assert at_work_since(tmp_path) is None
