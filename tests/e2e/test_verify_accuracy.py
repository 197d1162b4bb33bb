"""Accuracy on boards as a user asks for it: masks, gates, and a board whose disk has rotted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from orchestrator.recipe import SHIPPED
from orchestrator.recipes.street_scenes import HELD_OUT_SEED, draw_scene
from tests.e2e.desk import Desk

pytestmark = pytest.mark.slow

#: Simulated boards have two SDKs in turn: three with the one, of which one may be outvoted.
INVENTORY = """\
boards:
  sim-[1-5]: {simulated: true}
fleets:
  sim: {boards: ["sim-*"], recipe: segformer-tiny, toolchain: sim}
"""
IMAGES = 12
#: Bytes of an image as a board is fed it.
INPUT = 128 * 256 * 3


@dataclass(frozen=True, slots=True)
class Place(Desk):
    def verify(self, *argv: str, code: int = 0) -> dict[str, Any]:
        returned, out, err = self.orch("verify-accuracy", "--fleet", "sim", "--json", *argv)
        assert returned == code, err
        report: dict[str, Any] = json.loads(out)
        return report

    def blobs(self, board: str) -> Path:
        return self.folder / ".orch" / "sim" / "boards" / board / "root" / ".orch" / "blobs"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where the release is on the boards, with labelled images in a folder."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "inventory.yaml").write_text(INVENTORY)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(IMAGES):
        scene = draw_scene(HELD_OUT_SEED + number, 256, 512)
        Image.fromarray(scene.image).save(folder / "images" / f"street-{number:02d}.png")
        mask = scene.labels.copy()
        mask[-8:] = 255  # the bonnet of the car, say
        Image.fromarray(mask).save(folder / "masks" / f"street-{number:02d}.png")
    made = Place(folder)
    code, _, err = made.orch("deploy", "--fleet", "sim", "--no-measure")
    assert code == 0, err
    return made


def figures(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [board["outcome"] for board in report["boards"]]


def uploaded(report: dict[str, Any]) -> list[int]:
    return [outcome["delivery"]["uploaded_bytes"] for outcome in figures(report)]


def test_a_labelled_folder_is_shipped_once_and_judged_in_three_columns(place: Place) -> None:
    argv = ("--images", "images", "--masks", "masks", "--check-images", str(IMAGES))

    first, second = place.verify(*argv), place.verify(*argv)

    assert all(size > 0 for size in uploaded(first))
    assert uploaded(second) == [0] * 5
    kept = first["run"]["summary"]["accuracy"]
    assert kept["images"][0] == "street-00"
    assert kept["float"]["accuracy"]["images"] == IMAGES
    assert kept["pulsar2_run"]["accuracy"]["images"] == IMAGES
    for outcome in figures(first):
        accuracy = outcome["accuracy"]
        low, high = accuracy["miou_interval"]
        assert 0.6 < low < accuracy["miou"] < high < 1
        assert set(accuracy["per_class"]) >= {"road", "sky", "building"}
        assert abs(accuracy["figures"]["miou_loss"]) < 0.02
        assert outcome["measurement"] is None
    assert len({outcome["output_sha256"] for outcome in figures(first)}) == 1
    # The stand-in and the simulated boards run the same kernels: they agree to the bit.
    assert kept["pulsar2_run"]["output_sha256"] == figures(first)[0]["output_sha256"]

    code, out, _ = place.orch("report", first["run"]["run_id"])
    assert code == 0
    assert "5 boards (simulated)" in out
    assert "IoU of each class against the masks" in out
    assert "5 of 5 boards judged on 12 images, with the same answers to the bit." in out


def test_a_missing_mask_ends_it_before_anything_is_built(place: Place) -> None:
    (place.folder / "fewer").mkdir(exist_ok=True)

    code, out, err = place.orch(
        "verify-accuracy", "--fleet", "sim", "--images", "images", "--masks", "fewer"
    )

    assert (code, out) == (2, "")
    assert "image street-00.png has no mask: " in err
    assert "export" not in err


def test_a_gate_that_fails_names_its_interval(place: Place) -> None:
    text = (SHIPPED / "segformer-tiny.yaml").read_text()
    strict = text.replace("min_agreement: 0.95", "min_mask_miou: 0.999")
    assert strict != text
    (place.folder / "segformer-tiny.yaml").write_text(strict)

    report = place.verify("--recipe", "segformer-tiny.yaml", code=3)

    gates = report["run"]["summary"]["failed_gates"]
    assert len(gates) == 5
    assert "sim-1: mIoU against the masks 0." in gates[0]
    assert "95 % interval" in gates[0]


def test_a_board_that_answers_otherwise_is_named(place: Place) -> None:
    images = [path for path in place.blobs("sim-3").iterdir() if path.stat().st_size == INPUT]
    whole = {path: path.read_bytes() for path in images}
    for path, content in whole.items():  # the disk has rotted; names and sizes are as they were
        path.chmod(0o644)
        path.write_bytes((255 - np.frombuffer(content, np.uint8)).tobytes())
    try:
        code, out, err = place.orch("verify-accuracy", "--fleet", "sim")
    finally:
        for path, content in whole.items():
            path.write_bytes(content)

    assert images
    assert code == 3, err
    assert "answers of its own: sim-3" in out
    (gate,) = (line for line in out.splitlines() if "sim-3 gives " in line)
    assert gate.startswith("gate ")
    assert "not what 2 of 3 boards with release segformer-tiny-" in gate
