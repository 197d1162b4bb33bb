"""Where the Python packages that orch brought lie: `python/<name>/`, one of them is `current`.

A name begins with the interpreter's tag: no set is used by a Python that it was not made for.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

NAME = re.compile(r"cp3\d{1,2}-[0-9a-f]{16}")


def tag() -> str:
    """The tag of this interpreter: `cp310`."""
    return "cp{}{}".format(*sys.version_info[:2])


def current(work_dir: Path) -> str | None:
    """The name of the set in use; None where there is none for this Python."""
    try:
        name = os.readlink(work_dir / "python" / "current")
    except OSError:
        return None
    fits = NAME.fullmatch(name) and name.startswith(tag() + "-")
    return name if fits and (work_dir / "python" / name).is_dir() else None


def site(work_dir: Path) -> list[str]:
    """What goes in front of `sys.path`: the folder of the set in use, if there is one."""
    name = current(work_dir)
    return [str(work_dir / "python" / name)] if name else []
