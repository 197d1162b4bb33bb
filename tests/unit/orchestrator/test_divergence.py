from __future__ import annotations

import numpy as np
import pytest

from orchestrator.divergence import compare_tensors, first_apart, in_graph_order

ONE = np.array([[1.0, -2.0, 3.0]], dtype=np.float32)
IDS = np.array([[1, 2, 3, 4]], dtype=np.int32)


def test_the_first_tensor_that_differs_in_the_graphs_order_is_named() -> None:
    expected = {"a": ONE, "b": ONE, "c": ONE, "ids": IDS}
    found = {"ids": IDS + 1, "c": -ONE, "b": ONE + np.float32(2), "a": ONE}

    differences = compare_tensors([expected], [found], ["a", "b", "c", "ids"])
    first = first_apart(differences, 0.999)

    assert first is not None
    assert str(first) == "b: 0.82503 alike, max abs error 2 (values up to 3)"
    assert [one.alike for one in differences][0::2] == [1.0, -1.0]


def test_makers_that_agree_diverge_nowhere() -> None:
    same = {"a": ONE, "ids": IDS}

    assert first_apart(compare_tensors([same], [same], ["a", "ids"]), 1.0) is None


def test_of_integers_the_equal_ones_count() -> None:
    other = np.array([[1, 2, 3, 9]], dtype=np.uint8)

    (found,) = compare_tensors([{"ids": IDS}], [{"ids": other}], ["ids"])

    assert (found.alike, found.max_abs_error, found.largest) == (0.75, 5.0, 4.0)


def test_all_images_count_together() -> None:
    (found,) = compare_tensors([{"a": ONE}] * 2, [{"a": ONE}, {"a": -ONE}], ["a"])

    assert found.alike == pytest.approx(0)
    assert found.max_abs_error == 6


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_not_alike(value: float) -> None:
    (found,) = compare_tensors([{"a": ONE}], [{"a": ONE * np.float32(value)}], ["a"])

    assert found.alike == 0
    assert first_apart([found], 0.5) is found


@pytest.mark.parametrize("other", [{}, {"a": ONE.reshape(3, 1)}])
def test_a_tensor_that_is_missing_or_of_another_shape_is_not_alike(
    other: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
) -> None:
    (found,) = compare_tensors([{"a": ONE}], [other], ["a"])

    assert (found.alike, str(found)) == (0.0, "a: of another shape")


def test_the_models_own_outputs_come_behind_its_inner_tensors() -> None:
    assert in_graph_order(["classes", "x", "y"], ["classes"]) == ["x", "y", "classes"]
