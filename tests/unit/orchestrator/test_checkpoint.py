from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.checkpoint import find_checkpoint
from orchestrator.domain import Checkpoint
from orchestrator.errors import ConfigError
from orchestrator.recipes import DEMO_CHECKPOINT

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def named(source: str | Path, revision: str | None = None) -> Checkpoint:
    return Checkpoint(str(source), revision, "semantic-segmentation")


def test_a_shipped_checkpoint_is_found_by_its_name() -> None:
    found = find_checkpoint(named("package:segformer-tiny"))

    assert found.folder == DEMO_CHECKPOINT
    assert found.commit is None


def test_a_copy_has_the_same_fingerprint_and_other_weights_another(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(DEMO_CHECKPOINT, copy)
    (copy / "README.md").write_text("says nothing of the model")

    same = find_checkpoint(named(copy)).fingerprint
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")

    assert same == find_checkpoint(named("package:segformer-tiny")).fingerprint
    assert find_checkpoint(named(copy)).fingerprint != same


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that holds one model, as the hub's client lays it out."""
    import huggingface_hub.constants

    model = tmp_path / "models--someone--segformer"
    shutil.copytree(DEMO_CHECKPOINT, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize("revision", ["main", None, COMMIT])
def test_a_hub_checkpoint_tells_the_commit_that_its_revision_stands_for(
    revision: str | None,
) -> None:
    found = find_checkpoint(named("someone/segformer", revision))

    assert found.commit == COMMIT
    assert found.fingerprint == find_checkpoint(named(DEMO_CHECKPOINT)).fingerprint


@pytest.mark.usefixtures("hub_cache")
def test_a_revision_that_cannot_be_had_is_named() -> None:
    with pytest.raises(ConfigError, match=r"someone/segformer \(revision v2\)") as caught:
        find_checkpoint(named("someone/segformer", "v2"))

    assert "--checkpoint DIR" in caught.value.hint


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_names_it(tmp_path: Path, missing: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(DEMO_CHECKPOINT, copy)
    (copy / missing).unlink()

    with pytest.raises(ConfigError, match=f"has no {missing}"):
        find_checkpoint(named(copy))
