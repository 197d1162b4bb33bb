"""What the Python of this board is and has, for whoever means to bring what it lacks."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
from pathlib import Path
from typing import Any

from board_agent import facts, selftest, sites
from board_agent.places import Board

#: What axengine imports, and it.
NAMES = ("numpy", "cffi", "ml_dtypes", "axengine")


def describe(board: Board, work_dir: Path) -> dict[str, Any]:
    """What the `runtime` request tells; nothing is imported, for that could start the NPU."""
    models = selftest.models(board)
    return {
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "machine": os.uname().machine,
        "libc": _libc(),
        "packages": {name: _find(name, board, work_dir) for name in NAMES},
        "axengine_sha256": facts.read_axengine(board, work_dir),
        "installed": sites.current(work_dir),
        "disk_free_bytes": facts.disk_free(work_dir),
        "models": [path.name for path in models],
        "selftest": selftest.kept(board, work_dir),
        "simulated": board.simulated(),
    }


def _find(name: str, board: Board, work_dir: Path) -> dict[str, Any] | None:
    """Where a worker would import a package from, and the version its metadata has."""
    path = sites.site(work_dir) + sys.path + board.site_packages()
    found = importlib.machinery.PathFinder.find_spec(name, path)
    if found is None or not found.origin:
        return None
    folder = Path(found.origin).parent.parent if found.submodule_search_locations else None
    pattern = re.compile(rf"{name}-(.+)\.dist-info")
    listed = [path.name for path in folder.iterdir()] if folder is not None else []
    versions = [match.group(1) for match in map(pattern.fullmatch, listed) if match]
    return {"path": str(folder or found.origin), "version": versions[0] if versions else None}


def _libc() -> str | None:
    """`glibc 2.36`; None where the C library is another."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None
