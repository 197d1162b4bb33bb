"""What several test folders share: a clean environment, the Docker engine, simulated boards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.domain import Board
from orchestrator.simulation import SimulatedFleet, find_simulation

Docker = Callable[..., str]
Boards = Callable[..., AbstractContextManager[Board]]
Fleets = Callable[..., AbstractContextManager[SimulatedFleet]]

BOARD_IMAGE = "orch/board-sim:debian12"
IMAGES = (*(f"orch/pulsar2-sim:{one}" for one in ("3.3", "4.2", "5.2", "7.0")), BOARD_IMAGE)
#: What scripts/test could not provide; the only ORCH variable that tests are to see.
MISSING = "ORCH_TEST_MISSING"
START_S = 30.0


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """Keep what the caller has set for orch, and the model hub, out of every test."""
    # In the background of a shell or under nohup these are ignored, and so would all be that is
    # started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("ORCH_") and name != MISSING]:
            patch.delenv(name)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def docker_engine() -> Docker:
    """Give what runs `docker …` and returns its stdout; without engine or images there is none."""
    reason = _docker_is_missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)

    def docker(*argv: str) -> str:
        done = subprocess.run(
            ["docker", *argv], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"docker {' '.join(argv)}: {done.stderr}"
        return done.stdout.strip()

    return docker


def _docker_is_missing() -> str:
    missing = {"docker", "images"} & set(os.environ.get(MISSING, "").split(","))
    if missing:
        return f"scripts/test found no {' and no '.join(sorted(missing))}"
    for argv, reason in (
        (["docker", "info"], "no Docker engine answers"),
        (["docker", "image", "inspect", *IMAGES], "run scripts/build-images first"),
    ):
        try:
            subprocess.run(argv, capture_output=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{reason}: {error}"
    return ""


@pytest.fixture(scope="session")
def board_container(docker_engine: Docker, tmp_path_factory: pytest.TempPathFactory) -> Boards:
    """Give what starts one board with OpenSSH; the container is named like the board.

    It keeps disk and port when it is stopped and started again, and goes with its context.
    """
    from containers.board_sim.serve import keep_key

    keys = tmp_path_factory.mktemp("keys")
    keep_key(keys / "client")

    @contextmanager
    def start() -> Iterator[Board]:
        name = f"orch-board-{os.urandom(3).hex()}"
        public = keep_key(keys / name).export_public_key().decode().split()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        docker_engine(
            *("run", "--detach", "--name", name, "--hostname", "ax650"),
            *("--publish", f"127.0.0.1:{port}:22", "--env", f"BOARD_NAME={name}"),
            *("--env", f"AUTHORIZED_KEY={(keys / 'client.pub').read_text().strip()}"),
            *("--env", f"HOST_KEY={(keys / name).read_text()}", BOARD_IMAGE),
        )
        try:
            wait_for_ssh(port)
            yield Board(
                name=name,
                host="127.0.0.1",
                port=port,
                user="root",
                host_keys=(" ".join(public[:2]),),
                identity_file=str(keys / "client"),
            )
        finally:
            docker_engine("rm", "--force", "--volumes", name)

    return start


@pytest.fixture(scope="session")
def ssh_answers() -> Callable[[int], None]:
    """Give what waits until an SSH server greets on a port of this machine."""
    return wait_for_ssh


def wait_for_ssh(port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        # The engine's proxy takes connections before the container listens.
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
                if line.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"no SSH server answers on port {port} within {START_S:g} s")


@pytest.fixture(scope="session")
def sim_fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleets:
    """Give what starts simulated boards in a process of their own, with options of its program."""

    @contextmanager
    def start(*options: str) -> Iterator[SimulatedFleet]:
        folder = tmp_path_factory.mktemp("fleet")
        argv = [sys.executable, "-m", "containers.board_sim.serve", "--root", str(folder)]
        argv += ["--make-key", str(folder / "client_key"), "--stop-with-parent", *options]
        with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
            try:
                yield _wait_for_fleet(folder, process)
            finally:
                process.send_signal(signal.SIGTERM)
                # A test may have stopped it to see what the host makes of silence.
                process.send_signal(signal.SIGCONT)
                process.wait(START_S)

    return start


def _wait_for_fleet(folder: Path, process: subprocess.Popen[bytes]) -> SimulatedFleet:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        assert process.poll() is None, f"the fleet ended with {process.returncode}"
        if fleet := find_simulation(folder):
            return fleet
        time.sleep(0.02)
    pytest.fail(f"no fleet within {START_S:g} s")


@dataclass
class Silent:
    """Progress that keeps what was said."""

    events: list[tuple[str, str]] = field(default_factory=list)

    def event(self, subject: str, message: str) -> None:
        self.events.append((subject, message))

    def advance(self, subject: str, label: str, done: float, total: float) -> None:
        self.events.append((subject, f"{label} {done}/{total}"))

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.events.append((title, f"{len(header)} columns, {len(rows)} rows"))


@pytest.fixture
def progress() -> Silent:
    return Silent()
