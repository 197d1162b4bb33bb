"""A folder to run `orch` in, over boards in containers; two small releases to deploy in turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers.faults.boards import SUDO_PASSWORD, Started

ORCH = Path(sys.executable).with_name("orch")
#: Where an inventory finds the password for sudo on boards of the kind `pyramid`.
SUDO_VARIABLE = "BOARD_SUDO_PASSWORD"
FLEET = "boards"
#: Two recipes that differ in what they calibrate with, and so in their axmodels.
RECIPES = {"one": 4, "two": 5}
_WAIT_S = 240.0
_RECIPE = """\
checkpoint: {{source: "package:segformer-tiny"}}
classes:
  road: "#604878"
  lane marking: "#faf0aa"
  sidewalk: "#e46ec8"
  building: "#787068"
  vegetation: "#5c9c3c"
  sky: "#54a0dc"
  vehicle: "#183cbe"
  pedestrian: "#dc243c"
export:
  opset: 11
  input: {{name: input, shape: [1, 3, 128, 256]}}
  output: logits
preprocess: {{mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], colour: RGB}}
optimize:
  head: {{op: argmax, axis: 1, keepdims: true, output: argmax_output}}
compile:
  target_hardware: AX650
  npu_mode: NPU3
  calibration: {{generator: street-scenes, seed: 1000000, size: {calibration}}}
  timeout: 600
run: {{warmup: 1, iterations: 3, timeout: 110}}
evaluation: {{generator: street-scenes, seed: 2000000, size: 2}}
"""


@dataclass(frozen=True, slots=True)
class Report:
    """How an `orch deploy --json` ended; `boards` has the outcomes by name."""

    code: int
    said: str
    run: Mapping[str, Any]
    boards: Mapping[str, Mapping[str, Any]]

    @property
    def release_id(self) -> str:
        """Give the release that was deployed."""
        return str(self.run["summary"]["release_id"])

    def errors(self) -> dict[str, str]:
        """Give the error codes of the boards that failed."""
        failed = {name: str(one["error_code"]) for name, one in self.boards.items()}
        return {name: code for name, code in failed.items() if code}


@dataclass(frozen=True, slots=True)
class Converged:
    """How often the same command was needed; `report` is the last one, None where there is none."""

    report: Report | None
    deploys: int

    @property
    def through(self) -> bool:
        """Tell whether every board has the release in the end."""
        return self.report is not None and self.report.code == 0


@dataclass(frozen=True, slots=True)
class Yard:
    """The folder; its state is in `.orch`."""

    folder: Path

    def list_boards(
        self, boards: Sequence[Started], ways: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        """Write the inventory and the recipes; `ways` has keys of entries by the board's name."""
        ways = ways or {}
        entries = {board.name: entry(board) | dict(ways.get(board.name, {})) for board in boards}
        if not entries:  # to build with
            entries = {"sim-01": {"simulated": True}}
        fleet = {"boards": list(entries), "recipe": "one.yaml", "board_deadline_s": 120.0}
        content = {"boards": entries, "fleets": {FLEET: fleet}}
        # JSON is YAML.
        (self.folder / "inventory.yaml").write_text(json.dumps(content), encoding="utf-8")
        for name, calibration in RECIPES.items():
            text = _RECIPE.format(calibration=calibration)
            (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start `orch …` in the folder, in a process group of its own."""
        return subprocess.Popen(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {SUDO_VARIABLE: SUDO_PASSWORD, "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start_deploy(self, recipe: str = "one", *argv: str) -> subprocess.Popen[str]:
        """Begin to deploy a recipe to all boards."""
        told = ("--fleet", FLEET, "--recipe", f"{recipe}.yaml", "--json", *argv)
        return self.start("deploy", *told)

    def deploy(self, recipe: str = "one", *argv: str) -> Report:
        """Deploy a recipe to all boards and wait for the end."""
        return finish(self.start_deploy(recipe, *argv))

    def converge(self, recipe: str = "one", tries: int = 4) -> Converged:
        """Run the same command until it is through; quarantine is ended, not waited for."""
        report = None
        for deploys in range(1, tries + 1):
            report = end(self.start_deploy(recipe))
            if report is not None and report.code == 0:
                return Converged(report, deploys)
            for name in report.boards if report else ():
                self.must("fleet", "readmit", name)
        return Converged(report, tries)

    def must(self, *argv: str) -> str:
        """Run `orch …` to its end and give its stdout. Raises RuntimeError when it fails."""
        process = self.start(*argv)
        out, said = process.communicate(timeout=_WAIT_S)
        if process.returncode != 0:
            raise RuntimeError(f"orch {' '.join(argv)}: exited with {process.returncode}: {said}")
        return out


def finish(process: subprocess.Popen[str]) -> Report:
    """Wait for a deploy and read what it reports. Raises RuntimeError when it reports nothing."""
    try:
        out, said = process.communicate(timeout=_WAIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
        raise RuntimeError(f"orch did not end within {_WAIT_S:g} s: {said[-2000:]}") from None
    if not out:
        raise RuntimeError(f"orch exited with {process.returncode} and no report: {said[-2000:]}")
    report = json.loads(out)
    outcomes = {one["outcome"]["board"]: one["outcome"] for one in report["boards"]}
    return Report(process.returncode, said, report["run"], outcomes)


def end(process: subprocess.Popen[str]) -> Report | None:
    """Wait for a deploy that may have been killed before it had anything to report."""
    try:
        return finish(process)
    except RuntimeError:
        return None


def entry(board: Started) -> dict[str, object]:
    """Give a board's entry in the inventory."""
    found: dict[str, object] = {
        "host": board.host,
        "port": board.port,
        "user": board.user,
        "host_key": board.host_key,
        "identity_file": board.identity_file,
        "connect_timeout_s": 5.0,
    }
    if board.user != "root":
        found |= {"sudo": True, "sudo_password": f"env:{SUDO_VARIABLE}"}
        found["work_dir"] = "/var/lib/orch"
    return found
