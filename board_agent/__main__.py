"""Starts the agent: in a zipapp by compiled code, which an earlier start has left beside it.

A zipapp is compiled anew whenever it starts, which is most of what a small request takes. Each
module is compiled when it is first used, and then kept.
"""

from __future__ import annotations

import binascii
import marshal
import sys
import zipimport
from typing import Any

#: What code was compiled by, and a checksum of 4 bytes.
_IMPORT: Any = sys.modules["_frozen_importlib"]  # importlib itself takes time to load
_MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
_HEADER_BYTES = len(_MAGIC) + 4
_PACKAGE = "board_agent"


class Compiled:
    """Finds the modules of the agent in what `compiled.write` left, or else in the zipapp.

    Attributes:
        codes: marshalled code by module.
        grown: there is code in it now that has yet to be kept.
    """

    def __init__(self, archive: str, codes: dict[str, bytes]) -> None:
        self.archive, self.codes, self.grown = archive, codes, False

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        """The spec of a module of the agent, with the file that the zipapp would give."""
        if name.partition(".")[0] != _PACKAGE:
            return None
        package = name == _PACKAGE
        file = self.archive + "/" + name.replace(".", "/") + ("/__init__.py" if package else ".py")
        spec = _IMPORT.ModuleSpec(name, self, origin=file, is_package=package)
        spec.has_location = True
        return spec

    def create_module(self, _spec: object) -> None:
        """A module as Python makes it."""

    def exec_module(self, module: Any) -> None:
        """Run a module's code."""
        exec(self._code(module.__name__), module.__dict__)  # noqa: S102 - what an import does

    def _code(self, name: str) -> Any:
        if name in self.codes:
            return marshal.loads(self.codes[name])  # noqa: S302 - our own, checksummed
        path = name.replace(".", "/")  # zipimport knows a module by its path here
        code = zipimport.zipimporter(self.archive).get_code(path)
        self.codes[name] = marshal.dumps(code)
        self.grown = True
        return code


def compiled_file(archive: str) -> str:
    """Where the code for this Python lies."""
    return archive + "." + str(sys.implementation.cache_tag)


def pack(codes: dict[str, bytes]) -> bytes:
    """Marshalled code by module, so that damage shows."""
    body = marshal.dumps(codes)
    return _MAGIC + binascii.crc32(body).to_bytes(4, "little") + body


def read(archive: str) -> dict[str, bytes]:
    """Give what earlier starts have left; nothing where it is not sound."""
    try:
        with open(compiled_file(archive), "rb") as file:  # noqa: PTH123 - pathlib takes time
            data = file.read()
    except OSError:
        return {}
    body = data[_HEADER_BYTES:]
    if data[:_HEADER_BYTES] != _MAGIC + binascii.crc32(body).to_bytes(4, "little"):
        return {}
    codes: dict[str, bytes] = marshal.loads(body)  # noqa: S302 - our own, checksummed
    return codes


def start() -> int:
    """Run the agent; what it had to compile is left for the starts to come."""
    archive, zipped, _ = __file__.partition(".pyz")
    archive += zipped
    modules = Compiled(archive, read(archive) if zipped else {})
    if zipped:
        sys.meta_path.insert(0, modules)

    from board_agent.main import main

    ended = main()
    if modules.grown:
        from board_agent import compiled

        # Others have started meanwhile, a worker's own child among them.
        compiled.write(compiled_file(archive), lambda: pack({**read(archive), **modules.codes}))
    return ended


if __name__ == "__main__":
    sys.exit(start())
