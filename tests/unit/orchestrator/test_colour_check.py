from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.colour_check import (
    FEEDS,
    Colours,
    Feed,
    coded_picture,
    explain,
    feeds,
    float_feeds,
    gaps,
    idle_formats,
    judge_colours,
)
from orchestrator.domain import Json, Preprocess, Recipe
from orchestrator.images import normalise

PICTURE = coded_picture(8, 16)


def classes(inputs: NDArray[np.float32]) -> NDArray[np.int32]:
    """A model that sees colours: the brightest channel of every pixel."""
    found: NDArray[np.int32] = inputs[0].argmax(axis=0).astype(np.int32)
    return found


def grey(inputs: NDArray[np.float32]) -> NDArray[np.int32]:
    """A model that is blind to colour."""
    found: NDArray[np.int32] = (inputs[0].sum(axis=0) > 0).astype(np.int32)
    return found


@pytest.fixture
def plain(recipe: Recipe) -> Recipe:
    """Of a model whose channels are all treated alike."""
    return replace(recipe, preprocess=Preprocess((128.0,) * 3, (64.0,) * 3, "RGB"))


def found_by(wants: Feed, recipe: Recipe, noise: float = 0.0) -> Colours:
    """What is found of a compiled model that is right when it is fed like this."""
    trained = recipe.preprocess
    expected = [[classes(one) for one in some] for some in float_feeds([PICTURE], trained)]
    fed = feeds(PICTURE, trained)
    undone = {feed: undo(fed[feed], wants) for feed in FEEDS}
    answers = {
        feed: [spoil(classes(normalise(pixels, trained)), noise)] for feed, pixels in undone.items()
    }
    apart = gaps(expected, recipe)
    return judge_colours("b1", expected[0], answers, apart, recipe)


def undo(fed: NDArray[np.uint8], wants: Feed) -> NDArray[np.uint8]:
    """The picture as a model sees it that takes what it is fed for `wants`, (H, W, 3)."""
    _, height, width, bands = fed.shape
    if wants in {"layout swapped", "both swapped"}:
        fed = fed.reshape(1, bands, height, width).transpose(0, 2, 3, 1)
    seen: NDArray[np.uint8] = (
        fed[..., ::-1] if wants in {"channels swapped", "both swapped"} else fed
    )[0]
    return seen


def spoil(answer: NDArray[np.int32], share: float) -> NDArray[np.int32]:
    wrong = np.random.default_rng(0).random(answer.shape) < share
    return np.where(wrong, (answer + 1) % 3, answer).astype(np.int32)


def test_the_picture_has_every_channel_alone_and_is_like_none_of_its_own_turns() -> None:
    picture = coded_picture(128, 256).astype(int)

    for channel in range(3):
        others = [one for one in range(3) if one != channel]
        alone = (picture[..., channel] > 120) & (picture[..., others].max(axis=-1) == 0)
        assert alone.mean() > 0.03
    for turned in (picture[::-1], picture[:, ::-1], picture[::-1, ::-1], picture[..., ::-1]):
        assert (turned == picture).all(axis=-1).mean() < 0.4


@pytest.mark.parametrize("wants", FEEDS)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_how_a_model_wants_its_input_is_found(plain: Recipe, wants: Feed, noise: float) -> None:
    found = found_by(wants, plain, noise)

    assert found.best == wants
    assert found.alike[wants] >= 1 - 2 * noise


def test_a_model_that_is_right_in_no_way_cannot_be_told(plain: Recipe) -> None:
    assert found_by("as told", plain, 1.0).best is None


def test_a_model_that_is_blind_to_colour_is_not_judged_by_it(plain: Recipe) -> None:
    expected = [[grey(one) for one in some] for some in float_feeds([PICTURE], plain.preprocess)]
    answers = dict.fromkeys(FEEDS, expected[0])

    found = judge_colours("b1", expected[0], answers, gaps(expected, plain), plain)

    assert found.best is None
    assert "channels swapped" in found.blind
    text, hint = explain(found, plain, plain.preprocess)
    assert text.startswith("b1: cannot tell, the model is blind to: channels swapped")
    assert "--images" in hint


def test_what_is_fed_as_told_is_what_the_recipe_says(recipe: Recipe) -> None:
    blue_first = replace(recipe.preprocess, colour="BGR")

    assert (feeds(PICTURE, blue_first)["as told"][0] == PICTURE[..., ::-1]).all()
    assert (feeds(PICTURE, blue_first)["channels swapped"][0] == PICTURE).all()
    planes = feeds(PICTURE, recipe.preprocess)["layout swapped"]
    assert planes.tobytes() == PICTURE.transpose(2, 0, 1).tobytes()


def test_the_float_model_is_fed_as_it_was_trained(recipe: Recipe) -> None:
    trained = replace(recipe.preprocess, colour="BGR")

    assert (float_feeds([PICTURE], trained)[0][0] == normalise(PICTURE, trained)).all()


@pytest.mark.parametrize(
    ("best", "colour", "pulsar2", "said", "hint"),
    [
        ("as told", "RGB", {}, "colours and layout are as the recipe says", ""),
        ("channels swapped", "BGR", {}, "red and blue are swapped", "trained on BGR"),
        ("channels swapped", "RGB", {}, "red and blue are swapped", "is preprocess.colour"),
        ("channels swapped", "RGB", {"input_processors": []}, "red and blue", "src_format"),
        ("layout swapped", "RGB", {"input_processors": []}, "NHWC and NCHW are", "src_layout"),
        ("both swapped", "RGB", {}, "red and blue, and NHWC and NCHW, are", "boards are fed NHWC"),
    ],
)
def test_a_finding_says_its_numbers_and_which_key_to_look_at(
    plain: Recipe,
    best: Feed,
    colour: str,
    pulsar2: Mapping[str, Json],
    said: str,
    hint: str,
) -> None:
    recipe = replace(plain, compile=replace(plain.compile, pulsar2=pulsar2))
    trained = replace(plain.preprocess, colour="BGR" if colour == "BGR" else "RGB")

    text, advice = explain(Colours("b1", best, {best: 0.983}, ()), recipe, trained)

    assert said in text
    assert f"{best} 98.3%" in text
    assert hint in advice


def test_a_colour_order_that_the_toolchain_does_nothing_with_is_named() -> None:
    rows: list[Json] = [
        {"src_format": "BGR", "tensor_format": "RGB"},
        {"src_format": "RGB", "tensor_format": "RGB"},
        {"src_format": "YUV420SP", "tensor_format": "RGB"},
    ]

    (warning,) = idle_formats({"input_processors": rows})

    assert "src_format BGR and tensor_format RGB: Pulsar2 does not swap red and blue" in warning
    assert idle_formats({}) == []
