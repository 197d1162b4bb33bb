"""A Docker engine of the test's own, stopped or killed in the middle of a build."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.errors import ToolchainError

pytestmark = [pytest.mark.docker, pytest.mark.slow]

IMAGE = "orch/pulsar2-sim:5.2"
START_S = 60.0


@dataclass
class OwnEngine:
    """dockerd and containerd below one folder, apart from the machine's own engine."""

    folder: Path
    containerd: subprocess.Popen[bytes] | None = None
    dockerd: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start what does not run, and wait until the engine answers."""
        folder = self.folder
        socket = folder / "containerd.sock"
        if self.containerd is None:
            argv = ["containerd", "--address", str(socket)]
            argv += ["--root", f"{folder}/containerd", "--state", f"{folder}/state"]
            self.containerd = self._launch(argv)
            wait_until(socket.exists)
        # In a network of its own: a dockerd without a bridge takes docker0 away where it finds one.
        argv = ["unshare", "--net", "dockerd", "--data-root", f"{folder}/data"]
        argv += ["--exec-root", f"{folder}/exec"]
        argv += ["--pidfile", f"{folder}/pid", "--host", self.host, "--containerd", str(socket)]
        argv += ["--bridge=none", "--iptables=false", "--ip6tables=false"]
        with suppress(FileNotFoundError):  # a killed engine has left it
            (folder / "pid").unlink()
        self.dockerd = self._launch(argv)
        wait_until(lambda: self.ask("info").returncode == 0)

    def end(self, number: signal.Signals) -> None:
        assert self.dockerd is not None
        self.dockerd.send_signal(number)

    def restart(self) -> None:
        """Start it once it has ended."""
        assert self.dockerd is not None
        self.dockerd.wait(START_S)
        self.start()

    def ask(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"DOCKER_HOST": self.host}
        return subprocess.run(
            ["docker", *argv], env=env, capture_output=True, text=True, timeout=300, check=False
        )

    def stop(self) -> None:
        """End it with its containers and its mounts."""
        for daemon in (self.dockerd, self.containerd):
            if daemon is not None:
                daemon.terminate()
                daemon.wait(START_S)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if (place := line.split(" ")[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=False)

    def _launch(self, argv: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log)


def wait_until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not ready():
        assert time.monotonic() < end, "it does not come up"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def own_engine(
    docker_engine: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OwnEngine]:
    """A running engine that has the image, from a tarball that was saved here."""
    programs = ("dockerd", "containerd", "unshare")
    if os.getuid() != 0 or not all(shutil.which(program) for program in programs):
        pytest.skip("a second engine needs root, dockerd and containerd")
    # The path of a socket has at most 107 characters.
    engine = OwnEngine(Path(tempfile.mkdtemp(prefix="orch-engine-")))
    tarball = tmp_path_factory.mktemp("image") / "image.tar"
    try:
        engine.start()
        docker_engine("save", IMAGE, "--output", str(tarball))
        loaded = engine.ask("load", "--input", str(tarball))
        assert loaded.returncode == 0, loaded.stderr
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(engine.folder, ignore_errors=True)


# The Docker SDK leaves a socket that could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_an_engine_that_ends_in_mid_build_is_named_and_leaves_nothing_once_it_is_back(
    own_engine: OwnEngine, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", own_engine.host)
    toolchain = DockerToolchain("restarted", IMAGE)
    token = f"token-{os.urandom(8).hex()}"
    script = f"touch {token}; echo begun; sleep 600; echo never"

    def end_engine(_: str) -> None:
        own_engine.end(number)

    with pytest.raises(ToolchainError, match="'restarted': the Docker engine went away") as caught:
        toolchain.run(["bash", "-c", script], tmp_path, end_engine, 120)
    assert "log" in caught.value.hint
    own_engine.restart()
    assert own_engine.ask("ps", "--all", "--quiet").stdout == ""
    assert not runs(token)
    assert toolchain.run(["bash", "-c", "exit 3"], tmp_path, lambda _: None, 60).returncode == 3


def runs(token: str) -> bool:
    """Tell whether a process has the token in its command line."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if token.encode() in line.read_bytes():
                return True
    return False
