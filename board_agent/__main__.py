"""Starts the agent: in a zipapp by compiled code, where an earlier start has left some beside it.

A zipapp is compiled anew whenever it starts, which is most of what a small request takes.
"""

from __future__ import annotations

import binascii
import marshal
import sys
from typing import Any

#: What code was compiled by, and a checksum of 4 bytes.
_IMPORT: Any = sys.modules["_frozen_importlib"]  # importlib itself takes time to load
_MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
_HEADER_BYTES = len(_MAGIC) + 4


class Compiled:
    """Finds the modules of `board_agent` in what `compiled.write` left."""

    def __init__(self, archive: str, codes: dict[str, bytes]) -> None:
        self.archive, self.codes = archive, codes

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        """The spec of a module that there is code of, with the file that the zipapp would give."""
        if name not in self.codes:
            return None
        package = name == "board_agent"
        file = self.archive + "/" + name.replace(".", "/") + ("/__init__.py" if package else ".py")
        spec = _IMPORT.ModuleSpec(name, self, origin=file, is_package=package)
        spec.has_location = True
        return spec

    def create_module(self, _spec: object) -> None:
        """A module as Python makes it."""

    def exec_module(self, module: Any) -> None:
        """Run a module's code."""
        code = marshal.loads(self.codes[module.__name__])  # noqa: S302 - our own, checksummed
        exec(code, module.__dict__)  # noqa: S102 - this is what an import does


def compiled_file(archive: str) -> str:
    """Where the code for this Python lies."""
    return archive + "." + str(sys.implementation.cache_tag)


def pack(codes: dict[str, bytes]) -> bytes:
    """Marshalled code by module, so that damage shows."""
    body = marshal.dumps(codes)
    return _MAGIC + binascii.crc32(body).to_bytes(4, "little") + body


def use(archive: str) -> bool:
    """Import from compiled code from now on; False where there is none that is sound."""
    try:
        with open(compiled_file(archive), "rb") as file:  # noqa: PTH123 - pathlib takes time
            data = file.read()
    except OSError:
        return False
    body = data[_HEADER_BYTES:]
    if data[:_HEADER_BYTES] != _MAGIC + binascii.crc32(body).to_bytes(4, "little"):
        return False
    codes = marshal.loads(body)  # noqa: S302 - our own, checksummed
    sys.meta_path.insert(0, Compiled(archive, codes))
    return True


def start() -> int:
    """Run the agent; the first start leaves its code for the next."""
    archive, zipped, _ = __file__.partition(".pyz")
    archive += zipped
    known = not zipped or use(archive)

    from board_agent.main import main

    ended = main()
    if not known and len(sys.argv) == 1:
        from board_agent import compiled

        compiled.write(archive, compiled_file(archive), pack)
    return ended


if __name__ == "__main__":
    sys.exit(start())
