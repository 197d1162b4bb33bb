from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain import Json
from orchestrator.errors import ConfigError
from orchestrator.recipe import load_recipe
from orchestrator.recipe_draft import Wish, class_names, draft

PROCESSOR: dict[str, Json] = {"do_resize": True, "size": {"height": 32, "width": 64}}


def config_of(architecture: str, *names: str) -> dict[str, Json]:
    labels: dict[str, Json] = {str(number): name for number, name in enumerate(names)}
    return {"architectures": [architecture], "model_type": "some", "id2label": labels}


@pytest.mark.parametrize(
    ("architecture", "task", "head"),
    [
        ("XForSemanticSegmentation", "semantic-segmentation", "argmax"),
        ("XForImageClassification", "image-classification", "none"),
        ("XForDepthEstimation", "depth-estimation", "none"),
        ("XModel", "image-feature-extraction", "none"),
    ],
)
def test_a_draft_is_a_recipe(tmp_path: Path, architecture: str, task: str, head: str) -> None:
    config = config_of(architecture, "yes: no", 'a "b"')
    path = tmp_path / "mine.yaml"

    path.write_text(draft(Wish("mine", "an/id", "abc"), config, PROCESSOR).text)

    recipe = load_recipe(str(path))
    assert (recipe.checkpoint.task, recipe.head.op) == (task, head)
    assert (recipe.checkpoint.source, recipe.checkpoint.revision) == ("an/id", "abc")
    assert recipe.export.shape == (1, 3, 32, 64)
    if task in {"semantic-segmentation", "image-classification"}:
        assert recipe.classes == ("yes: no", 'a "b"')


def test_classes_of_one_name_are_told_apart_by_their_ids() -> None:
    assert class_names(config_of("X", "crane", "dog", "crane")) == ["crane (0)", "dog", "crane (2)"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (config_of("XForMaskedImageModeling"), "tells no task"),
        (config_of("XForSemanticSegmentation", "road"), "names 1 classes"),
        ({**config_of("XForImageClassification"), "id2label": {"7": "x"}}, "are not 0 to 0"),
    ],
)
def test_what_the_files_do_not_say_is_refused(config: dict[str, Json], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        draft(Wish("mine", "an/id"), config, PROCESSOR)
    assert caught.value.hint
