"""`pulsar2` as a program on this machine: the vendor's package tree, or the stand-in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.hashing import sha256_file, sha256_files
from orchestrator.pulsar2.identity import parse_version

#: How long `pulsar2 version` may take.
_VERSION_DEADLINE_S = 60.0


class LocalToolchain:
    """Runs `command` in place of the word `pulsar2`, in a process group of its own."""

    def __init__(self, name: str, command: Sequence[str], sources: Path | None = None) -> None:
        """Args: `sources` is the folder whose files make the digest; default: the program."""
        self._name = name
        self._command = tuple(command)
        self._sources = sources

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        result = self.run(["pulsar2", "version"], Path.cwd(), lambda _: None, _VERSION_DEADLINE_S)
        return parse_version(self._name, result, self._digest())

    def engine_id(self) -> str:
        """Name what the builds share: this machine."""
        return "host"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `pulsar2 …`; the whole process group is gone when this returns or raises."""
        try:
            process = subprocess.Popen(
                [*self._command, *argv[1:]],
                cwd=work_dir,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolchainMissing(
                f"toolchain {self._name!r}: {self._command[0]} cannot be started: {error.strerror}",
                "correct toolchains.*.command in the inventory",
            ) from error
        late = threading.Event()
        timer = threading.Timer(deadline_s, _expire, (process, late))
        timer.start()
        lines = []
        try:
            for line in process.stdout or ():
                lines.append(line)
                on_line(line.decode(errors="replace").rstrip("\n"))
            returncode = process.wait()
        finally:
            timer.cancel()
            _kill_group(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise DeadlineError(
                f"{' '.join(argv[:2])} took longer than {deadline_s:g} s; it was killed",
                "raise compile.timeout in the recipe",
            )
        return CommandResult(returncode, b"".join(lines), b"")

    def _digest(self) -> str:
        if self._sources is not None:
            code = [p for p in self._sources.rglob("*") if p.suffix in {".py", ".json"}]
            return "sha256:" + sha256_files(self._sources, code)
        program = shutil.which(self._command[0])
        if program is None:
            raise ToolchainError(f"toolchain {self._name!r}: {self._command[0]} is not on PATH")
        return "sha256:" + sha256_file(Path(program))


def _expire(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
