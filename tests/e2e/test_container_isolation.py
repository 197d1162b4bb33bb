"""What a container can reach under each isolation."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.domain import LEVELS, Isolation

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.usefixtures("docker_engine"),
]

Docker = Callable[..., str]
IMAGE = "orch/pulsar2-sim:5.2"


@pytest.fixture
def name() -> str:
    """A toolchain's name."""
    return f"isolation-{os.urandom(4).hex()}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work folder as the stages lay it out."""
    for part in ("input", "output"):
        (tmp_path / "work" / part).mkdir(parents=True)
    return tmp_path / "work"


def under(name: str, isolation: Isolation) -> DockerToolchain:
    return DockerToolchain(name, IMAGE, lambda _: isolation)


@pytest.mark.parametrize("level", LEVELS, ids=[level.name for level in LEVELS])
def test_no_volume_is_left_under_any_isolation(
    docker_engine: Docker, name: str, folder: Path, level: Isolation
) -> None:
    before = set(docker_engine("volume", "ls", "--quiet").split())
    toolchain = under(name, level)
    done = toolchain.run(["bash", "-c", "echo x > output/y"], folder, lambda _: None, 60)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (folder / "output" / "y").read_text() == "x\n"
    assert set(docker_engine("volume", "ls", "--quiet").split()) <= before


def test_a_disk_that_is_full_is_a_result_with_its_cause(name: str, folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a small disk")
    output = folder / "output"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "orch-test", str(output)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        toolchain = under(name, LEVELS[0])
        script = "head -c 8M /dev/zero > output/compiled.axmodel"
        done = toolchain.run(["bash", "-c", script], folder, lambda _: None, 60)
    finally:
        subprocess.run(["umount", str(output)], check=True)
    assert done.returncode == 1
    assert b"No space left on device" in done.stdout


def test_a_container_has_only_what_its_isolation_leaves_it(name: str, folder: Path) -> None:
    (folder / "input" / "model").write_text("m")
    toolchain = under(name, LEVELS[0])
    script = """
    ls /sys/class/net | tr '\\n' ' '
    for place in /etc/x /root/x /data/input/x /tmp/x /data/output/x; do
        (echo > $place) 2>/dev/null && echo "$place"
    done
    grep -E 'CapEff|NoNewPrivs' /proc/self/status | tr -s '\\t\\n' ' '
    cat /data/input/model
    """
    done = toolchain.run(["bash", "-c", script], folder, lambda _: None, 60)
    # CAP_CHOWN 0x1, CAP_DAC_OVERRIDE 0x2, CAP_FOWNER 0x8.
    wanted = "lo /tmp/x\n/data/output/x\nCapEff: 000000000000000b NoNewPrivs: 1 m"
    assert done.stdout.decode() == wanted


def test_a_home_can_be_written_and_still_has_what_the_image_put_there(
    name: str, folder: Path
) -> None:
    home = next(level for level in LEVELS if level.name == "home")
    script = "cd && ls -A | sort > /data/output/before && touch new && ls -A | sort"
    seen = {}
    for level in (home, LEVELS[-1]):
        toolchain = under(name, level)
        done = toolchain.run(["bash", "-c", script], folder, lambda _: None, 60)
        assert done.returncode == 0, done.stdout
        seen[level.name] = (folder / "output" / "before").read_text()
    assert seen["home"] == seen["documented"]
    assert seen["home"] != ""
