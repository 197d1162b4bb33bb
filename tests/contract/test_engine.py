"""What every engine must do. A new backend is one line in `BACKENDS`."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import pytest

from orchestrator.backends.engines import DaskEngine, ThreadEngine
from orchestrator.errors import AgentError, OrchError
from orchestrator.parallel import AtOnce, Engine, Failed, Ok


@contextmanager
def dask(*, processes: bool = False) -> Iterator[Engine]:
    """Four workers: threads of this process, so that tests can see into them, or processes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cluster's, not ours
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=4 if processes else 1,
            threads_per_worker=1 if processes else 4,
            processes=processes,
            dashboard_address="127.0.0.1:0",
        ) as cluster:
            yield DaskEngine(cluster.scheduler_address)
        del cluster
        gc.collect()  # its event loop's sockets, before they are found in another test


BACKENDS: dict[str, Callable[[], AbstractContextManager[Engine]]] = {
    "threads": lambda: nullcontext(ThreadEngine()),
    "dask": dask,
}


@pytest.fixture(params=["threads", pytest.param("dask", marks=pytest.mark.slow)], scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with BACKENDS[request.param]() as found:
        yield found


def double(number: int) -> int:
    if number < 0:
        raise AgentError(f"{number} is under 0", "give another", "RUN_FAILED")
    return 2 * number


def test_every_item_comes_back_with_its_result(engine: Engine) -> None:
    found = list(engine.map(double, range(20), AtOnce(4)))

    assert all(isinstance(one, Ok) and one.value == 2 * one.item for one in found)
    assert sorted(one.item for one in found) == list(range(20))


def test_one_that_raises_does_not_stop_the_others(engine: Engine) -> None:
    found = list(engine.map(double, [1, -2, 3, -4], AtOnce(2)))

    failed = {one.item: one.error for one in found if isinstance(one, Failed)}
    assert sorted(one.item for one in found if isinstance(one, Ok)) == [1, 3]
    assert sorted(failed) == [-4, -2]
    error = failed[-2]
    assert isinstance(error, AgentError)
    assert (error.message, error.hint, error.code) == (
        "-2 is under 0",
        "give another",
        "RUN_FAILED",
    )


def test_no_items_are_no_work(engine: Engine) -> None:
    assert list(engine.map(double, [], AtOnce(4))) == []


def test_what_ends_first_comes_first(engine: Engine) -> None:
    second_ended = threading.Event()

    def work(item: str) -> str:
        if item == "slow":
            assert second_ended.wait(60)
        return item

    results = engine.map(Local(work), ["slow", "fast"], AtOnce(2))
    first = next(results)
    second_ended.set()

    assert [first.item, *(one.item for one in results)] == ["fast", "slow"]


def test_no_more_than_max_parallel_work_at_once(engine: Engine) -> None:
    # Three meet at the barrier or none gets on; a fourth beside them would be counted.
    together, lock = threading.Barrier(3), threading.Lock()
    running: list[int] = []
    most: list[int] = []

    def work(item: int) -> None:
        with lock:
            running.append(item)
            most.append(len(running))
        together.wait(60)
        with lock:
            running.remove(item)
        together.wait(60)

    found = list(engine.map(Local(work), range(9), AtOnce(3)))

    assert all(isinstance(one, Ok) for one in found), found
    assert max(most) == 3


def test_a_group_has_its_own_cap_and_does_not_hold_up_the_others(engine: Engine) -> None:
    # "a" may have one at once: the second of it waits, and what comes behind it does not.
    other_ended = threading.Event()
    lock = threading.Lock()
    running: list[str] = []
    most: list[int] = []

    def work(item: str) -> str:
        with lock:
            running.append(item[0])
            most.append(running.count("a"))
        if item == "a1":
            assert other_ended.wait(60)
        if item == "b1":
            other_ended.set()
        with lock:
            running.remove(item[0])
        return item

    at_once: AtOnce[str] = AtOnce(2, {"a": 1}, lambda item: (item[0],))
    found = list(engine.map(Local(work), ["a1", "a2", "b1"], at_once))

    assert all(isinstance(one, Ok) for one in found), found
    assert next(one.item for one in found) == "b1"
    assert max(most) == 1


def test_what_is_to_be_tried_again_is_while_others_are_at_work(engine: Engine) -> None:
    hung = threading.Event()
    tried: list[str] = []

    def work(item: str) -> str:
        tried.append(item)
        if item == "hung":
            assert hung.wait(60)
        return item

    def again(result: Ok[object, object] | Failed[object]) -> tuple[object, float] | None:
        return ("second", 0.01) if result.item == "first" else None

    todo: list[object] = ["hung", "first"]
    results = engine.map(Local(work), todo, AtOnce(2), again)
    found = [next(results).item]
    hung.set()
    found += [one.item for one in results]

    assert found == ["second", "hung"]
    assert sorted(tried) == ["first", "hung", "second"]


def test_one_at_a_time_is_the_order_given(engine: Engine) -> None:
    assert [one.item for one in engine.map(double, [3, 1, 2], AtOnce(1))] == [3, 1, 2]


def test_a_result_that_is_not_wanted_any_more_starts_no_new_work(engine: Engine) -> None:
    started: list[int] = []
    go_on = threading.Event()

    def work(item: int) -> int:
        started.append(item)
        if item:
            assert go_on.wait(60)
        return item

    results = engine.map(Local(work), range(50), AtOnce(2))
    next(results)
    assert isinstance(results, Generator)
    results.close()  # as Ctrl-C does
    go_on.set()
    list(engine.map(double, range(8), AtOnce(2)))

    assert len(started) <= 4


def test_one_that_ends_its_thread_does_not_stop_the_others() -> None:
    def work(item: int) -> int:
        if item == 1:
            raise SystemExit(3)
        return item

    found = list(ThreadEngine().map(work, [0, 1, 2], AtOnce(1)))

    assert [type(one) for one in found] == [Ok, Failed, Ok]


def test_a_hung_item_does_not_keep_the_process_alive() -> None:
    program = (
        "import threading\n"
        "from orchestrator.backends.engines import ThreadEngine\n"
        "from orchestrator.parallel import AtOnce\n"
        "work = lambda item: threading.Event().wait() if item else item\n"
        "print(next(ThreadEngine().map(work, [1, 0], AtOnce(2))).item)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=True
    )

    assert done.stdout == b"0\n"


@pytest.mark.slow
def test_a_worker_that_dies_does_not_stop_the_others() -> None:
    def work(item: int) -> int:
        return os._exit(1) if item == 1 else item

    with dask(processes=True) as engine:
        found = list(engine.map(work, range(4), AtOnce(1)))

    assert [type(one) for one in found] == [Ok, Failed, Ok, Ok]


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(unused_port: int) -> None:
    url = f"tcp://127.0.0.1:{unused_port}"

    with pytest.raises(OrchError, match=url):
        list(DaskEngine(url).map(double, [1], AtOnce(1)))


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class Local:
    """A function that stays in this process when it is sent: its workers are threads here."""

    _known: ClassVar[dict[int, Callable[..., object]]] = {}

    def __init__(self, func: Callable[..., object]) -> None:
        self._known[id(func)] = func
        self._key = id(func)

    def __call__(self, item: object) -> object:
        return self._known[self._key](item)
