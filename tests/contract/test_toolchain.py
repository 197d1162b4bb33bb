"""One contract, kept by every toolchain, whatever it is asked to run."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.backends.package_toolchain import PackageTree
from orchestrator.domain import DOCUMENTED, LEVELS, CommandResult
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.seams import Toolchain

IMAGE = "orch/pulsar2-sim:5.2"
IN_DOCKER = (
    pytest.param("image", marks=pytest.mark.docker),
    pytest.param("sealed image", marks=pytest.mark.docker),
)
#: A `pulsar2` that tells its version, and else does with the shell what a test wants done.
PROGRAM = """\
#!/bin/sh
case $1 in
version) printf 'version: 9.9\\ncommit: 0123abcd\\n' ;;
*) exec sh "$@" ;;
esac
"""
#: Leaves a child behind, says so, and goes on for longer than a test may take.
ENDLESS = "sleep 600 & echo $$ $! > pids; echo begun; wait"


@dataclass(frozen=True, slots=True)
class Bench:
    """A toolchain with the folder it works in."""

    toolchain: Toolchain
    folder: Path
    word: str
    left: Callable[[], list[str]]

    def shell(
        self,
        *script: str,
        deadline_s: float = 60,
        on_line: Callable[[str], object] = lambda _: None,
    ) -> CommandResult:
        def hand_over(line: str) -> None:
            on_line(line)

        return self.toolchain.run((self.word, "-c", *script), self.folder, hand_over, deadline_s)


@pytest.fixture
def left_in_docker(request: pytest.FixtureRequest) -> tuple[str, Callable[[], list[str]]]:
    """A name for a toolchain, and what gives its containers, running or not."""
    docker: Callable[..., str] = request.getfixturevalue("docker_engine")
    name = f"contract-{os.urandom(4).hex()}"
    label = f"label=orch.toolchain={name}"
    return name, lambda: docker("ps", "--all", "--quiet", "--filter", label).split()


@pytest.fixture(params=["program", "package", *IN_DOCKER])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A toolchain that runs shell scripts."""
    folder = tmp_path / "work"
    folder.mkdir()
    if request.param in {"image", "sealed image"}:
        name, left = request.getfixturevalue("left_in_docker")
        level = LEVELS[0] if request.param == "sealed image" else DOCUMENTED
        return Bench(DockerToolchain(name, IMAGE, lambda _: level), folder, "bash", left)
    program = write_program(tmp_path / "tree" / "bin" / "pulsar2")
    toolchain: Toolchain = LocalToolchain("program", [str(program)])
    if request.param == "package":
        toolchain = PackageTree("package", tmp_path / "tree")
    return Bench(toolchain, folder, "pulsar2", lambda: alive(folder / "pids"))


def write_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return path


def alive(pids: Path) -> list[str]:
    """Which of the processes in the file still run; one that is killed is given time to go."""
    stats = [Path("/proc", pid, "stat") for pid in pids.read_text().split()]
    end = time.monotonic() + 10
    while running := [str(stat) for stat in stats if stat.exists() and not is_zombie(stat)]:
        if time.monotonic() > end:
            break
        time.sleep(0.01)
    return running


def is_zombie(stat: Path) -> bool:
    try:
        return ") Z " in stat.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_another_program_is_known_by_its_file_and_not_simulated(tmp_path: Path) -> None:
    program = write_program(tmp_path / "pulsar2")
    before = LocalToolchain("mine", [str(program)]).identity()
    program.write_text(PROGRAM + "# changed\n")
    after = LocalToolchain("mine", [str(program)]).identity()
    assert (before.name, before.version, before.commit) == ("mine", "9.9", "0123abcd")
    assert not before.simulated
    assert before.digest != after.digest


def test_a_program_that_is_no_pulsar2_is_told_apart() -> None:
    with pytest.raises(ToolchainError, match="toolchain 'odd': `pulsar2 version` ended with 1"):
        LocalToolchain("odd", ["/bin/false"]).identity()


def test_lines_are_handed_over_while_the_program_runs(bench: Bench) -> None:
    lines = []

    def answer(line: str) -> None:
        lines.append(line)
        (bench.folder / "go").touch()

    script = "echo ready; until test -e go; do sleep 0.05; done; echo grüße >&2; printf end"
    result = bench.shell(script, on_line=answer, deadline_s=20)
    assert result.returncode == 0
    assert lines == ["ready", "grüße", "end"]
    assert result.stdout.decode() == "ready\ngrüße\nend"
    assert result.stderr == b""


def test_a_return_code_other_than_0_is_a_result(bench: Bench) -> None:
    result = bench.shell("echo cause; exit 7")
    assert (result.returncode, result.stdout) == (7, b"cause\n")


def test_arguments_arrive_as_they_are(bench: Bench) -> None:
    awkward = ["", "two words", "it's", '"', "a\nb", "$HOME", "*", "\\", "-n"]
    result = bench.shell('printf "%s\\0" "$@"', "sh", *awkward)
    assert result.stdout.decode().split("\0")[:-1] == awkward


def test_files_of_the_work_folder_are_seen_on_both_sides(bench: Bench) -> None:
    (bench.folder / "input").write_text("given")
    result = bench.shell("mkdir made && cat input > made/output")
    made = bench.folder / "made" / "output"
    assert result.returncode == 0
    assert made.read_text() == "given"
    assert made.stat().st_uid == os.getuid()


def test_nothing_is_left_when_a_program_has_ended(bench: Bench) -> None:
    bench.shell("echo $$ > pids")
    assert bench.left() == []


def test_a_program_past_its_deadline_is_gone_with_its_children(bench: Bench) -> None:
    with pytest.raises(DeadlineError, match=rf"{bench.word} -c took longer than 1\.5 s"):
        bench.shell(ENDLESS, deadline_s=1.5)
    assert (bench.folder / "pids").exists()
    assert bench.left() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_caller_who_breaks_off_leaves_nothing_running(
    bench: Bench, error: type[BaseException]
) -> None:
    def break_off(_: str) -> None:
        raise error

    with pytest.raises(error):
        bench.shell(ENDLESS, on_line=break_off)
    assert bench.left() == []


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    toolchain = LocalToolchain("absent", ["no-such-pulsar2"])
    with pytest.raises(ToolchainMissing, match="'absent': no-such-pulsar2 cannot be started"):
        toolchain.identity()
    with pytest.raises(ToolchainMissing, match="No such file"):
        toolchain.run(["pulsar2", "build"], tmp_path, lambda _: None, 10)


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_an_image_that_is_missing_is_named(tmp_path: Path) -> None:
    toolchain = DockerToolchain("absent", "no-such-image:1.0")
    with pytest.raises(ToolchainMissing, match=r"'absent': .* no image no-such-image:1\.0"):
        toolchain.identity()
    with pytest.raises(ToolchainMissing):
        toolchain.run(["pulsar2", "build"], tmp_path, lambda _: None, 10)


# The Docker SDK leaves a socket that could not connect to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.parametrize("listening", [True, False], ids=["dead socket", "no socket"])
def test_an_engine_that_does_not_answer_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, listening: bool
) -> None:
    if listening:
        with socket.socket(socket.AF_UNIX) as once:
            once.bind(str(tmp_path / "docker.sock"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    toolchain = DockerToolchain("lonely", IMAGE)
    with pytest.raises(ToolchainMissing, match="'lonely': no Docker engine answers") as caught:
        toolchain.identity()
    assert "DOCKER_HOST" in caught.value.hint
    with pytest.raises(ToolchainMissing):
        toolchain.run(["pulsar2", "build"], tmp_path, lambda _: None, 10)
    del caught
    gc.collect()
