from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import board_agent
from board_agent import protocol
from orchestrator.agent_bundle import bundle_agent


def test_the_same_sources_give_the_same_bytes() -> None:
    assert bundle_agent() == bundle_agent()


def test_every_source_of_the_agent_is_in_the_bundle_and_nothing_else() -> None:
    folder = Path(board_agent.__file__).parent
    sources = {f"board_agent/{path.relative_to(folder)}" for path in folder.rglob("*.py")}

    with zipfile.ZipFile(io.BytesIO(bundle_agent())) as bundle:
        assert set(bundle.namelist()) == sources | {"__main__.py"}
        assert {entry.date_time[0] for entry in bundle.infolist()} == {1980}


def test_the_bundle_answers_without_orch_on_the_path(tmp_path: Path) -> None:
    path = tmp_path / "agent.pyz"
    path.write_bytes(bundle_agent())
    request = b'{"version": 2, "kind": "probe", "work_dir": ".orch", "blobs": []}'

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(path)],
        input=request,
        capture_output=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "ORCH_SYSROOT": str(tmp_path)},
        check=True,
    )

    reply = protocol.unpack(done.stdout)
    assert reply["ok"] is True
    assert reply["result"]["current"] is None
