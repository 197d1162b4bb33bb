"""What lies on the board when the client is killed in mid-upload, ours beside the peers in one run.

    python -m benchmarks.torn_files [--trials 10] [--megabytes 64] [--seed 1]

Each trial begins with a whole old file in its place and sends a new one over it. The client and
all it has started get SIGKILL when a part of the bytes, drawn from 20 to 90 %, has gone over
the board's network device. `torn` is a file that is neither the old nor the new one. For orch the
file is what `current` leads to. The exit code is 1 when orch has torn one.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.container_fleet import Fleet, Host, container_fleet, docker
from benchmarks.peer_tools import TARGET, Task, command_of, environment_of, install_peers

TOOLS = (
    "fabric",
    "pyinfra",
    "scp",
    "parallel-ssh",
    "ansible",
    "rsync",
    "rsync --inplace",
    "orch",
)
LIMIT_S, SETTLED_S = 120.0, 0.5
_POLL_S = 0.002
#: What a network says without anybody sending a file.
_CHATTER_BYTES = 10_000
_CURRENT = """
import hashlib, json, os
work = "/root/.orch"
manifest = json.load(open(work + "/current/manifest.json"))
entry = manifest["files"]["model.axmodel"]
blob = work + "/blobs/" + entry["sha256"]
print(hashlib.sha256(open(blob, "rb").read()).hexdigest())
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """One board, and what counts the bytes that reach it."""

    fleet: Fleet
    host: Host
    counter: Path

    def received(self) -> int:
        return int(self.counter.read_text())


def desk_of(fleet: Fleet) -> Desk:
    """Find the host's end of the board's network device: what it sends, the board receives."""
    host = fleet.hosts[0]
    number = docker("exec", host.name, "cat", "/sys/class/net/eth0/iflink")
    for device in Path("/sys/class/net").iterdir():
        if (device / "ifindex").read_text().strip() == number:
            return Desk(fleet, host, device / "statistics" / "tx_bytes")
    raise SystemExit(f"{host.name}: no device of this machine leads to it")


def start(tool: str, desk: Desk, file: Path) -> subprocess.Popen[bytes]:
    name, *options = tool.split()
    task = Task(desk.fleet, [desk.host], file, tuple(options))
    if name == "scp":
        target = f"{desk.host.address}:{TARGET}"
        argv = ["scp", "-q", "-F", str(desk.fleet.ssh_config), str(file), target]
    else:
        argv = command_of(name, task)
    return subprocess.Popen(
        argv,
        env=environment_of(name, task),
        cwd=desk.fleet.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def send_whole(tool: str, desk: Desk, file: Path) -> None:
    code = start(tool, desk, file).wait(LIMIT_S)
    if code != 0:
        raise SystemExit(f"{tool}: an undisturbed upload ended with {code}")


def send_and_kill(tool: str, desk: Desk, file: Path, after_bytes: int) -> bool:
    """Say whether the client was still at work when it was killed."""
    before, end = desk.received(), time.monotonic() + LIMIT_S
    process = start(tool, desk, file)
    while process.poll() is None and time.monotonic() < end:
        if desk.received() - before >= after_bytes:
            break
        time.sleep(_POLL_S)
    alive = process.poll() is None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        alive = False
    process.wait()
    _settle(desk)
    return alive


def _settle(desk: Desk) -> None:
    """Wait until what is under way has arrived."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        before = desk.received()
        time.sleep(SETTLED_S)
        if desk.received() - before < _CHATTER_BYTES:
            return


def found_on(tool: str, desk: Desk) -> str:
    """Give the sha256 of what is in the file's place."""
    if tool == "orch":
        return docker("exec", desk.host.name, "python3", "-c", _CURRENT)
    return docker("exec", desk.host.name, "sha256sum", TARGET).split()[0]


def trials(tool: str, desk: Desk, count: int, size: int, chance: random.Random) -> Counter[str]:
    """Send over an old file and be killed, so many times."""
    found: Counter[str] = Counter()
    file = desk.fleet.folder / "torn.axmodel"
    reset = "rm -rf /root/bench /root/.orch && mkdir /root/bench"
    for _ in range(count):
        docker("exec", desk.host.name, "sh", "-c", reset)
        old, new = chance.randbytes(size), chance.randbytes(size)
        file.write_bytes(old)
        send_whole(tool, desk, file)
        file.write_bytes(new)
        stop_at = int(size * chance.uniform(0.2, 0.9))
        if not send_and_kill(tool, desk, file, stop_at):
            found["not killed"] += 1
            continue
        sums = {hashlib.sha256(old).hexdigest(): "old", hashlib.sha256(new).hexdigest(): "new"}
        found[sums.get(found_on(tool, desk), "torn")] += 1
    return found


def table(results: Sequence[tuple[str, Counter[str]]]) -> None:
    print("| tool | killed | old file | new file | torn |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for tool, found in results:
        killed = sum(found.values()) - found["not killed"]
        print(f"| {tool} | {killed} | {found['old']} | {found['new']} | {found['torn']} |")


def main() -> int:
    """Print the table; 1 when orch has torn a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tools", default=",".join(TOOLS))
    options = parser.parse_args()
    install_peers()
    chance = random.Random(options.seed)  # noqa: S311 - a schedule, not a secret
    results = []
    with (
        tempfile.TemporaryDirectory(prefix="orch-torn-") as scratch,
        container_fleet(Path(scratch), 1) as fleet,
    ):
        desk = desk_of(fleet)
        for tool in options.tools.split(","):
            size = options.megabytes * 1_000_000
            results.append((tool, trials(tool, desk, options.trials, size, chance)))
            print(f"{tool}: {dict(results[-1][1])}", file=sys.stderr, flush=True)
    table(results)
    print(f"\nseed {options.seed}, {options.megabytes} MB, {options.trials} trials each")
    return 1 if any(tool == "orch" and found["torn"] for tool, found in results) else 0


if __name__ == "__main__":
    sys.exit(main())
