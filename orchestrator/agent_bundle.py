"""`board_agent/` → one .pyz, the same bytes for the same sources."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import board_agent

#: The oldest date a zip file can hold: bundles must not depend on when they were made.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def bundle_agent() -> bytes:
    """Give the agent as a zip that `python3 FILE` runs, uncompressed so that zlib has no say."""
    folder = Path(board_agent.__file__).parent
    sources = {"__main__.py": (folder / "__main__.py").read_bytes()} | {
        f"board_agent/{path.name}": path.read_bytes() for path in folder.glob("*.py")
    }
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return bundle.getvalue()
