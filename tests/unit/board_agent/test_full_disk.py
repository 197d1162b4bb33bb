"""A disk that is full to its last byte: a small file system in a mount of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from board_agent import protocol
from orchestrator.agent_bundle import bundle_agent

#: Mounts the disk, has the agent take the lease and give it back, fills the disk, asks once more.
SCRIPT = """
set -e
mount -t tmpfs -o size=480k disk "$1"
mkdir "$1/agent"
cp "$2" "$1/agent/agent.pyz"
python3 "$1/agent/agent.pyz" <"$3" >/dev/null
cat /dev/zero >"$1/ballast" 2>/dev/null || true
touch "$1/proof" 2>/dev/null && echo x >"$1/proof" 2>/dev/null && exit 9
exec python3 "$1/agent/agent.pyz" <"$3"
"""


def can_mount() -> bool:
    argv = ["unshare", "--mount", "mount", "-t", "tmpfs", "disk", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(argv, capture_output=True, check=False).returncode
    )


@pytest.mark.slow
def test_the_lease_can_be_taken_where_no_byte_is_left(tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("only root may mount a small disk")
    disk, program, request = tmp_path / "disk", tmp_path / "agent.pyz", tmp_path / "request"
    disk.mkdir()
    program.write_bytes(bundle_agent())
    wish = {"blobs": [], "lease": {"owner": "me", "ttl_s": 60}}
    fields = {"version": protocol.VERSION, "kind": "probe", "work_dir": str(disk)}
    request.write_text(json.dumps(fields | wish))

    argv = ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *map(str, (disk, program, request))]
    done = subprocess.run(argv, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    reply = protocol.unpack(done.stdout)["result"]
    assert reply["facts"]["work_dir_error"] is None
    assert reply["lease"]["token"] > 1
