"""Item vectors against dense matrices made by loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import Histories, item_vectors
from tf_recdenoiser.data.histories import offsets_of

ITEMS = 12


def histories_of(rows: list[list[int]]) -> Histories:
    items = np.array([item for row in rows for item in row], np.int32)
    return Histories(offsets_of([len(row) for row in rows]), items)


def cosines(matrix: np.ndarray, width: int, right: bool) -> np.ndarray:
    """Of the rows of U S^1/2, or of V S^1/2."""
    left, size, transposed = np.linalg.svd(matrix)
    count = min(width, len(size))
    side = transposed.T if right else left
    vectors = side[:, :count] * np.sqrt(size[:count])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0)
    return vectors @ vectors.T


def whole(rows: list[list[tuple[int, float]]]) -> np.ndarray:
    taken = np.zeros([len(rows), ITEMS])
    for user, row in enumerate(rows):
        for item, weight in row:
            taken[user, item - 1] += weight
    by_row, by_item = taken.sum(1) + 1, taken.sum(0) + 1
    return taken / np.sqrt(by_row[:, None] * by_item)


def near(rows: list[list[tuple[int, float]]]) -> np.ndarray:
    together = np.zeros([ITEMS, ITEMS])
    for row in rows:
        for i, (first, weight) in enumerate(row):
            for j, (second, other) in enumerate(row):
                if i != j and abs(i - j) <= 8:
                    together[first - 1, second - 1] += weight * other
    sums = together.sum(0)
    information = np.zeros_like(together)
    some = together > 0
    information[some] = np.log(together[some] * together.sum() / np.outer(sums, sums)[some])
    return np.maximum(information, 0)


@given(seed=st.integers(0, 1000), width=st.integers(1, ITEMS))
@settings(max_examples=40, deadline=None)
def test_cosines_are_those_of_the_dense_matrices(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(1, ITEMS + 1, rng.integers(0, 14)).tolist() for _ in range(15)]
    histories = histories_of(rows)
    weights = rng.random(len(histories.items))
    cut = iter(weights.tolist())
    weighted = [[(item, next(cut)) for item in row] for row in rows]
    found = item_vectors(histories, ITEMS, width, weights)
    assert found.shape == (ITEMS + 1, 2, width) and not found[0].any()
    for view, (matrix, right) in enumerate([(whole(weighted), True), (near(weighted), False)]):
        # Singular values that are equal have no vectors of their own: leave such cuts out.
        size = np.linalg.svd(matrix, compute_uv=False)
        if width < len(size) and size[width - 1] - size[width] < 1e-3:
            continue
        vectors = found[1:, view]
        np.testing.assert_allclose(vectors @ vectors.T, cosines(matrix, width, right), atol=1e-3)


def test_the_same_log_gives_the_same_vectors() -> None:
    rng = np.random.default_rng(3)
    histories = histories_of([rng.integers(1, 40, 20).tolist() for _ in range(30)])
    np.testing.assert_array_equal(item_vectors(histories, 40, 8), item_vectors(histories, 40, 8))


def test_an_item_without_weight_has_no_say() -> None:
    rows = [[1, 2, 3], [2, 3, 4], [1, 4, 2], [3, 1, 4]]
    without = item_vectors(histories_of(rows), 5, 3)
    histories = histories_of([[*row, 5] for row in rows])
    weights = (histories.items != 5).astype(float)
    found = item_vectors(histories, 5, 3, weights)
    assert not found[5].any()
    cosines_of = [np.einsum("ivd,jvd->vij", vectors, vectors) for vectors in (found, without)]
    np.testing.assert_allclose(*cosines_of, atol=1e-4)


@pytest.mark.parametrize("rows", [[[]], [[1]], [[1], [2], [3]]])
def test_items_that_nothing_stands_beside_have_no_neighbours_vector(rows: list[list[int]]) -> None:
    assert not item_vectors(histories_of(rows), 3, 2)[:, 1].any()


def test_items_that_never_meet_have_no_neighbours() -> None:
    vectors = item_vectors(histories_of([[item] for item in range(1, ITEMS + 1)]), ITEMS, width=2)
    assert np.isfinite(vectors).all() and not vectors[:, 1].any()
