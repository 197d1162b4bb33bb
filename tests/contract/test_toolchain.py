"""One contract, kept by every toolchain: the image, the stand-in on this host, any program."""

from __future__ import annotations

import gc
import io
import json
import os
import socket
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import containers.pulsar2_sim.cli
from orchestrator.backends.docker_toolchain import DockerToolchain
from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.domain import CommandResult, Target
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.pulsar2.header import SIMULATED_COMMIT, read_header
from orchestrator.seams import Toolchain

IMAGE = "orch/pulsar2-sim:5.2"
IN_DOCKER = pytest.param("image", marks=pytest.mark.docker)
SHAPE = (1, 3, 16, 24)
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


@pytest.fixture(params=["program", IN_DOCKER])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A toolchain that runs shell scripts."""
    folder = tmp_path / "work"
    folder.mkdir()
    if request.param == "image":
        name, left = request.getfixturevalue("left_in_docker")
        return Bench(DockerToolchain(name, IMAGE), folder, "bash", left)
    program = tmp_path / "pulsar2"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return Bench(
        LocalToolchain("program", [str(program)]), folder, "pulsar2", lambda: alive(folder / "pids")
    )


def alive(pids: Path) -> list[str]:
    """Which of the processes in the file still run; zombies do not."""
    stats = [Path("/proc", pid, "stat") for pid in pids.read_text().split()]
    return [str(stat) for stat in stats if stat.exists() and ") Z " not in stat.read_text()]


@pytest.fixture(params=["stand-in", IN_DOCKER])
def pulsar2(request: pytest.FixtureRequest) -> Toolchain:
    """A toolchain that compiles."""
    if request.param == "image":
        request.getfixturevalue("docker_engine")
        return DockerToolchain("image", IMAGE)
    module = "containers.pulsar2_sim"
    sources = Path(containers.pulsar2_sim.cli.__file__).parent
    return LocalToolchain("stand-in", [sys.executable, "-m", module], sources)


def test_the_stand_in_says_who_it_is_and_that_it_is_simulated(pulsar2: Toolchain) -> None:
    identity = pulsar2.identity()
    assert (identity.version, identity.commit, identity.simulated) == (
        "5.2",
        SIMULATED_COMMIT,
        True,
    )
    assert identity.digest.startswith("sha256:")
    assert len(identity.digest) == len("sha256:") + 64
    assert pulsar2.identity() == identity


def test_another_program_is_known_by_its_file_and_not_simulated(tmp_path: Path) -> None:
    program = tmp_path / "pulsar2"
    program.write_text(PROGRAM)
    program.chmod(0o755)
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


def test_a_model_is_compiled(pulsar2: Toolchain, tmp_path: Path) -> None:
    lines: list[str] = []
    argv = write_job(tmp_path)
    result = pulsar2.run(argv, tmp_path, lines.append, 120)
    assert result.returncode == 0, result.stdout.decode()
    header = read_header(tmp_path / "output" / "compiled.axmodel")
    assert (header.target, header.simulated) == (Target("AX650", "NPU3"), True)
    assert [(one.name, one.dtype, one.shape) for one in header.inputs] == [
        ("x", "uint8", (1, 16, 24, 3))
    ]
    assert len(lines) > 3


def test_a_model_that_cannot_be_compiled_is_a_result_with_its_cause(
    pulsar2: Toolchain, tmp_path: Path
) -> None:
    argv = write_job(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    result = pulsar2.run(argv, tmp_path, lambda _: None, 120)
    assert result.returncode == 1
    assert b"DecodeError" in result.stdout
    assert not (tmp_path / "output" / "compiled.axmodel").exists()


def write_job(folder: Path) -> list[str]:
    """Write a tiny Conv with ArgMax, what calibrates it and its config; give the command line."""
    generator = np.random.default_rng(3)
    weight = generator.normal(size=(4, 3, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["logits"]),
            helper.make_node("ArgMax", ["logits"], ["classes"], axis=1, keepdims=1),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, (1, 1, 16, 24))],
        [numpy_helper.from_array(weight, "w")],
    )
    opset = [helper.make_opsetid("", 11)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=7), folder / "model.onnx")
    with tarfile.open(folder / "calibration.tar", "w") as tar:
        for number in range(2):
            buffer = io.BytesIO()
            np.save(buffer, generator.normal(size=SHAPE).astype(np.float32))
            entry = tarfile.TarInfo(f"{number}.npy")
            entry.size = len(buffer.getvalue())
            tar.addfile(entry, io.BytesIO(buffer.getvalue()))
    calibration = {
        "tensor_name": "x",
        "calibration_dataset": "calibration.tar",
        "calibration_format": "Numpy",
        "calibration_size": 2,
        "calibration_mean": [127.5, 127.5, 127.5],
        "calibration_std": [64.0, 64.0, 64.0],
    }
    layout = {"tensor_name": "x", "src_layout": "NHWC", "src_dtype": "U8"}
    colours = {"tensor_format": "RGB", "src_format": "RGB"}
    config = {"quant": {"input_configs": [calibration]}, "input_processors": [layout | colours]}
    (folder / "config.json").write_text(json.dumps(config))
    files = ["--input", "model.onnx", "--output_dir", "output", "--config", "config.json"]
    return ["pulsar2", "build", *files, "--target_hardware", "AX650", "--npu_mode", "NPU3"]
