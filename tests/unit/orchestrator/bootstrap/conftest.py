"""Small wheels, a folder that stands for the package index, and a board with a bare Python."""

from __future__ import annotations

import hashlib
import json
import os
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.backends.local_transport import LocalConnect
from orchestrator.bootstrap.fleet import Supplies
from orchestrator.bootstrap.wheelhouse import Wheelhouse
from orchestrator.domain import Board, CommandResult
from orchestrator.errors import Unreachable
from orchestrator.seams import Transport

FAKE_AXENGINE = Path(__file__).parents[2] / "board_agent" / "fake_axengine.py"
#: Stands for numpy on the board by giving the one of this Python.
NUMPY = f"""
import sys
del sys.modules["numpy"]
sys.path.insert(0, {sysconfig.get_path("platlib")!r})
import numpy
"""
SCRIPT = {
    "inputs": [["input", "uint8", [1, 2, 3, 3]]],
    "outputs": [["argmax_output", "int32", [1, 1, 2, 3]]],
}
FACTS = {
    "proc/ax_proc/chip_type": "AX650N_CHIP\n",
    "proc/ax_proc/version": "Ax_Version V1.45.0_P39_20240830020829\n",
    "etc/orch-simulated-board": "a test\n",
}

MakeWheel = Callable[..., Path]


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str | bytes],
    tag: str = "py3-none-any",
    needs: Sequence[str] = (),
) -> Path:
    """Write a wheel; `needs` are its Requires-Dist."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in needs)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Gives what writes a wheel into a folder of this test."""
    return lambda name, version="1.0", files=None, **more: write_wheel(
        tmp_path / "made", name, version, files or {f"{name}/__init__.py": ""}, **more
    )


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with wheels that go by the names of numpy and the others."""
    folder = tmp_path_factory.mktemp("index")
    write_wheel(folder, "numpy", "2.0.0", {"numpy/__init__.py": NUMPY, "numpy/a.txt": "x" * 9000})
    write_wheel(folder, "cffi", "1.17.0", {"cffi/__init__.py": ""}, needs=["pycparser"])
    write_wheel(folder, "pycparser", "2.22", {"pycparser/__init__.py": ""})
    write_wheel(folder, "ml_dtypes", "0.5.0", {"ml_dtypes/__init__.py": ""}, needs=["numpy>=1.21"])
    return folder


@pytest.fixture
def axengine_wheel(make_wheel: MakeWheel) -> Path:
    files = {"axengine/__init__.py": FAKE_AXENGINE.read_text(), "axengine/_axe.py": "# a build\n"}
    return make_wheel("axengine", "0.1.3", files, needs=["numpy>=1.22", "cffi", "ml-dtypes"])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class BareBoard:
    """A login on this machine whose `python3` has no packages; `Connect` for it.

    `cut_after` bytes of the next upload the line is lost; `spoil` damages what arrives.
    """

    folder: Path
    runs: list[str] = field(default_factory=list)
    cut_after: int | None = None
    spoil: bool = False

    def __post_init__(self) -> None:
        self.home, self.root = self.folder / "home", self.folder / "root"
        self.home.mkdir(parents=True)
        venv.create(self.folder / "python", with_pip=False, symlinks=True)
        for name, text in FACTS.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        script = self.folder / "script.json"
        script.write_text(json.dumps(SCRIPT))
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{self.folder / 'python' / 'bin'}:{os.environ['PATH']}",
            "ORCH_SYSROOT": str(self.root),
            "FAKE_AXENGINE": str(script),
        }

    @property
    def work(self) -> Path:
        return self.home / ".orch"

    def add_model(self) -> None:
        """Leave a model where the vendor leaves its own."""
        path = self.root / "opt/data/npu/models/mobilenetv2.axmodel"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a model")

    @contextmanager
    def __call__(self, board: Board) -> Iterator[Transport]:
        with LocalConnect(self.home, self.environment)(board) as transport:
            yield Line(self, transport)


@dataclass
class Line:
    """The open connection: counts what is run and does the damage that the board asks for."""

    board: BareBoard
    transport: Transport

    def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        deadline_s: float,
        limit_bytes: int = 2**20,
    ) -> CommandResult:
        kind = json.loads(stdin)["kind"] if stdin.startswith(b"{") else "other"
        self.board.runs.append(str(kind))
        return self.transport.run(argv, stdin, deadline_s=deadline_s, limit_bytes=limit_bytes)

    def put(self, blob: Path, path: str, offset: int = 0, *, deadline_s: float) -> int:
        target = self.board.home / path
        if self.board.cut_after is not None:
            target.write_bytes(blob.read_bytes()[: self.board.cut_after])
            self.board.cut_after = None
            raise Unreachable("b1: the connection was lost")
        sent = self.transport.put(blob, path, offset, deadline_s=deadline_s)
        if self.board.spoil:
            target.write_bytes(b"#" + target.read_bytes()[1:])
        return sent

    def get(self, path: str, limit_bytes: int, *, deadline_s: float) -> bytes:
        return self.transport.get(path, limit_bytes, deadline_s=deadline_s)

    def hold(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        *,
        until: Callable[[bytes], bool],
        deadline_s: float,
    ) -> AbstractContextManager[bytes]:
        return self.transport.hold(argv, stdin, until=until, deadline_s=deadline_s)


@pytest.fixture
def bare_board(tmp_path: Path) -> BareBoard:
    return BareBoard(tmp_path / "board")


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Wheelhouse:
    """The host's wheels: pip is asked once for all tests."""
    folder = tmp_path_factory.mktemp("wheels")
    return Wheelhouse(folder, folder / "lock.json", index)


@pytest.fixture
def supplies(kept: Wheelhouse, axengine_wheel: Path) -> Supplies:
    sha256 = hashlib.sha256(axengine_wheel.read_bytes()).hexdigest()
    return Supplies(kept, kept.axengine(str(axengine_wheel), sha256), "tester@here/bootstrap")
