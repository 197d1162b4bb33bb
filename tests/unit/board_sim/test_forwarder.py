"""The line that tests put between orch and a board: it carries everything, until it is cut."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from containers.faults.forwarder import Line, forwarding, mute_server

WAIT_S = 10.0


@pytest.fixture
def echo() -> Iterator[int]:
    """A port of a server that says everything again."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while data := self.request.recv(65536):
                    self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(WAIT_S)


def call(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def receive(line: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := line.recv(65536)):
        data += more
    return data


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_what_goes_in_comes_out_in_order(echo: int, delay_s: float) -> None:
    sent = bytes(range(256)) * 300
    with forwarding("127.0.0.1", echo, Line(delay_s)) as way, call(way.port) as line:
        line.sendall(sent)
        assert receive(line, len(sent)) == sent


def test_a_cut_comes_after_so_many_bytes_and_the_next_connection_is_cut_too(echo: int) -> None:
    cut = Line(after_bytes=1000)
    with forwarding("127.0.0.1", echo, cut) as way:
        for number in (1, 2):
            with call(way.port) as line:
                line.sendall(b"x" * 5000)
                with pytest.raises(ConnectionResetError):
                    receive(line, 5000)
            assert cut.cuts == number


def test_a_mended_line_carries_again(echo: int) -> None:
    line_now = Line(after_bytes=0, then="stall")
    with forwarding("127.0.0.1", echo, line_now) as way:
        with call(way.port) as line:
            line.sendall(b"never said")
            line.settimeout(0.2)
            with pytest.raises(TimeoutError):
                line.recv(1)
        line_now.after_bytes = None
        with call(way.port) as line:
            line.sendall(b"said")
            assert receive(line, 4) == b"said"


def test_a_mute_server_takes_the_connection_and_says_nothing() -> None:
    with mute_server() as port, call(port) as line:
        line.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.recv(1)
