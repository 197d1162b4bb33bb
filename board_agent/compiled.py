"""Leave the agent's compiled code beside its zipapp, for the starts to come."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable

from board_agent import files


def drop(folder: Path) -> None:
    """Remove what starts of any agent have left in `folder`: it is made anew when it is wanted."""
    for name in files.names(folder):
        if ".pyz." in name and not name.endswith(".part"):
            files.remove(folder / name)


def write(target: str, pack: Callable[[], bytes]) -> None:
    """Keep what `pack` gives; a disk that takes nothing goes without."""
    with contextlib.suppress(OSError):
        files.write(Path(target), pack(), durable=False)  # it has a checksum
