"""Each mistake a user can make: one line that names the thing, a hint, the right exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ORCH = Path(sys.executable).with_name("orch")
RECIPES = Path(__file__).parents[2] / "orchestrator" / "recipes"
INVENTORY = """\
toolchains:
  nowhere: {kind: docker, image: "no-such-image:1.0"}
  absent: {kind: local, command: [no-such-pulsar2]}
boards:
  sim-01: {simulated: true}
  dark-01: {host: 127.0.0.1, port: 9, connect_timeout_s: 2}
fleets:
  sim: {boards: [sim-01], recipe: segformer-tiny, toolchain: sim}
  dark: {boards: [dark-01], recipe: segformer-tiny, toolchain: sim}
"""


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that starts with `error:`; more than one, or none, is a failure."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error:")]
        return line

    @property
    def hint(self) -> str:
        (line,) = [line for line in self.err.splitlines() if line.startswith("hint:")]
        return line


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with an inventory, where orch is called."""

    folder: Path

    def orch(self, *argv: str, **environment: str) -> Said:
        done = subprocess.run(
            [str(ORCH), *argv],
            cwd=self.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def left_behind(self) -> list[str]:
        """Scratch, artifacts and reports that a command which did nothing has no reason to make."""
        home = self.folder / ".orch"
        found = [path for part in ("work", "cas", "reports") for path in (home / part).rglob("*")]
        return [str(path) for path in found if path.is_file() and path.suffix != ".lock"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return Desk(tmp_path)


def edit_inventory(desk: Desk, before: str, after: str) -> None:
    path = desk.folder / "inventory.yaml"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def test_a_missing_checkpoint_folder_is_named(desk: Desk) -> None:
    said = desk.orch("deploy", "--fleet", "sim", "--checkpoint", "no/such/folder")

    assert said.code == 2
    assert "no/such/folder" in said.error
    assert "--checkpoint" in said.hint
    assert desk.left_behind() == []


def test_a_checkpoint_folder_without_weights_is_named(desk: Desk) -> None:
    (desk.folder / "empty").mkdir()
    (desk.folder / "empty" / "config.json").write_text("{}")

    said = desk.orch("build", "--checkpoint", "empty")

    assert said.code == 2
    assert "empty: has no model.safetensors" in said.error


def test_a_hub_checkpoint_with_no_network_points_at_a_local_copy(desk: Desk) -> None:
    recipe = "segformer-b0-cityscapes-640x1280"
    (desk.folder / "hf").mkdir()

    said = desk.orch("build", "--recipe", recipe, HF_HOME=str(desk.folder / "hf"))

    assert said.code == 2
    assert "nvidia/segformer-b0-finetuned-cityscapes-640-1280" in said.error
    assert "--checkpoint DIR" in said.hint


def test_a_missing_calibration_folder_is_named(desk: Desk) -> None:
    said = desk.orch("deploy", "--fleet", "sim", "--calibration", "nowhere")

    assert said.code == 2
    assert "calibration folder nowhere cannot be read: No such file or directory" in said.error
    assert "--calibration DIR" in said.hint
    assert desk.left_behind() == []


def test_an_empty_calibration_folder_is_named(desk: Desk) -> None:
    (desk.folder / "pictures").mkdir()
    (desk.folder / "pictures" / "notes.txt").write_text("no picture")

    said = desk.orch("deploy", "--fleet", "sim", "--calibration", "pictures")

    assert said.code == 2
    assert "calibration folder pictures has no images" in said.error
    assert desk.left_behind() == []


def test_a_broken_calibration_image_is_named_and_nothing_stays(desk: Desk) -> None:
    (desk.folder / "pictures").mkdir()
    (desk.folder / "pictures" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n, and then nothing")

    said = desk.orch("build", "--images", "pictures")

    assert said.code == 2
    assert "torn.png cannot be read" in said.error
    assert desk.left_behind() == []


def test_an_unknown_recipe_key_is_named_with_its_line_and_the_nearest_key(desk: Desk) -> None:
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    (desk.folder / "mine.yaml").write_text(text.replace("  warmup: 10", "  warm_up: 10"))
    line = text.splitlines().index("  warmup: 10") + 1

    said = desk.orch("deploy", "--fleet", "sim", "--recipe", "mine.yaml")

    assert said.code == 2
    assert f"mine.yaml:{line}: run.warm_up: unknown key" in said.error
    assert "did you mean 'warmup'?" in said.hint


def test_an_unknown_recipe_lists_the_shipped_ones(desk: Desk) -> None:
    said = desk.orch("deploy", "--fleet", "sim", "--recipe", "segformer-huge")

    assert said.code == 2
    assert "segformer-huge" in said.error
    assert "segformer-tiny" in said.hint


def test_an_unknown_fleet_lists_the_known_ones(desk: Desk) -> None:
    said = desk.orch("deploy", "--fleet", "lob")

    assert said.code == 2
    assert "inventory.yaml: no fleet named 'lob'" in said.error
    assert "dark, sim" in said.hint


def test_a_duplicate_board_is_named_with_both_lines(desk: Desk) -> None:
    edit_inventory(desk, "fleets:", "  sim-01: {simulated: true}\nfleets:")

    said = desk.orch("fleet", "list")

    assert said.code == 2
    assert "inventory.yaml:7: boards.sim-01: named twice, first on line 5" in said.error


def test_two_boards_with_one_address_are_one_board(desk: Desk) -> None:
    edit_inventory(desk, "fleets:", "  twin: {host: 127.0.0.1, port: 9}\nfleets:")

    said = desk.orch("fleet", "list")

    assert said.code == 2
    assert (
        "inventory.yaml:7: boards.twin.host: 127.0.0.1:9 is already board 'dark-01'" in said.error
    )


def test_no_inventory_says_where_it_was_looked_for(tmp_path: Path) -> None:
    said = Desk(tmp_path).orch("fleet", "list")

    assert said.code == 2
    assert "inventory.yaml: no such inventory" in said.error
    assert "--inventory" in said.hint


def test_a_target_that_pulsar2_has_not_is_refused(desk: Desk) -> None:
    text = (RECIPES / "segformer-tiny.yaml").read_text()
    (desk.folder / "mine.yaml").write_text(text.replace("npu_mode: NPU3", "npu_mode: NPU4"))

    said = desk.orch("build", "--recipe", "mine.yaml")

    assert said.code == 2
    assert "AX650 has no NPU4" in said.error
    assert "NPU1, NPU2, NPU3" in said.hint


def test_a_missing_toolchain_program_is_named(desk: Desk) -> None:
    said = desk.orch("build", "--toolchain", "absent")

    assert said.code == 2
    assert "toolchain 'absent': no-such-pulsar2 cannot be started" in said.error
    assert desk.left_behind() == []


def test_no_docker_engine_is_said_as_such(desk: Desk) -> None:
    said = desk.orch("build", "--toolchain", "nowhere", DOCKER_HOST="unix:///no/such/docker.sock")

    assert said.code == 2
    assert "toolchain 'nowhere': no Docker engine answers" in said.error
    assert "DOCKER_HOST" in said.hint
    assert desk.left_behind() == []


@pytest.mark.docker
@pytest.mark.usefixtures("docker_engine")
def test_a_missing_toolchain_image_is_named(desk: Desk) -> None:
    said = desk.orch("build", "--toolchain", "nowhere")

    assert said.code == 2
    assert "the engine has no image no-such-image:1.0" in said.error
    assert "orch toolchain load" in said.hint
    assert desk.left_behind() == []


def test_a_usage_error_ends_with_2(desk: Desk) -> None:
    assert desk.orch("deploy").code == 2
    assert desk.orch("deploy", "--fleet", "sim", "--no-such-option").code == 2
    assert desk.orch("report", "no-such-run").code == 2


def test_a_file_that_is_no_model_is_named_by_inspect(desk: Desk) -> None:
    (desk.folder / "readme.txt").write_text("just text\n" * 100)

    said = desk.orch("inspect", "readme.txt")

    assert said.code == 1
    assert "readme.txt: not an axmodel" in said.error
    assert desk.orch("inspect", "nothing.axmodel").code == 2
