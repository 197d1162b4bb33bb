"""Calls of a board's power hook: a program on this host that prints watts.

It may fail, hang, flood or talk nonsense: then a call has a remark in place of its watts.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from orchestrator.domain import Board, PowerHook

#: What a value of a hook's environment begins with that stands in orch's own.
ENV = "env:"
_MAX_OUTPUT_BYTES = 64 * 1024
_MAX_SAID = 200
_WATTS = re.compile(r"(?<![\w.+-])[+]?(\d{1,7}(?:\.\d+)?)(?![\d.])")


@dataclass(frozen=True, slots=True)
class Sample:
    """One call of a hook.

    Attributes:
        at_s: the middle of the call, on the monotonic clock.
        watts: None: it gave no number, and `remark` says why.
    """

    at_s: float
    watts: float | None
    remark: str = ""
    simulated: bool = False


class HookCaller:
    """Calls a hook until it is stopped; a call may last `call_s`."""

    def __init__(self, board: Board, hook: PowerHook, samples: list[Sample], call_s: float) -> None:
        self._hook, self._samples, self._call_s = hook, samples, call_s
        self._environment = environment_of(board, hook, os.environ)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def go_on(self) -> None:
        """Call it at every interval; a call that takes longer delays the next one."""
        next_s = time.monotonic()
        while not self._stopped.is_set():
            sample = self._call()
            if self._stopped.is_set() and sample.watts is None:
                return  # it was killed because it is over, which is no failure of its own
            self._samples.append(sample)
            next_s = max(next_s + self._hook.interval_s, time.monotonic())
            self._stopped.wait(next_s - time.monotonic())

    def stop(self) -> None:
        """End it, and the call that is under way."""
        self._stopped.set()
        with self._lock:
            if self._process is not None and self._process.returncode is None:
                _kill(self._process)

    def _call(self) -> Sample:
        began_s = time.monotonic()
        if isinstance(self._environment, str):
            return Sample(began_s, None, self._environment)
        try:
            with self._lock:
                if self._stopped.is_set():
                    return Sample(began_s, None)
                self._process = process = subprocess.Popen(
                    self._hook.command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            return Sample(began_s, None, f"{self._hook.command[0]}: {error.strerror}")
        said = _listen(process, began_s + self._call_s)
        if said is None:
            _kill(process)
            process.wait()
            limit = f"{self._call_s:g} s or {_MAX_OUTPUT_BYTES} bytes"
            return Sample(began_s, None, f"killed: it came to no end in {limit}")
        ended_s = time.monotonic()
        try:
            returncode = process.wait(max(0.0, began_s + self._call_s - ended_s))
        except subprocess.TimeoutExpired:  # it has closed its pipes and goes on
            _kill(process)
            returncode = process.wait()
        return _understood((began_s + ended_s) / 2, returncode, *said)


def _listen(process: subprocess.Popen[bytes], until_s: float) -> tuple[bytes, bytes] | None:
    """Give what a hook says on stdout and stderr until its end; None: its time was over first.

    Of more than it may say nothing more is heard, and its time is over as well.
    """
    pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe is not None]
    said = {pipe.fileno(): b"" for pipe in pipes}
    with selectors.DefaultSelector() as waiting, ExitStack() as stack:
        for pipe in pipes:
            waiting.register(stack.enter_context(pipe), selectors.EVENT_READ)
        while waiting.get_map():
            ready = waiting.select(max(0.0, until_s - time.monotonic()))
            if not ready or sum(map(len, said.values())) > _MAX_OUTPUT_BYTES:
                return None
            for key, _ in ready:
                piece = os.read(key.fd, _MAX_OUTPUT_BYTES)
                said[key.fd] += piece
                if not piece:
                    waiting.unregister(key.fd)
    out, err = said.values()
    return out, err


def _understood(at_s: float, returncode: int, out: bytes, err: bytes) -> Sample:
    text, complaint = _one_line(out), _one_line(err)
    if returncode != 0:
        words = complaint or text or "nothing"
        return Sample(at_s, None, f"it ended with {returncode}, saying: {words}")
    watts = watts_of(text)
    if watts is None:
        return Sample(at_s, None, f"it printed no number of watts: {text or 'nothing'}")
    return Sample(at_s, watts, simulated="simulated" in text.lower())


def _one_line(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:_MAX_SAID]


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def environment_of(
    board: Board, hook: PowerHook, environment: Mapping[str, str]
) -> dict[str, str] | str:
    """Give what a hook finds in its environment, or in words which variable is not set."""
    found = {**environment, "ORCH_BOARD": board.name, "ORCH_HOST": board.host}
    for name, text in hook.environment.items():
        if not text.startswith(ENV):
            found[name] = text
        elif text.removeprefix(ENV) in environment:
            found[name] = environment[text.removeprefix(ENV)]
        else:
            return f"the environment variable {text.removeprefix(ENV)} is not set"
    return found


def watts_of(text: str) -> float | None:
    """Read the first number of what a hook has printed; None where there is none."""
    found = _WATTS.search(text)
    return float(found[1]) if found else None
