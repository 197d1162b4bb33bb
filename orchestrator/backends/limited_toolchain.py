"""At most so many vendor builds at once per engine, whoever on this machine starts them.

Parallel builds on one engine have produced damaged axmodels, so the limit holds across processes,
state folders and users.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import ToolchainError
from orchestrator.seams import Toolchain

#: The commands that take a slot, by the word after `pulsar2`.
_HEAVY = frozenset({"build", "run"})
_POLL_S = 0.2
#: Everybody may add slots, only the owner may remove them: as for the temporary folder itself.
_SHARED_FOLDER = 0o1777
_SHARED_FILE = 0o666


class LimitedToolchain:
    """A toolchain whose builds wait for one of `max_builds` slots; a dead holder's slot is free."""

    def __init__(
        self, inner: Toolchain, max_builds: int, folder: Path, says: Callable[[str], None]
    ) -> None:
        """Args: `folder` is where all users of this machine look; `says` tells that one waits."""
        self._inner = inner
        self._max_builds = max_builds
        self._folder = folder
        self._says = says

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        return self._inner.identity()

    def engine_id(self) -> str:
        """Name what the builds share."""
        return self._inner.engine_id()

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `argv`, a build only in its turn; the deadline does not count the wait."""
        if argv[1:2] and argv[1] in _HEAVY:
            with self._slot():
                return self._inner.run(argv, work_dir, on_line, deadline_s)
        return self._inner.run(argv, work_dir, on_line, deadline_s)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Hold one of the engine's slots. Raises ToolchainError where there can be none."""
        engine = hashlib.sha256(self.engine_id().encode()).hexdigest()[:16]
        try:
            _make_folder(self._folder)
            paths = [self._folder / f"{engine}-{number}" for number in range(self._max_builds)]
            slot = self._wait(paths)
        except OSError as error:
            raise ToolchainError(
                f"build slots: {error.filename or self._folder} cannot be used: {error.strerror}",
                "is it yours or root's to repair? ORCH_SLOTS names another folder",
            ) from error
        try:
            yield
        finally:
            os.close(slot)

    def _wait(self, paths: Sequence[Path]) -> int:
        """Give the open file of the first slot that is free, and say once for whom it waits."""
        said = False
        while True:
            for path in paths:
                if (slot := _take(path)) is not None:
                    return slot
            if not said:
                holders = ", ".join(_holder(path) for path in paths)
                self._says(
                    f"waiting for a build slot: {len(paths)} of {len(paths)} taken, by {holders}"
                )
                said = True
            time.sleep(_POLL_S)


def _make_folder(folder: Path) -> None:
    """Make the folder for everybody. Raises OSError where another thing has its name."""
    if not os.path.lexists(folder):
        # It has its rights before it has its name: nobody meets it half made.
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}-{os.urandom(4).hex()}")
        fresh.mkdir(parents=True)
        fresh.chmod(_SHARED_FOLDER)
        try:
            fresh.rename(folder)
        except OSError:  # another process was faster
            fresh.rmdir()
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(folder))


def _take(path: Path) -> int | None:
    """Give the open, locked and signed file of a slot, or None where it is taken."""
    slot = _open(path)
    try:
        fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(OSError):  # open for reading only, or a full disk: the lock is what counts
            os.ftruncate(slot, 0)
            os.pwrite(slot, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        os.close(slot)
        return None
    except BaseException:
        os.close(slot)
        raise
    return slot


def _open(path: Path) -> int:
    """Open a slot, made if need be. Raises OSError for a link, a device or a linked file.

    A file of somebody else in a sticky folder may not be opened with O_CREAT
    (fs.protected_regular), so it is made only when it is not there.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        slot = os.open(path, flags | os.O_RDWR)
    except PermissionError:  # its maker was killed before he gave it to all: it can be locked yet
        slot = os.open(path, flags | os.O_RDONLY)
    except FileNotFoundError:
        try:
            slot = os.open(path, flags | os.O_RDWR | os.O_CREAT | os.O_EXCL, _SHARED_FILE)
            os.fchmod(slot, _SHARED_FILE)
        except FileExistsError:
            return _open(path)
    found = os.fstat(slot)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(slot)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return slot


def _holder(path: Path) -> str:
    """Name who has signed a slot."""
    slot = _open(path)
    try:
        text = os.pread(slot, 20, 0).decode(errors="replace").strip()
    finally:
        os.close(slot)
    return f"process {text}" if text.isascii() and text.isdigit() else "a process"
