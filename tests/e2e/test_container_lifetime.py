"""However orch ends, its containers end too, and what they wrote belongs to the caller."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.backends.owner import owner_label
from orchestrator.errors import DeadlineError

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Docker = Callable[..., str]
IMAGE = "orch/pulsar2-sim:5.2"
#: How long the issue gives a container to go.
GONE_S = 20.0
NOBODY = 65534
#: argv: toolchain, work folder, isolation. Runs something endless that has a child, and leaves a
#: file of root's.
RUN = f"""\
import sys
from pathlib import Path
from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.domain import LEVELS
name, folder, level = sys.argv[1:]
isolation = next(one for one in LEVELS if one.name == level)
script = "mkdir -p output/made && touch output/made/file; sleep 600 & echo begun; wait"
toolchain = DockerToolchain(name, {IMAGE!r}, lambda _: isolation)
def say(line):
    print(line, flush=True)
toolchain.run(["bash", "-c", script], Path(folder), say, 600)
"""


@pytest.fixture
def name(docker_engine: Docker) -> Iterator[str]:
    """A toolchain's name; what is left of it is removed, so that one test does not fail another."""
    name = f"lifetime-{os.urandom(4).hex()}"
    yield name
    for container in containers(docker_engine, name):
        docker_engine("rm", "--force", "--volumes", container)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A work folder as the stages lay it out."""
    for part in ("input", "output"):
        (tmp_path / "work" / part).mkdir(parents=True)
    return tmp_path / "work"


def containers(docker: Docker, name: str) -> list[str]:
    label = f"label=orch.toolchain={name}"
    return docker("ps", "--all", "--quiet", "--filter", label).split()


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    """Tell whether something comes true in time."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def start(name: str, folder: Path, level: str = "documented") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", RUN, name, str(folder), level]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def wait_for_begin(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"


def test_kill_9_at_any_moment_leaves_no_container(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    generator = random.Random(7)  # noqa: S311 - the same moments each time
    for attempt in range(10):
        # From before the container is asked for to when its program has long begun.
        delay_s = generator.uniform(0.2, 1.2)
        with start(name, folder, generator.choice(["sealed", "home", "documented"])) as process:
            time.sleep(delay_s)
            process.kill()
        time.sleep(0.3)  # the engine may only now make what it was asked for
        gone = within(GONE_S, lambda: not containers(docker_engine, name))
        assert gone, f"attempt {attempt}, killed after {delay_s:.2f} s"
    time.sleep(1)
    assert containers(docker_engine, name) == []


def test_a_container_ends_by_itself_when_orch_is_killed_with_all_that_it_has_started(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    with start(name, folder) as process:
        wait_for_begin(process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        assert containers(docker_engine, name)
        process.kill()
    assert within(GONE_S, lambda: not containers(docker_engine, name))


def test_the_next_start_removes_containers_of_processes_that_are_gone(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    host, boot, space, _, started = owner_label().split(" ")
    owners = {
        "gone": f"{host} {boot} {space} {os.getpid()} {int(started) - 1}",
        "before this boot": f"{host} other-boot {space} {os.getpid()} {started}",
        "mine": owner_label(),
        "elsewhere": f"not-{host} {boot} {space} {os.getpid()} {int(started) - 1}",
    }
    made = {
        who: docker_engine(
            *("create", "--label", f"orch.toolchain={name}", "--label", f"orch.owner={owner}"),
            *("--entrypoint", "/bin/true", IMAGE),
        )[:12]
        for who, owner in owners.items()
    }
    DockerToolchain(name, IMAGE).run(["true"], folder, lambda _: None, 60)
    assert set(containers(docker_engine, name)) == {made["mine"], made["elsewhere"]}


def test_at_a_deadline_the_container_is_gone_in_time(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    toolchain = DockerToolchain(name, IMAGE)
    begun = time.monotonic()
    script = "trap '' TERM INT HUP; sleep 600 & sleep 601"
    with pytest.raises(DeadlineError, match=r"bash -c took longer than 1 s; its container"):
        toolchain.run(["bash", "-c", script], folder, lambda _: None, 1)
    assert containers(docker_engine, name) == []
    assert time.monotonic() - begun < 1 + GONE_S + 2


def test_files_of_root_belong_to_an_unprivileged_caller_again(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    group = give_to_nobody(folder)
    # What is imported late would have to be readable for nobody: everything is used once before.
    dropped = (
        "import os, signal\n"
        # A shell that starts the tests in the background has it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"DockerToolchain(name, {IMAGE!r}).identity()\n"
        f"os.setgroups([]); os.setgid({group}); os.setuid({NOBODY})\n"
    )
    program = RUN.replace("def say", f"{dropped}def say")
    argv = [sys.executable, "-c", program, name, str(folder), "sealed"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        wait_for_begin(process)
        made = folder / "output" / "made" / "file"
        assert made.stat().st_uid == 0
        process.send_signal(signal.SIGINT)
        process.wait(GONE_S)
    assert {one.stat().st_uid for one in (made.parent, made)} == {NOBODY}
    assert containers(docker_engine, name) == []


def test_kill_9_hands_the_files_back_too(docker_engine: Docker, name: str, folder: Path) -> None:
    group = give_to_nobody(folder)
    argv = [sys.executable, "-c", RUN, name, str(folder), "sealed"]
    try:
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True, user=NOBODY, group=group, extra_groups=[]
        )
    except PermissionError:
        pytest.skip(f"nobody may not run {sys.executable}")
    with process:
        wait_for_begin(process)
        process.kill()
    made = folder / "output" / "made" / "file"
    assert within(GONE_S, lambda: made.stat().st_uid == NOBODY)
    assert within(GONE_S, lambda: not containers(docker_engine, name))


def give_to_nobody(folder: Path) -> int:
    """Give the folder to nobody, and say which group may use the engine."""
    socket = Path("/var/run/docker.sock")
    if os.getuid() != 0 or not socket.exists():
        pytest.skip("needs root, and an engine at its usual socket")
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    for parent in folder.parents:
        if "pytest" in str(parent):
            parent.chmod(parent.stat().st_mode | 0o011)
    return socket.stat().st_gid


def test_the_labels_say_whose_a_container_is(
    docker_engine: Docker, name: str, folder: Path
) -> None:
    def look(_: str) -> None:
        [container] = containers(docker_engine, name)
        labels.update(json.loads(docker_engine("inspect", container))[0]["Config"]["Labels"])

    labels: dict[str, str] = {}
    DockerToolchain(name, IMAGE).run(["bash", "-c", "echo begun"], folder, look, 60)
    assert labels["orch.toolchain"] == name
    assert labels["orch.owner"] == owner_label()
