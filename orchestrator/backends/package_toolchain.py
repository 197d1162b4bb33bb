"""The vendor's package tree, which brings its own Python and needs no Docker."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.backends.local_toolchain import VERSION_DEADLINE_S, LocalToolchain
from orchestrator.domain import CommandResult, ToolchainFact, ToolchainIdentity
from orchestrator.errors import ToolchainMissing
from orchestrator.hashing import sha256_file
from orchestrator.pulsar2.identity import parse_version

#: Where the program may lie in a tree; the layout of the vendor's is not documented.
PROGRAMS = (
    "bin/pulsar2",
    "pulsar2",
    "install/bin/pulsar2",
    "install/pulsar2",
    "pulsar2/bin/pulsar2",
    "usr/local/bin/pulsar2",
    "opt/pulsar2/bin/pulsar2",
)
#: The licence's run time looks below the home folder; a tree that has this folder is a home.
_KEY_FOLDER = ".hasplm"
_HOMES = (".", "root", "install", "home")
_LICENCES = ("install/*.v2c", "*.v2c", "root/*.v2c", "*/install/*.v2c")
_MADE_AT_RUN_TIME = {"__pycache__", _KEY_FOLDER}


class PackageTree:
    """Runs `pulsar2` out of a package tree, in a process group of its own."""

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    def identity(self) -> ToolchainIdentity:
        """Who compiles here. Raises ToolchainMissing, ToolchainError."""
        program = self._program()
        result = self.run(["pulsar2", "version"], Path.cwd(), lambda _: None, VERSION_DEADLINE_S)
        told = parse_version(self._name, result, "")
        digest = _tree_digest(self._root, program, told.version, told.commit)
        return ToolchainIdentity(told.name, told.version, told.commit, digest, told.simulated)

    def engine_id(self) -> str:
        """Name what the builds share: this machine."""
        return "host"

    def facts(self) -> list[ToolchainFact]:
        """Say what was found in the tree. Raises ToolchainMissing."""
        program, home = self._program(), self._home()
        licence = next((path for way in _LICENCES for path in self._root.glob(way)), None)
        return [
            ToolchainFact("tree", str(self._root)),
            ToolchainFact("program", str(program.relative_to(self._root))),
            ToolchainFact("home", str(home) if home else "the caller's: no .hasplm in the tree"),
            ToolchainFact(
                "licence file",
                str(licence.relative_to(self._root)) if licence else f"none at {_LICENCES[0]}",
            ),
        ]

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        """Run `pulsar2 …` with the tree's environment; all is gone when this returns or raises."""
        program = self._program()
        folders = (program.parent, self._root / "bin", self._root / "python" / "bin")
        path = [str(folder) for folder in dict.fromkeys(folders) if folder.is_dir()]
        environment = {
            "PULSAR2_HOME": str(self._root),
            "PATH": os.pathsep.join([*path, os.environ.get("PATH", os.defpath)]),
        }
        if home := self._home():
            environment["HOME"] = str(home)
        tree = LocalToolchain(self._name, [str(program)], environment=environment)
        return tree.run(argv, work_dir, on_line, deadline_s)

    def _program(self) -> Path:
        for place in PROGRAMS:
            program = self._root / place
            if program.is_file() and os.access(program, os.X_OK):
                return program
        raise ToolchainMissing(
            f"toolchain {self._name!r}: no executable pulsar2 in {self._root}: looked for "
            f"{', '.join(PROGRAMS)}",
            "unpack the vendor's …_package.tar.gz, and name the folder that it makes",
        )

    def _home(self) -> Path | None:
        homes = (self._root / place for place in _HOMES)
        return next((home.resolve() for home in homes if (home / _KEY_FOLDER).is_dir()), None)


def _tree_digest(root: Path, program: Path, version: str, commit: str) -> str:
    """Name a tree: version, commit, the program's content, and name and size of every file.

    A tree has gigabytes; to hash all of it for each build would take longer than a small build.
    """
    digest = hashlib.sha256(f"{version}\n{commit}\n{sha256_file(program)}\n".encode())
    files = []
    for parent, folders, names in os.walk(root):
        folders[:] = [folder for folder in folders if folder not in _MADE_AT_RUN_TIME]
        files += [Path(parent, name) for name in names if not name.endswith(".pyc")]
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()} {path.lstat().st_size}\n".encode())
    return f"sha256:{digest.hexdigest()}"
