"""The stand-in for ax_run_model runs a simulated axmodel, and is understood as the real one is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from containers.board_sim.profiles import PROFILES, identity_of, with_faults
from containers.board_sim.replaying import Script
from containers.board_sim.root import make_root
from orchestrator.shell.ax_run_model import failure_code, parse_run

GENERATIONS = (
    "m4n-ubuntu22",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("m4n-debian12", "old")),
)


@pytest.fixture(scope="module", params=GENERATIONS)
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("board")
    old = request.param == "old"
    profile = PROFILES["m4n-debian12" if old else str(request.param)]
    make_root(root, with_faults(profile, {"old-sdk"} if old else set()), identity_of("sim-01"))
    return root


def run(root: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "opt/bin/ax_run_model", *words],
        env={"ORCH_SYSROOT": str(root), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_generation_of_its_output_is_understood(
    board: Path, write_axmodel: Callable[..., Path]
) -> None:
    model = write_axmodel(npu_mode=0, version="1.2")

    result = run(board, "-m", model, "-w", "2", "-r", "20", "-a", "6")

    assert result.returncode == 0, result.stderr
    found = parse_run(result.stdout)
    assert found is not None
    assert 0 < found.min_ms <= found.mean_ms <= found.max_ms
    assert (found.repeat, found.cores, found.vnpu) == (20, 1, "Disable")
    assert found.pulsar2_version == "1.2 fa4e0000"
    assert found.affinity == "0b110"
    assert found.tool_version == "0.0.0 (simulated by orch)"
    percentiles = [] if found.median_ms is None else [5, 90, 95, 99]
    assert sorted(found.percentiles_ms) == percentiles


@pytest.mark.slow
def test_lists_of_folders_take_raw_tensors_there_and_back(
    board: Path, write_axmodel: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_axmodel(npu_mode=0, version="1.2")
    given = np.arange(6, dtype=np.uint8)
    for name in ("0", "1"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "x.bin").write_bytes(given.tobytes())
    (tmp_path / "list.txt").write_text("0\n1\n")
    folders = ("-i", f"{tmp_path}/in/", "-o", f"{tmp_path}/out/", "-l", f"{tmp_path}/list.txt")
    flags = ("--inputs-is-folder", "--outputs-is-folder", "--use-tensor-name")

    result = run(board, "-m", model, *folders, *flags)

    assert result.returncode == 0, result.stderr
    assert parse_run(result.stdout) is not None
    for name in ("0", "1"):
        out = tmp_path / "out" / name
        assert (out / "a.bin").read_bytes() == given.tobytes()
        assert np.frombuffer((out / "c.bin").read_bytes(), np.int32).tolist() == [2, 2]


@pytest.mark.slow
def test_a_model_that_is_none_is_refused_as_the_engine_does(board: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"nothing")

    result = run(board, "-m", tmp_path / "model")

    assert result.returncode != 0
    assert failure_code(result.stderr) == "MODEL_REJECTED"


def test_a_mask_of_cores_that_are_not_there_is_refused(board: Path, tmp_path: Path) -> None:
    result = run(board, "-m", tmp_path / "model", "-a", "8")

    assert result.returncode == 255
    assert failure_code(result.stderr) == "VNPU_CONFLICT"


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "returncode"), [("rc 7", 7), ("silent", 0)])
def test_it_can_be_made_to_fail(
    board: Path, write_axmodel: Callable[..., Path], fault: str, returncode: int
) -> None:
    place = board / "etc/orch-ax-run-model-fault"
    place.write_text(fault)

    result = run(board, "-m", write_axmodel(npu_mode=0, version="1.2"))

    place.unlink()
    assert result.returncode == returncode
    assert parse_run(result.stdout) is None


@pytest.mark.slow
def test_its_help_has_the_options_that_the_agent_looks_for(board: Path) -> None:
    said = run(board, "--help").stdout

    assert re.search(r"^ +--use-tensor-name ", said, re.MULTILINE)


@pytest.mark.slow
def test_on_a_scripted_board_the_tool_tells_the_times_of_the_trace(
    tmp_path: Path, write_axmodel: Callable[..., Path]
) -> None:
    root = tmp_path / "board"
    make_root(root, PROFILES["m4n-ubuntu22"], identity_of("sim-01"), Script("clean", 3))

    result = run(root, "-m", write_axmodel(), "-w", "2", "-r", "20")

    assert result.returncode == 0, result.stderr
    found = parse_run(result.stdout)
    assert found is not None
    assert found.median_ms == pytest.approx(0.92 * 20, rel=0.01)  # the NPU's share of 20 ms
