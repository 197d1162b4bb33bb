"""Nights on simulated boards, as a user holds them: compared, killed, gone on with, looked at."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.desk import ORCH, Desk

pytestmark = pytest.mark.slow

INVENTORY = """\
boards:
  sim-[01-02]: {simulated: true}
  gone: {host: 127.0.0.1, port: 9, user: nobody}
fleets:
  sim:
    boards: [sim-01, sim-02]
    toolchain: sim
    max_parallel: 1
    verify: {recipes: [segformer-tiny, other.yaml], rounds: 2, more_rounds: 0}
  small: {boards: [sim-01], recipe: segformer-tiny, toolchain: sim}
  holed: {boards: [sim-01, gone], recipe: segformer-tiny, toolchain: sim}
"""
ROUNDS = 2


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A folder with a fleet and two recipes; what one test builds the next one has."""
    folder = tmp_path_factory.mktemp("nights")
    (folder / "inventory.yaml").write_text(INVENTORY)
    import orchestrator.recipes

    shipped = Path(next(iter(orchestrator.recipes.__path__))) / "segformer-tiny.yaml"
    (folder / "other.yaml").write_text(shipped.read_text())
    return Desk(folder)


def night(desk: Desk, *argv: str) -> tuple[int, dict[str, object], str]:
    code, out, said = desk.orch("verify", *argv, "--iterations", "10", "--json")
    return code, json.loads(out) if out.strip() else {}, said


def test_two_nights_are_compared_board_by_board_and_recipes_take_turns(desk: Desk) -> None:
    code, first, said = night(desk, "--fleet", "sim")
    assert code == 0, said
    code, second, said = night(desk, "--fleet", "sim")
    assert code in {0, 3}, said

    assert "2 boards, 2 recipes, 2 rounds each: about" in said
    recipes = second["recipes"]
    assert isinstance(recipes, list)
    assert [one["judged"]["recipe"] for one in recipes] == ["segformer-tiny", "other"]
    for recipe in recipes:
        assert [one["board"] for one in recipe["figures"]] == ["sim-01", "sim-02"]
        for one, effect in zip(recipe["figures"], recipe["judged"]["boards"], strict=True):
            assert one["simulated"] is True
            assert len(one["rounds_ms"]) + one["rounds_unused"] == ROUNDS
            assert one["agreement"] > 0.98
            assert effect["nights"] == (1 if one["rounds_ms"] and effect["effect"] else 0)
    digests = {one["figures"][0]["output_sha256"] for one in recipes}
    assert len(digests) == 1
    folder = desk.folder / ".orch" / "reports" / str(second["night"]["night_id"])  # type: ignore[index] # it is there
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "report.json", "junit.xml", "metrics.prom", "samples.csv"} <= names
    assert desk.orch("ledger", "check")[0] == 0
    for name in ("report.json", "report.html"):
        code, out, _ = desk.orch("report", "--verify", str(folder / name))
        assert (code, " 0 differ; the file is as it was written" in out) == (0, True), out
    changed = desk.folder / "report.json"
    text = (folder / "report.json").read_text()
    changed.write_text(text.replace('"p50_ms": ', '"p50_ms": 9', 1))
    code, out, _ = desk.orch("report", "--verify", str(changed))
    assert code == 1
    assert "differs recipes.segformer-tiny." in out
    assert "NOT the file that was written" in out
    code, out, _ = desk.orch("report", "--last", "--format", "junit", "--redact")
    assert (code, "sim-01" in out, "board-1" in out) == (0, False, True)
    code, out, _ = desk.orch("verify", "--last")
    assert code == 0
    assert len(out.splitlines()) <= 10
    assert "simulated boards" in out
    code, out, _ = desk.orch("history", "--board", "sim-01", "--recipe", "other")
    assert (code, out.count("-2 ")) == (0, 2)
    assert first["night"] != second["night"]


def test_a_night_that_is_killed_goes_on_and_ends_as_one_that_was_not(desk: Desk) -> None:
    argv = [str(ORCH), "verify", "--fleet", "sim", "--iterations", "10"]
    process = subprocess.Popen(
        argv, cwd=desk.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env=os.environ | {"COLUMNS": "250"},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "other: " in line:  # the first board is through
            break
    night_id, before = _written(desk)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stderr.close()
    if _alive(process.pid):
        os.killpg(process.pid, signal.SIGKILL)

    code, found, said = night_again(desk)

    assert code in {0, 3}, said
    assert found["night"]["night_id"] == night_id  # type: ignore[index] # it is there
    recipes = found["recipes"]
    assert isinstance(recipes, list)
    for recipe in recipes:
        assert [one["board"] for one in recipe["figures"]] == ["sim-01", "sim-02"]
        assert all(
            len(one["rounds_ms"]) + one["rounds_unused"] == ROUNDS for one in recipe["figures"]
        )
    after = _contents(desk, night_id)
    assert [one for one in after if one[0].endswith("/sim-01")] == before
    assert desk.orch("ledger", "check")[0] == 0
    assert desk.orch("verify", "--resume", night_id)[0] == 2


def _written(desk: Desk) -> tuple[str, list[tuple[str, str]]]:
    """Wait until the first board is written down; give the night, and what is written."""
    with closing(sqlite3.connect(desk.folder / ".orch" / "orch.db")) as ledger:
        unfinished = "SELECT night_id FROM nights WHERE finished_at IS NULL"
        (night_id,) = ledger.execute(unfinished).fetchone()
    for _ in range(200):
        if len(found := _contents(desk, night_id)) == 2:
            return night_id, found
        time.sleep(0.01)
    pytest.fail("the first board was not written down")


def _contents(desk: Desk, night_id: str) -> list[tuple[str, str]]:
    """Give every writing of an outcome of a night, in order."""
    query = "SELECT subject, content FROM chain WHERE kind = 'outcome' AND subject LIKE ?"
    with closing(sqlite3.connect(desk.folder / ".orch" / "orch.db")) as ledger:
        return list(ledger.execute(f"{query} ORDER BY number", (f"{night_id}%",)))


def _alive(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def night_again(desk: Desk) -> tuple[int, dict[str, object], str]:
    code, out, said = desk.orch("verify", "--resume", "last", "--json")
    return code, json.loads(out) if out.strip() else {}, said


def test_a_board_that_is_gone_is_named_and_the_others_are_judged(desk: Desk) -> None:
    code, found, said = night(desk, "--fleet", "holed", "--rounds", "1")

    assert code == 1, said
    failed = found["night"]["failed_boards"]  # type: ignore[index] # it is there
    assert list(failed) == ["gone"]
    recipes = found["recipes"]
    assert isinstance(recipes, list)
    assert recipes[0]["figures"][1]["n"] == 10


def test_a_budget_that_is_too_small_names_who_has_no_turn(desk: Desk) -> None:
    code, out, _ = desk.orch("verify", "--fleet", "sim", "--budget", "8s", "--dry-run")

    assert code == 0
    assert "1 board, 2 recipes, 1 round each" in out
    assert "no time for 1 board: " in out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--fleet", "nosuch"], "no fleet named 'nosuch'"),
        ([], "no fleet is named"),
        (["--fleet", "sim", "--budget", "soon"], "is no time"),
        (["--resume", "nosuch"], "no night 'nosuch' to go on with"),
        (["--fleet", "sim", "-r", "segformer-tiny", "-r", "segformer-tiny"], "of one name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(desk: Desk, argv: list[str], said: str) -> None:
    code, _, error = desk.orch("verify", *argv)

    assert code == 2
    assert said in error
    assert "Traceback" not in error
