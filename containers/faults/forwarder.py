"""A TCP line that can be late, silent or cut: kernels without netem cannot delay packets."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

_CHUNK = 16 * 1024
_START_S = 10.0
#: Close by RST: what is in the buffers is lost, as on a line that is cut.
_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Line:
    """How the line is at the moment; may be changed while connections last.

    Attributes:
        delay_s: what each way takes.
        after_bytes: of a connection from the client on: then `then` happens.
    """

    delay_s: float = 0.0
    after_bytes: int | None = None
    then: Literal["stall", "reset"] = "reset"
    cuts: int = 0


@dataclass(slots=True)
class Forwarder:
    """Listens on `port` of 127.0.0.1 and hands every connection on to `target`."""

    target: tuple[str, int]
    line: Line
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream's callback is a task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            far, far_out = await asyncio.open_connection(*self.target)
        except OSError:
            near_out.transport.abort()
            return
        both = [
            asyncio.ensure_future(self._carry(near, far_out, counted=True)),
            asyncio.ensure_future(self._carry(far, near_out, counted=False)),
        ]
        with suppress(asyncio.CancelledError):  # the end of the forwarder
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for way in both:
            way.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        for out in (near_out, far_out):
            _cut(out)

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool
    ) -> None:
        """Carry one way until its end or the cut."""
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        arriving = asyncio.ensure_future(self._arrive(late, sink))
        passed = 0
        try:
            while data := await source.read(_CHUNK):
                passed += len(data)
                limit = self.line.after_bytes
                if counted and limit is not None and passed > limit:
                    self.line.cuts += 1
                    if self.line.then == "reset":
                        return
                    await asyncio.Event().wait()
                late.put_nowait((loop.time() + self.line.delay_s, data))
            late.put_nowait((loop.time() + self.line.delay_s, b""))
            await arriving
        except OSError:
            return
        finally:
            arriving.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await arriving

    async def _arrive(
        self, late: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                return
            sink.write(data)
            await sink.drain()


def _cut(out: asyncio.StreamWriter) -> None:
    raw = out.get_extra_info("socket")
    if raw is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    out.transport.abort()


@contextmanager
def forwarding(host: str, port: int, line: Line) -> Iterator[Forwarder]:
    """Forward to host:port, in a thread of its own, for as long as the context lasts."""
    forwarder = Forwarder((host, port), line)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(forwarder._serve(ready, stop))  # noqa: SLF001 - its own module
        loop.close()

    thread = threading.Thread(target=work, name=f"forward to {host}:{port}", daemon=True)
    thread.start()
    if not ready.wait(_START_S):
        raise TimeoutError(f"{host}:{port}: the forwarder did not start")
    try:
        yield forwarder
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_START_S)


@contextmanager
def mute_server() -> Iterator[int]:
    """Give a port of 127.0.0.1 where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield int(server.getsockname()[1])
