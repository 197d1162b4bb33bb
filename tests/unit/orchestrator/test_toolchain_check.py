"""The check builds for real under one level after the other and believes only an axmodel."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pytest

from orchestrator.backends.local_toolchain import LocalToolchain
from orchestrator.domain import CommandResult, ToolchainIdentity
from orchestrator.errors import DeadlineError, ToolchainError, ToolchainMissing
from orchestrator.seams import Toolchain
from orchestrator.toolchain_check import Candidate, Trial, room_facts, try_levels

SIM = LocalToolchain("sim", [sys.executable, "-m", "containers.pulsar2_sim"])
IDENTITY = ToolchainIdentity("sim", "5.2", "fa4e0000", "sha256:0", simulated=True)


@dataclass
class Scripted:
    """A toolchain whose `run` says some lines and then does what it was told."""

    outcome: int | Exception
    lines: Sequence[str] = ()
    folders: list[Path] = field(default_factory=list)

    def identity(self) -> ToolchainIdentity:
        return IDENTITY

    def engine_id(self) -> str:
        return "scripted"

    def run(
        self, argv: Sequence[str], work_dir: Path, on_line: Callable[[str], None], deadline_s: float
    ) -> CommandResult:
        assert argv[:2] == ["pulsar2", "build"]
        assert deadline_s > 0
        self.folders.append(work_dir)
        for line in self.lines:
            on_line(line)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return CommandResult(self.outcome, b"", b"")


def attempt(scratch: Path, *toolchains: Toolchain) -> list[Trial]:
    candidates = [Candidate(f"level {n}", one) for n, one in enumerate(toolchains)]
    return try_levels(candidates, IDENTITY, scratch, lambda _level, _how: None)


def test_the_first_level_that_builds_is_the_last_that_is_tried(tmp_path: Path) -> None:
    never = Scripted(0)
    trials = attempt(tmp_path, Scripted(1, ["OSError: Read-only file system"]), SIM, never)
    assert [(one.level, one.passed) for one in trials] == [("level 0", False), ("level 1", True)]
    assert trials[0].reason == "exit code 1: OSError: Read-only file system"
    assert trials[1].licence is True
    assert never.folders == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("toolchain", "reason"),
    [
        (Scripted(0), "exit code 0, and no axmodel"),
        (Scripted(137), "exit code 137: the log is empty"),
        (Scripted(DeadlineError("it took longer than 1 s")), "it took longer than 1 s"),
        (
            Scripted(ToolchainError("the engine refused: no cgroup")),
            "the engine refused: no cgroup",
        ),
    ],
    ids=["no file", "killed", "late", "refused"],
)
def test_a_level_that_gives_no_axmodel_fails_with_its_reason(
    tmp_path: Path, toolchain: Scripted, reason: str
) -> None:
    [trial] = attempt(tmp_path, toolchain)
    assert (trial.passed, trial.reason) == (False, reason)


def test_an_axmodel_of_another_version_does_not_pass(tmp_path: Path) -> None:
    other = ToolchainIdentity("sim", "7.0", "fa4e0000", "sha256:0", simulated=True)
    candidates = [Candidate("only", SIM)]
    [trial] = try_levels(candidates, other, tmp_path, lambda _level, _how: None)
    assert trial.reason == "an axmodel for AX650/NPU1 by pulsar2 5.2 (fa4e0000)"


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["INFO | assemble model [0] [subgraph_npu_0] b1"], True),
        (["assemble model [0]", "Sentinel key not found (H0007)"], False),
        (["Building onnx"], None),
    ],
)
def test_the_licence_is_judged_by_the_step_that_needs_it(
    tmp_path: Path, lines: list[str], *, licence: bool | None
) -> None:
    [trial] = attempt(tmp_path, Scripted(1, lines))
    assert trial.licence is licence


def test_a_toolchain_that_is_not_there_ends_the_check(tmp_path: Path) -> None:
    with pytest.raises(ToolchainMissing, match="no engine"):
        attempt(tmp_path, Scripted(ToolchainMissing("no engine")), SIM)


def test_the_job_is_laid_out_as_a_recipes_and_its_calibration_fits_its_model(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept"

    @dataclass
    class Keeps(Scripted):
        def run(
            self,
            argv: Sequence[str],
            work_dir: Path,
            on_line: Callable[[str], None],
            deadline_s: float,
        ) -> CommandResult:
            shutil.copytree(work_dir, kept)
            return super().run(argv, work_dir, on_line, deadline_s)

    attempt(tmp_path / "scratch", Keeps(1))
    assert sorted(path.name for path in kept.iterdir()) == ["input", "output"]
    model = onnx.load(kept / "input" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    [tensor] = model.graph.input
    shape = tuple(size.dim_value for size in tensor.type.tensor_type.shape.dim)
    config = json.loads((kept / "input" / "config.json").read_text())
    [calibration] = config["quant"]["input_configs"]
    assert calibration["tensor_name"] == tensor.name
    with tarfile.open(kept / calibration["calibration_dataset"]) as tar:
        tar.extractall(tmp_path / "samples", filter="data")
    samples = [np.load(path) for path in (tmp_path / "samples").iterdir()]
    assert [(one.shape, one.dtype) for one in samples] == [(shape, np.float32)] * 4


def test_room_is_judged_where_it_can_be_seen(tmp_path: Path) -> None:
    facts = {fact.name: fact for fact in room_facts(tmp_path / "not" / "yet", None, 8 * 10**9)}
    assert set(facts) == {"free disk, work", "memory"}
    assert (facts["memory"].value, facts["memory"].fits) == ("8.0 GB, wanted 16", False)
