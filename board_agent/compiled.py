"""Leave the agent's compiled code beside its zipapp, for the starts to come."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable

from board_agent import files


def write(target: str, pack: Callable[[], bytes]) -> None:
    """Keep what `pack` gives; a disk that takes nothing goes without."""
    with contextlib.suppress(OSError):
        files.write(Path(target), pack(), durable=False)  # it has a checksum
