"""A board to ask: a home, fact files, a scripted runtime, and the agent here or as a process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from board_agent import places, protocol, request
from board_agent.answer import answer
from board_agent.kinds import Here, carry_out
from board_agent.store import Store

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


#: What changes nothing, or has a token of its own.
FREE = {"lease", "serve", "runtime"}

#: What starts processes that are to outlive the agent, or reads its stdin.
APART = frozenset({"benchmark", "contend", "infer", "install", "selftest", "serve", "tool"})


class Board:
    """One board; `work` is its work_dir, `notes` where the runtime marks what it was asked.

    Attributes:
        near: the agent is carried out in this process, but for the kinds that are `apart`.
        held: requests without a token are sent under a lease that never runs out.
    """

    def __init__(self, folder: Path, agent: Path) -> None:
        self.home, self.sysroot, self.notes = folder / "home", folder / "root", folder / "notes"
        self.site = folder / "site"
        self.work = self.home / ".orch"
        self.agent, self.python, self.near, self.held = agent, sys.executable, True, True
        self.apart = APART
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
        request = {"version": 2, "kind": kind, "work_dir": ".orch"} | self._under_lease(
            kind, fields
        )
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
        """The reply to a request."""
        if not self.near or kind in self.apart:
            return self.finish(self.start(kind, **fields))
        asked = {"version": 2, "kind": kind, "work_dir": str(self.work)}
        message = json.dumps(asked | self._under_lease(kind, fields)).encode()
        reply = answer(lambda: self._carry_out(request.read(message)))
        assert reply is not None
        return reply

    def _carry_out(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        place = Store(request.work_dir(asked), request.token(asked))
        root = self.environment["ORCH_SYSROOT"]
        here = Here(place, places.Board(root), lambda said: pytest.fail(str(said)))
        return carry_out(asked, here)

    def _under_lease(self, kind: str, fields: dict[str, object]) -> dict[str, object]:
        if not self.held or kind in FREE or fields.get("token") is not None:
            return fields
        if kind == "probe" and not (self.work / "lease").is_dir():
            return fields
        return fields | {"token": self.token()}

    def token(self) -> int:
        """The newest token; the first is made here."""
        lease = self.work / "lease"
        if not lease.is_dir():
            folder, place = lease / protocol.token_name(1), places.Board(str(self.sysroot))
            folder.mkdir(parents=True)
            line = f"me {place.boot_id()} {int(place.uptime_s())} 86400"
            (folder / "holder").write_text(line)
        return max(int(folder.name) for folder in lease.iterdir())

    @property
    def incoming(self) -> Path:
        """Where what is sent under the newest token lies."""
        folder = self.work / "incoming" / protocol.token_name(self.token())
        folder.mkdir(parents=True, exist_ok=True)
        return folder

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
        folder = self.incoming
        if token is not None:
            folder = folder.with_name(protocol.token_name(token))
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
