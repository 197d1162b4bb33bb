"""Leave the agent's compiled code beside its zipapp, for the starts to come."""

from __future__ import annotations

import contextlib
import marshal
import zipfile
from pathlib import Path
from typing import Callable

from board_agent import files


def write(archive: str, target: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    """Compile all modules of a zipapp into one file; a disk that takes none goes without."""
    codes = {}
    with contextlib.suppress(OSError, zipfile.BadZipFile):
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                if name.startswith("board_agent/"):
                    code = compile(bundle.read(name), f"{archive}/{name}", "exec")
                    codes[_module(name)] = marshal.dumps(code)
        files.write(Path(target), pack(codes))


def _module(name: str) -> str:
    module = name[: -len(".py")].replace("/", ".")
    return module[: -len(".__init__")] if module.endswith(".__init__") else module
