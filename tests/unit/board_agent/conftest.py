"""A board to ask: the agent as a zipapp, a home, fact files and a scripted runtime."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import board_agent
from board_agent import main, protocol, request
from board_agent.answer import answer

FACTS = {
    "proc/ax_proc/version": "Ax_Version V1.45.0_P39_20240830020829\n",
    "proc/ax_proc/uid": "ax_uid: 0x6007080746221049\n",
    "proc/ax_proc/chip_type": "AX650N_CHIP\n",
    "proc/ax_proc/board_id": "AX650N_Demo\n",
    "proc/ax_proc/npu/enable": "0\n",
    "proc/ax_proc/npu/top": "nputop info is empty!\n",
    "proc/ax_proc/npu/clk": "800M\n",
    "proc/ax_proc/npu/vnpu": "disable\n",
    "proc/ax_proc/mem_cmm_info": (
        "---CMM_USE_INFO:\n total size=4718592KB(4608MB),used=1655104KB(1616MB + 320KB),"
        "remain=3063488KB(2991MB + 704KB),partition_number=1,block_number=1330\n"
    ),
    "sys/class/thermal/thermal_zone0/temp": "49263\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "proc/sys/kernel/osrelease": "5.15.73\n",
    "etc/orch-simulated-board": "a test\n",
}
SCRIPT = {
    "inputs": [["input", "uint8", [1, 2, 3, 3]]],
    "outputs": [["argmax_output", "int32", [1, 1, 2, 3]], ["b", "float32", [2]]],
}
MODEL = b"an axmodel"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Board:
    """One board; `work` is its work_dir, `notes` where the runtime marks what it was asked."""

    def __init__(self, folder: Path, agent: Path) -> None:
        self.home, self.sysroot, self.notes = folder / "home", folder / "root", folder / "notes"
        self.site = folder / "site"
        self.work = self.home / ".orch"
        self.agent, self.python, self.near = agent, sys.executable, False
        for path in (self.home, self.notes, self.site / "axengine"):
            path.mkdir(parents=True)
        for name, text in FACTS.items():
            self.write_fact(name, text)
        fake = Path(__file__).with_name("fake_axengine.py")
        shutil.copy(fake, self.site / "axengine" / "__init__.py")
        self.script()
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.site),
            "PYTHONOPTIMIZE": "1",
            "ORCH_SYSROOT": str(self.sysroot),
            "FAKE_AXENGINE": str(self.notes / "script.json"),
        }

    def write_fact(self, name: str, text: str) -> None:
        path = self.sysroot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def script(self, **changes: object) -> None:
        """Set what the runtime does, from now on."""
        (self.notes / "script.json").write_text(json.dumps(SCRIPT | changes))

    def noted(self, name: str) -> int:
        """How often the runtime marked `name`."""
        path = self.notes / name
        return path.stat().st_size if path.exists() else 0

    def start(self, kind: str, **fields: object) -> subprocess.Popen[bytes]:
        """Send a request and do not wait."""
        request = {"version": 2, "kind": kind, "work_dir": ".orch"} | fields
        front = self.spawn()
        assert front.stdin is not None
        front.stdin.write(json.dumps(request).encode())
        front.stdin.close()
        front.stdin = None
        return front

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.python, str(self.agent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=self.home,
            start_new_session=True,
        )

    @staticmethod
    def hang_up(front: subprocess.Popen[bytes]) -> None:
        """End what a connection held: the agent and all that did not leave its session."""
        os.killpg(front.pid, signal.SIGKILL)
        front.communicate()

    def raw(self, data: bytes) -> dict[str, Any]:
        """The reply to any bytes."""
        out, err = self.spawn().communicate(data, timeout=60)
        return self._reply(out, err)

    def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        """The reply to a request; from this very process where the board is `near`."""
        return self._here(kind, fields) if self.near else self.finish(self.start(kind, **fields))

    def _here(self, kind: str, fields: dict[str, object]) -> dict[str, Any]:
        asked = {"version": 2, "kind": kind, "work_dir": str(self.work)} | fields
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCH_SYSROOT", str(self.sysroot))
            reply = answer(
                lambda: main.carry_out(request.read(json.dumps(asked).encode()), reply_to=-1)
            )
        assert reply is not None
        return reply

    def finish(self, front: subprocess.Popen[bytes]) -> dict[str, Any]:
        out, err = front.communicate(timeout=60)
        assert front.returncode == 0, err.decode()
        return self._reply(out, err)

    def result(self, kind: str, **fields: object) -> dict[str, Any]:
        """The result of a request that must succeed."""
        reply = self.ask(kind, **fields)
        assert reply["ok"], reply
        result: dict[str, Any] = reply["result"]
        return result

    def error(self, kind: str, **fields: object) -> dict[str, Any]:
        """The error of a request that must fail."""
        reply = self.ask(kind, **fields)
        assert not reply["ok"], reply
        error: dict[str, Any] = reply["error"]
        assert error["code"] in protocol.ERRORS
        return error

    def send(self, data: bytes, token: int | None = None) -> str:
        """Leave a complete part, as the host does; gives its sha256."""
        digest = sha256(data)
        folder = self.work / "incoming"
        if token is None:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder /= protocol.token_name(token)
        (folder / f"{digest}.part").write_bytes(data)
        return digest

    def manifest(self, /, token: int | None = None, **files: bytes) -> dict[str, Any]:
        """Send the files that are not there; `a__b` stands for the name `a.b`."""
        listed = {}
        for name, data in files.items():
            digest = sha256(data)
            if not (self.work / "blobs" / digest).exists():
                self.send(data, token)
            listed[name.replace("__", ".")] = {"sha256": digest, "size_bytes": len(data)}
        return {"files": listed}

    def deploy(
        self,
        release_id: str = "r1",
        kind: str = "activate",
        token: int | None = None,
        unpack: Sequence[object] = (),
        **sidecar: object,
    ) -> dict[str, Any]:
        """Activate or stage a release with MODEL and its sidecar."""
        inputs = [{"name": n, "dtype": d, "shape": s} for n, d, s in SCRIPT["inputs"]]
        data = json.dumps({"version": 1, "inputs": inputs, "simulated": True} | sidecar).encode()
        manifest = self.manifest(token, model__axmodel=MODEL, model__json=data)
        fields = {"release_id": release_id, "manifest": manifest, "unpack": list(unpack)}
        return self.result(kind, token=token, **fields)

    @staticmethod
    def _reply(out: bytes, err: bytes) -> dict[str, Any]:
        try:
            return protocol.unpack(out)
        except protocol.FrameError:
            pytest.fail(f"no frame in {out!r}; stderr: {err.decode()}")


@pytest.fixture(scope="session")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as one file, laid out as the host lays it out."""
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    with zipfile.ZipFile(path, "w") as archive:
        for source in Path(board_agent.__file__).parent.glob("*.py"):
            archive.write(source, f"board_agent/{source.name}")
            if source.name == "__main__.py":
                archive.write(source, source.name)
    return path


@pytest.fixture(scope="session")
def new_board(tmp_path_factory: pytest.TempPathFactory, agent: Path) -> Callable[[], Board]:
    """Makes boards for the tests that may share one."""
    return lambda: Board(tmp_path_factory.mktemp("board"), agent)


@pytest.fixture
def board(tmp_path: Path, agent: Path) -> Board:
    return Board(tmp_path, agent)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for a condition that will come true."""

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            time.sleep(0.005)

    return wait


@pytest.fixture
def decode() -> Callable[[dict[str, Any]], Any]:
    """The array in an encoded tensor."""

    def read(tensor: dict[str, Any]) -> Any:
        data = zlib.decompress(base64.b64decode(tensor["data"]))
        return np.frombuffer(data, tensor["dtype"]).reshape(tensor["shape"])

    return read
