from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from board_agent.request import ID
from orchestrator.backends.fsspec_blobs import FsspecBlobs
from orchestrator.domain import ActionRecord, Artifact, Json, Recipe
from orchestrator.release import keep_inputs, make_release

AXMODEL, SIDECAR = Artifact("a" * 64, 10, "compiled.axmodel"), Artifact("b" * 64, 20, "model.json")


def compiled(axmodel: Artifact = AXMODEL) -> ActionRecord:
    facts: dict[str, Json] = {
        "hardware": "AX650",
        "npu_mode": "NPU3",
        "pulsar2_version": "5.2",
        "simulated": True,
    }
    outputs = {"axmodel": axmodel, "sidecar": SIDECAR, "log": Artifact("c" * 64, 1, "compile.log")}
    return ActionRecord("k", "compile", "small", "r", {}, outputs, facts, 1, "t")


def test_a_release_is_the_model_and_its_sidecar(recipe: Recipe) -> None:
    release = make_release(recipe, compiled(), ())

    assert release.files == {"model.axmodel": AXMODEL, "model.json": SIDECAR}
    assert (str(release.target), release.pulsar2_version, release.simulated) == (
        "AX650/NPU3",
        "5.2",
        True,
    )


def test_the_id_follows_from_the_files_and_boards_take_it(recipe: Recipe) -> None:
    release = make_release(recipe, compiled(), ())
    other = make_release(recipe, compiled(replace(AXMODEL, sha256="d" * 64)), ())

    assert make_release(recipe, compiled(), (SIDECAR,)).release_id == release.release_id
    assert other.release_id != release.release_id
    assert ID.fullmatch(release.release_id)
    assert ID.fullmatch(make_release(replace(recipe, name="n" * 64), compiled(), ()).release_id)


def test_inputs_are_the_raw_bytes_in_order(recipe: Recipe, tmp_path: Path) -> None:
    blobs = FsspecBlobs(str(tmp_path / "cas"))

    kept = keep_inputs(recipe, blobs)

    assert [item.name for item in kept] == ["street-scenes-0.bin", "street-scenes-1.bin"]
    assert {item.size_bytes for item in kept} == {8 * 16 * 3}
    assert all(blobs.has(item.sha256) for item in kept)
    assert keep_inputs(recipe, blobs) == kept
