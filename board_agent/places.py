"""Where things are on a board; a simulated one has all of it under another root."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

#: A simulated board sets this to the folder that stands for `/`.
SYSROOT = "ORCH_SYSROOT"

LIBRARY_DIRS = (
    "/soc/lib",
    "/opt/lib",
    "/usr/lib",
    "/usr/local/lib",
    "/usr/lib/aarch64-linux-gnu",
)
TOOL_DIRS = ("/opt/bin", "/soc/bin")
SIMULATED = "/etc/orch-simulated-board"

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_UPTIME = "/proc/uptime"
_SITE_PACKAGES = "opt/site-packages/local/lib/python3*/dist-packages"
#: mem_cmm_info lists over a thousand blocks before the line that matters.
_MAX_TEXT_BYTES = 4 * 1024 * 1024
_PIECE_BYTES = 64 * 1024


class Board(NamedTuple):
    """The board this process runs on; `root` is empty on a real one."""

    root: str

    def path(self, absolute: str) -> Path:
        """Where `absolute` really is."""
        return Path(self.root + absolute)

    def read(self, absolute: str) -> str | None:
        """The text of a file without outer blanks; None where it cannot be read or is empty."""
        try:
            data = b""
            with self.path(absolute).open("rb") as file:
                # In pieces: for one large read some files of /proc want as much memory at once.
                while len(data) < _MAX_TEXT_BYTES:
                    piece = file.read1(_PIECE_BYTES)
                    if not piece:
                        break
                    data += piece
        except OSError:
            return None
        return data.decode("utf-8", "replace").strip() or None

    def boot_id(self) -> str:
        """The name of this boot; a simulated board may have one of its own."""
        return self.read(_BOOT_ID) or Board("").read(_BOOT_ID) or ""

    def uptime_s(self) -> float:
        """The time since the boot."""
        return float((self.read(_UPTIME) or Board("").read(_UPTIME) or "0").split()[0])

    def simulated(self) -> bool:
        """Whether the board says that it is a simulation."""
        return self.path(SIMULATED).exists()

    def library(self, name: str) -> Path | None:
        """The file of the vendor's library `name`, `ax_engine` say."""
        environment = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        listed = [Path(folder) for folder in environment if folder]
        for folder in [self.path(folder) for folder in LIBRARY_DIRS] + listed:
            file = folder / f"lib{name}.so"
            if file.exists():
                return file
        return None

    def site_packages(self) -> list[str]:
        """The vendor's own package folders, those for this Python first."""
        found = map(str, Path(self.root or "/").glob(_SITE_PACKAGES))
        own = f"/python{sys.version_info[0]}.{sys.version_info[1]}/"
        return sorted(found, key=lambda path: own not in path)


def this_board(environment: Mapping[str, str]) -> Board:
    """The board of this process."""
    return Board(environment.get(SYSROOT, "").rstrip("/"))


def worker_environment(
    board: Board,
    environment: Mapping[str, str],
    package_root: Path,
    packages: Sequence[str] = (),
) -> dict[str, str]:
    """What /etc/profile sets for a login and a non-interactive SSH session lacks.

    `packages` are the folders that orch brought: before the system's, after the agent itself.
    """
    kept = {key: value for key, value in environment.items() if key != "PYTHONOPTIMIZE"}

    def joined(paths: list[Path], key: str) -> str:
        return os.pathsep.join([*map(str, paths), *filter(None, [environment.get(key)])])

    kept["LD_LIBRARY_PATH"] = joined([board.path(d) for d in LIBRARY_DIRS], "LD_LIBRARY_PATH")
    kept["PATH"] = joined([board.path(folder) for folder in TOOL_DIRS], "PATH")
    kept["PYTHONPATH"] = joined([package_root, *map(Path, packages)], "PYTHONPATH")
    kept["PYTHONUNBUFFERED"] = "1"
    # Newer releases of the runtime log at this level what older ones print; all of it is wanted.
    kept["AXENGINE_LOG_LEVEL"] = "INFO"
    kept["PYTHONIOENCODING"] = "utf-8:backslashreplace"
    return kept
