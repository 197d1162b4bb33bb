"""`pulsar2` as a program on this machine: the stand-in, or a program of the user's."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from orchestrator.backends.line_feed import LineFeed
from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.hashing import sha256_file, sha256_files
from orchestrator.pulsar2.identity import parse_version

#: How long `pulsar2 version` may take.
VERSION_DEADLINE_S = 60.0
#: Beside the program, and not as its child, waits a watcher: when the pipe on stdin ends because
#: orch has been killed, it kills the process group.
_SCRIPT = """\
exec 3<&0 </dev/null
( { read -r _ <&3; kill -KILL 0; } & ) >/dev/null 2>&1
exec 3<&-
exec "$@"
"""
_TICK_S = 0.05
#: How long the last words of a program that has ended may take to be read.
_LAST_WORDS_S = 1.0
_CHUNK = 65536


class LocalToolchain:
    """Runs `command` in place of the word `pulsar2`, in a process group of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        sources: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Args: `sources` is the folder whose files make the digest; default: the program.

        `environment` goes over orch's own.
        """
        self._name = name
        self._command = tuple(command)
        self._sources = sources
        self._environment = dict(environment or {})

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        result = self.run(["pulsar2", "version"], Path.cwd(), lambda _: None, VERSION_DEADLINE_S)
        return parse_version(self._name, result, self._digest())

    def engine_id(self) -> str:
        """Name what the builds share: this machine."""
        return "host"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `pulsar2 …`; the whole process group is gone when this returns or raises.

        When orch itself is killed, the group goes too.
        """
        end = time.monotonic() + deadline_s
        lines = LineFeed(on_line)
        process = self._start([*self._command, *argv[1:]], work_dir)
        try:
            in_time = _follow(process, lines, end)
        finally:
            _kill_group(process)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if not in_time:
            raise DeadlineError(
                f"{' '.join(argv[:2])} took longer than {deadline_s:g} s; it was killed",
                "raise compile.timeout in the recipe",
            )
        return CommandResult(process.returncode, lines.finish(), b"")

    def _start(self, command: Sequence[str], work_dir: Path) -> subprocess.Popen[bytes]:
        program = shutil.which(command[0])
        if program is None:
            raise ToolchainMissing(
                f"toolchain {self._name!r}: {command[0]} cannot be started: "
                "No such file, or it may not be executed",
                "correct toolchains.*.command in the inventory",
            )
        return subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", str(Path(program).absolute()), *command[1:]],
            cwd=work_dir,
            env=os.environ | self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _digest(self) -> str:
        if self._sources is not None:
            code = [p for p in self._sources.rglob("*") if p.suffix in {".py", ".json"}]
            return "sha256:" + sha256_files(self._sources, code)
        program = shutil.which(self._command[0])
        if program is None:
            raise ToolchainError(f"toolchain {self._name!r}: {self._command[0]} is not on PATH")
        return "sha256:" + sha256_file(Path(program))


def _follow(process: subprocess.Popen[bytes], lines: LineFeed, end: float) -> bool:
    """Hand over what a program says until it ends; say whether that was in time.

    Who else holds its stdout, a daemon that it has left behind say, is not waited for.
    """
    if process.stdout is None:
        raise ValueError("the program has no pipe on stdout")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while process.poll() is None:
            left_s = end - time.monotonic()
            if left_s <= 0:
                return False
            if selector.select(min(left_s, _TICK_S)) and not _read(process.stdout, lines):
                # It has closed its stdout, and may yet go on.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, end - time.monotonic()))
                return process.returncode is not None
        _kill_group(process)
        last = time.monotonic() + _LAST_WORDS_S
        while time.monotonic() < last and selector.select(0) and _read(process.stdout, lines):
            pass
    return True


def _read(pipe: IO[bytes], lines: LineFeed) -> bool:
    """Hand over what is there; False at the end of the pipe."""
    chunk = os.read(pipe.fileno(), _CHUNK)
    lines.feed(chunk)
    return bool(chunk)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
