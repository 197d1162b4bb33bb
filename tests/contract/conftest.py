"""Open transports of every kind, and OpenSSH servers on this machine for the ways in."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.backends.fabric_connect import FabricConnect
from orchestrator.backends.local_transport import LocalConnect
from orchestrator.backends.sql_ledger import SqlLedger
from orchestrator.domain import Board
from orchestrator.seams import Transport
from orchestrator.simulation import SimulatedFleet
from tests.contract.ledger_backends import BACKENDS, postgres, url_of

#: What a login shell would read takes longer than the rest, and is this machine's own.
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/ed25519
HostKey {folder}/ecdsa
HostKey {folder}/rsa
AuthorizedKeysFile {client}.pub
StrictModes no
UsePAM no
PidFile none
SetEnv SHLVL=5 {environment}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running sshd; `client` is the key file that it takes."""

    port: int
    folder: Path
    client: Path

    def public_key(self, kind: str = "ed25519") -> str:
        return " ".join((self.folder / f"{kind}.pub").read_text().split()[:2])

    def board(self, **fields: object) -> Board:
        """The server as a board whose key is pinned."""
        known: dict[str, object] = {
            "name": "ax-1",
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "host_keys": (self.public_key(),),
            "identity_file": str(self.client),
        }
        return Board(**(known | fields))  # type: ignore[arg-type]

    def known_line(self, kind: str = "ed25519") -> str:
        return f"[127.0.0.1]:{self.port} {self.public_key(kind)}\n"

    @property
    def hop(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1:{self.port}"


Servers = Callable[..., Server]


def write_key(path: Path, kind: str) -> Path:
    size = ["-b", "2048"] if kind == "rsa" else []
    argv = ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-f", str(path)]
    subprocess.run(argv, check=True, timeout=20)
    return path


@pytest.fixture(scope="session")
def make_key() -> Callable[..., Path]:
    """Give what makes a key file of a kind."""
    return write_key


@pytest.fixture(scope="session")
def sshd_server(
    tmp_path_factory: pytest.TempPathFactory, ssh_answers: Callable[[int], None]
) -> Iterator[Servers]:
    """Give what starts OpenSSH servers; they end with the tests."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).exists():
        if os.environ.get("CI") == "true":
            pytest.fail("there is no sshd on this machine")
        pytest.skip("there is no sshd on this machine")
    client = write_key(tmp_path_factory.mktemp("client") / "id", "ed25519")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where its unprivileged half lives

    def start(environment: str = "", settings: str = "") -> Server:
        folder = tmp_path_factory.mktemp("sshd")
        for kind in ("ed25519", "ecdsa", "rsa"):
            write_key(folder / kind, kind)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        text = CONFIG.format(port=port, folder=folder, client=client, environment=environment)
        (folder / "sshd_config").write_text(text + settings)
        running.enter_context(_serving(program, folder))
        ssh_answers(port)
        return Server(port, folder, client)

    with ExitStack() as running:
        yield start


@contextmanager
def _serving(program: str, folder: Path) -> Iterator[None]:
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "sshd_config")],
            stdin=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def server(sshd_server: Servers) -> Server:
    """One server that many tests share."""
    return sshd_server()


@pytest.fixture
def ssh_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an empty ~/.ssh, and no agent."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


Open = Callable[[str], AbstractContextManager["Link"]]
Silence = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Link:
    """An open transport; on the board's side `cut` is the shell command that ends the server.

    `silence` makes the server stop answering while its line stays open.
    """

    transport: Transport
    cut: str
    silence: Silence

    def shell(self, script: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        result = self.transport.run(["sh", "-c", script], stdin, deadline_s=30, limit_bytes=2**24)
        return result.returncode, result.stdout, result.stderr


#: Images of boards, by what is special about the way in.
IMAGES = {"OpenSSH": "debian12", "sudo": "pyramid", "dropbear and busybox": "buildroot"}
IN_CONTAINERS = [pytest.param(kind, marks=pytest.mark.docker) for kind in IMAGES]
REMOTE = ("asyncssh", "asyncssh without SFTP", *IN_CONTAINERS)


@pytest.fixture(scope="session")
def open_link(
    request: pytest.FixtureRequest,
    sim_fleet: Callable[..., AbstractContextManager[SimulatedFleet]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Open:
    @contextmanager
    def container(kind: str) -> Iterator[Link]:
        start: Callable[[str], AbstractContextManager[Board]]
        start = request.getfixturevalue("board_container")
        docker: Callable[..., str] = request.getfixturevalue("docker_engine")
        with start(kind) as board, FabricConnect(())(board) as transport:
            # All but process 1, which takes new connections: what serves this one is among them.
            yield Link(transport, "kill -9 -1", lambda: docker("pause", board.name))

    @contextmanager
    def fleet(*options: str) -> Iterator[Link]:
        with (
            sim_fleet("--name", "board", *options) as running,
            FabricConnect(())(running.boards["board"]) as transport,
        ):
            stop = (running.pid, signal.SIGSTOP)
            yield Link(transport, f"kill -9 {running.pid}", lambda: os.kill(*stop))

    @contextmanager
    def local() -> Iterator[Link]:
        home = tmp_path_factory.mktemp("home")
        board = Board("board", "127.0.0.1", 22, "root")
        with LocalConnect(home, {"HOME": str(home), "PATH": os.defpath})(board) as transport:
            yield Link(transport, "", lambda: None)

    def opened(kind: str) -> AbstractContextManager[Link]:
        if kind in IMAGES:
            return container(IMAGES[kind])
        if kind == "local":
            return local()
        return fleet(*(("--no-sftp", "board") if "without" in kind else ()))

    return opened


@pytest.fixture(scope="module", params=[*REMOTE, "local"])
def link(request: pytest.FixtureRequest, open_link: Open) -> Iterator[Link]:
    """A link that all tests of a kind share; they must leave it usable."""
    with open_link(request.param) as opened:
        yield opened


@pytest.fixture(params=REMOTE)
def doomed(request: pytest.FixtureRequest, open_link: Open) -> Iterator[Link]:
    """A link that a test may break."""
    with open_link(request.param) as opened:
        yield opened


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(300_001))
    return path


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[Path]:
    """The folder with the socket of a PostgreSQL that runs for these tests."""
    with postgres() as socket:
        os.environ["ORCH_TEST_POSTGRES"] = str(socket)
        yield socket


@pytest.fixture(params=BACKENDS)
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database of each kind."""
    if request.param == "postgresql":
        request.getfixturevalue("postgres_socket")
    return url_of(request.param, tmp_path)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[SqlLedger]:
    """An open ledger in a database of each kind."""
    found = SqlLedger(ledger_url)
    yield found
    found.close()
