"""Engines: threads of this process, or workers of a Dask cluster."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from orchestrator.backends.turns import Turns
from orchestrator.errors import ConfigError
from orchestrator.parallel import Again, AtOnce, Failed, Ok, once

if TYPE_CHECKING:
    from distributed import Client, Future

Item = TypeVar("Item")
Result = TypeVar("Result")

#: How long a scheduler may take to answer.
_CONNECT_TIMEOUT_S = 10


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
        self,
        func: Callable[[Item], Result],
        items: Iterable[Item],
        at_once: AtOnce[Item],
        again: Again[Item, Result] = once,
    ) -> Iterator[Ok[Item, Result] | Failed[Item]]:
        """Work on all items and hand each over as it ends."""
        todo = list(items)
        turns = Turns(todo, at_once)
        lock = threading.Lock()
        done: queue.SimpleQueue[Ok[Item, Result] | Failed[Item]] = queue.SimpleQueue()

        def work(item: Item) -> None:
            done.put(_attempt(func, item))
            with lock:
                turns.end(item)
            begin()

        def begin(*more: Item) -> None:
            with lock:
                for item in more:
                    turns.add(item)
                begun = turns.begin()
            for item in begun:
                threading.Thread(target=work, args=(item,), daemon=True).start()

        begin()
        try:
            yield from _handed_over(len(todo), done.get, again, begin)
        finally:
            # Where nobody waits any more, Ctrl-C for one, no further item is begun.
            with lock:
                turns.stop()


class DaskEngine:
    """A Dask scheduler by its URL, `tcp://host:8786`; `func` and items must pickle.

    Dask begins an item again when its worker is lost, until it has cost several of them.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def map(
        self,
        func: Callable[[Item], Result],
        items: Iterable[Item],
        at_once: AtOnce[Item],
        again: Again[Item, Result] = once,
    ) -> Iterator[Ok[Item, Result] | Failed[Item]]:
        """Work on all items and hand each over as it ends.

        Raises:
            ConfigError: there is no scheduler at the URL, or no Dask here.
        """
        todo = list(items)
        turns = Turns(todo, at_once)
        # Finished futures, and items whose pause is over.
        news: queue.SimpleQueue[Future | tuple[Item]] = queue.SimpleQueue()
        with _client(self._url) as client:
            sent: dict[str, Item] = {}

            def begin() -> None:
                for item in turns.begin():
                    future = client.submit(_attempt, func, item, pure=False, retries=0)
                    sent[future.key] = item
                    future.add_done_callback(news.put)

            def next_result() -> Ok[Item, Result] | Failed[Item]:
                while isinstance(one := news.get(), tuple):
                    turns.add(one[0])
                    begin()
                item = sent.pop(one.key)
                turns.end(item)
                begin()
                return _outcome(one, item)

            begin()
            yield from _handed_over(len(todo), next_result, again, lambda item: news.put((item,)))


def _handed_over(
    open_items: int,
    next_result: Callable[[], Ok[Item, Result] | Failed[Item]],
    again: Again[Item, Result],
    add: Callable[[Item], None],
) -> Iterator[Ok[Item, Result] | Failed[Item]]:
    """Give the results that are final; what `again` gives for another is added after its pause."""
    while open_items:
        result = next_result()
        if (more := again(result)) is None:
            open_items -= 1
            yield result
            continue
        timer = threading.Timer(more[1], add, (more[0],))
        timer.daemon = True  # it must not keep the process alive
        timer.start()


def _client(url: str) -> Client:
    try:
        from distributed import Client

        return Client(url, timeout=_CONNECT_TIMEOUT_S)
    except ImportError as error:
        raise ConfigError(f"engine {url}: needs Dask", "pip install 'orch[dask]'") from error
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"engine {url}: no Dask scheduler answers: {error}",
            "start one with `dask scheduler`, or name no engine: threads do the work",
        ) from error


def _outcome(future: Future, item: Item) -> Ok[Item, Result] | Failed[Item]:
    try:
        found: Ok[Item, Result] | Failed[Item] = future.result()
    except Exception as error:  # noqa: BLE001 - its workers died, or its result does not pickle
        return Failed(item, error)
    return found
