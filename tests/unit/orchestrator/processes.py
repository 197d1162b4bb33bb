"""Processes that tests have started, by the file that holds their pid."""

from __future__ import annotations

import time
from pathlib import Path


def ends(note: Path) -> bool:
    """Whether the process of the note ends; its parent may take a while to notice."""
    stat = Path("/proc", note.read_text().strip(), "stat")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False
