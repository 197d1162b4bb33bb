"""Boards as containers for the benchmarks: one client key, pinned host keys, one known_hosts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BASE = "orch/board-sim:debian12"
#: The board with rsync, which peers need at both ends.
IMAGE = "orch/bench-board:debian12"
_DEBS = ("rsync", "libpopt0", "libxxhash0")
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Host:
    """One container: its name, address and public host key."""

    name: str
    address: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running containers; `folder` holds the client's key, known_hosts and an ssh config."""

    folder: Path
    hosts: tuple[Host, ...]

    @property
    def key(self) -> Path:
        return self.folder / ".ssh" / "id_ed25519"

    @property
    def ssh_config(self) -> Path:
        return self.folder / ".ssh" / "config"


def docker(*argv: str) -> str:
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"docker {argv[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def container_fleet(folder: Path, count: int) -> Iterator[Fleet]:
    """Start so many boards, and remove them at the end."""
    # A fleet must not outlive whoever ends the benchmark with `kill` or `timeout`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ensure_image(folder)
    ssh = folder / ".ssh"
    ssh.mkdir(mode=0o700, parents=True, exist_ok=True)
    keygen(ssh / "id_ed25519")
    mark = os.urandom(3).hex()
    names = [f"orch-bench-{mark}-{number:02d}" for number in range(1, count + 1)]
    try:
        with ThreadPoolExecutor(4) as pool:
            hosts = tuple(pool.map(lambda name: _start(folder, name), names))
        known = "".join(f"{host.address} {host.host_key}\n" for host in hosts)
        (ssh / "known_hosts").write_text(known)
        (ssh / "config").write_text(
            "Host *\n"
            f"  User root\n  IdentityFile {ssh / 'id_ed25519'}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {ssh / 'known_hosts'}\n  StrictHostKeyChecking yes\n"
            "  ConnectTimeout 10\n  LogLevel ERROR\n"
        )
        for host in hosts:
            _wait(host.address)
        yield Fleet(folder, hosts)
    finally:
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", *names], capture_output=True, check=False
        )


def ensure_image(folder: Path) -> None:
    """Make the board with rsync from the simulated board and this machine's Debian packages."""
    found = subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False)
    if found.returncode == 0:
        return
    context = folder / "image"
    context.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *_DEBS], cwd=context, capture_output=True, check=True)
    (context / "Dockerfile").write_text(
        f"FROM {BASE}\nCOPY *.deb /debs/\nRUN dpkg --install /debs/*.deb && rm -r /debs\n"
    )
    subprocess.run(
        ["docker", "build", "--network", "none", "--tag", IMAGE, str(context)],
        env=os.environ | {"DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
    )
    shutil.rmtree(context)


def received_bytes(host: Host) -> int:
    """What has come into a container and gone out of it, in bytes on its network device."""
    folder = "/sys/class/net/eth0/statistics"
    said = docker("exec", host.name, "cat", f"{folder}/rx_bytes", f"{folder}/tx_bytes")
    return sum(map(int, said.split()))


def keygen(path: Path) -> str:
    """Make a key unless it is there; give its public half."""
    if not path.exists():
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
        subprocess.run(argv, check=True)
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def _start(folder: Path, name: str) -> Host:
    public = keygen(folder / name)
    client = (folder / ".ssh" / "id_ed25519.pub").read_text().strip()
    docker(
        *("run", "--detach", "--name", name, "--hostname", "ax650"),
        *("--env", f"BOARD_NAME={name}", "--env", f"AUTHORIZED_KEY={client}"),
        *("--env", f"HOST_KEY={(folder / name).read_text()}", IMAGE),
    )
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
    return Host(name, address, public)


def _wait(address: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, 22), timeout=1) as line:
                if line.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{address}: no SSH within {_START_S:g} s")
