"""What several test folders share: a clean environment, the Docker engine, simulated boards."""

from __future__ import annotations

import os
import signal
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

BOARD_KINDS = ("debian12", "ubuntu22", "pyramid", "buildroot", "debian11")
IMAGES = (
    *(f"orch/pulsar2-sim:{one}" for one in ("3.3", "4.2", "5.2", "7.0")),
    *(f"orch/board-sim:{one}" for one in BOARD_KINDS),
)
#: What scripts/test could not provide; the only ORCH variable that tests are to see.
MISSING = "ORCH_TEST_MISSING"
#: Where orch finds the password for sudo on boards of the kind `pyramid`.
SUDO_VARIABLE = "BOARD_SUDO_PASSWORD"
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
    """Give what starts one board: an image of BOARD_KINDS, faults, a network and address in it.

    The container is named like the board. It keeps disk and port when it is stopped and started
    again, and goes with its context.
    """
    from containers.faults.boards import SUDO_PASSWORD, Network, Order, board

    keys = tmp_path_factory.mktemp("keys")
    os.environ[SUDO_VARIABLE] = SUDO_PASSWORD  # the fixture before this one clears what it can see

    @contextmanager
    def start(
        kind: str = "debian12",
        faults: Sequence[str] = (),
        network: Network | None = None,
        number: int = 2,
        uid: str | None = None,
        options: Sequence[str] = (),
    ) -> Iterator[Board]:
        name = f"orch-board-{os.urandom(3).hex()}"
        address = network.address(number) if network else None
        order = Order(name, kind, tuple(faults), network, address, uid, tuple(options))
        with board(order, keys) as started:
            root = started.user == "root"
            yield Board(
                name=name,
                host=started.host,
                port=started.port,
                user=started.user,
                host_keys=(started.host_key,),
                identity_file=started.identity_file,
                work_dir=".orch" if root else "/var/lib/orch",
                sudo=not root,
                sudo_password=None if root else f"env:{SUDO_VARIABLE}",
            )

    assert docker_engine("info")
    return start


@pytest.fixture(scope="session")
def ssh_answers() -> Callable[[int], None]:
    """Give what waits until an SSH server greets on a port of this machine."""
    return wait_for_ssh


def wait_for_ssh(port: int) -> None:
    from containers.faults.boards import wait_for_greeting

    wait_for_greeting("127.0.0.1", port)


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


Proof = Callable[[str], None]


@pytest.fixture
def proof(record_property: Callable[[str, object], None]) -> Proof:
    """Keeps a figure for the end of the whole run: what a test that passes prints is not seen."""
    return lambda figure: record_property("proof", figure)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures that tests kept, in whichever process they ran."""
    ended = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for report in ended
        for name, value in report.user_properties
        if name == "proof"
    ]
    if figures:
        terminalreporter.section("proof")
        for figure in sorted(figures):
            terminalreporter.write_line(figure)


@pytest.fixture
def progress() -> Silent:
    return Silent()
