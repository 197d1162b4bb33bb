"""Engines: threads of this process, or workers of a Dask cluster."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

from orchestrator.seams import Failed, Ok

Item = TypeVar("Item")
Result = TypeVar("Result")


def _attempt(func: Callable[[Item], Result], item: Item) -> Ok[Item, Result] | Failed[Item]:
    try:
        return Ok(item, func(item))
    except Exception as error:  # noqa: BLE001 - one bad item must not stop the others
        return Failed(item, error)
    except SystemExit as error:  # would end the thread, and nobody would hear of the item
        return Failed(item, RuntimeError(f"it asked to exit with {error.code}"))


class ThreadEngine:
    """Threads that do not keep the process alive: Ctrl-C need not wait for a hung board."""

    def map(
        self, func: Callable[[Item], Result], items: Iterable[Item], max_parallel: int
    ) -> Iterator[Ok[Item, Result] | Failed[Item]]:
        """Work on all items and hand each over as it ends."""
        waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        done: queue.SimpleQueue[Ok[Item, Result] | Failed[Item]] = queue.SimpleQueue()
        todo = list(items)
        for item in todo:
            waiting.put(item)

        def work() -> None:
            while True:
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put(_attempt(func, item))

        for _ in range(min(max_parallel, len(todo))):
            threading.Thread(target=work, daemon=True).start()
        try:
            for _ in todo:
                yield done.get()
        finally:
            # Where nobody waits any more, Ctrl-C for one, no further item is begun.
            with suppress(queue.Empty):
                while True:
                    waiting.get_nowait()


class DaskEngine:
    """A Dask scheduler by its URL, `tcp://host:8786`; `func` and items must pickle.

    Dask may run an impure task again when a worker is lost, so it is told not to retry.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def map(
        self, func: Callable[[Item], Result], items: Iterable[Item], max_parallel: int
    ) -> Iterator[Ok[Item, Result] | Failed[Item]]:
        """Work on all items, at most `max_parallel` at once, and hand each over as it ends."""
        from distributed import Client, as_completed

        todo = iter(items)
        with Client(self._url) as client:

            def submit(item: Item) -> object:
                return client.submit(_attempt, func, item, pure=False, retries=0)

            first = [submit(item) for _, item in zip(range(max_parallel), todo, strict=False)]
            running = as_completed(first)
            for future in running:
                yield future.result()
                for item in todo:
                    running.add(submit(item))
                    break
