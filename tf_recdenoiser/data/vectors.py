"""Item vectors from how items occur together, by linear algebra alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import svds

from tf_recdenoiser.data.histories import Histories

VIEWS = 2
"""How many vectors an item has: one for whole histories, one for what stands near in them."""

_NEAR = 8


def item_vectors(
    histories: Histories,
    item_count: int,
    width: int = 50,
    weights: npt.NDArray[np.floating] | None = None,
) -> npt.NDArray[np.float32]:
    """Unit vectors of items, float32 `[item_count + 1, VIEWS, width]`; row 0 is padding's, zero.

    The first view is of whole histories: with X the users' items, x_ui = 1 (or a weight),

        D_u^{-1/2} X D_i^{-1/2} = U S V',   rows of V S^{1/2}, D the sums of rows and columns plus 1

    The second is of neighbours, with C_xy how often x and y stand within 8 places of each other:

        max(0, log C_xy sum(C) / (C_x C_y)) = U S V',   rows of U S^{1/2},

    positive pointwise mutual information, factorised as Levy and Goldberg (2014) do for words.
    Both keep the `width` largest singular values. An item that occurs with no other has a zero
    vector.

    Parameters
    ----------
    histories
        R rows of items; an item that a row holds twice counts twice.
    item_count
        I.
    width
        d of a view; 50 by default. Where the log has less to say, the rest is zero.
    weights
        How much each of the histories' items counts, [N]; None (default): 1 each.

    Examples
    --------
    >>> from tf_recdenoiser.data.histories import offsets_of
    >>> histories = Histories(offsets_of([3, 3]), np.array([1, 2, 3, 6, 4, 5], np.int32))
    >>> near = item_vectors(histories, item_count=6, width=2)[:, 1]
    >>> [round(float(near[1] @ near[other]), 3) for other in (2, 3, 4)]
    [1.0, 1.0, 0.0]
    """
    weights = np.ones(len(histories.items)) if weights is None else np.asarray(weights, float)
    row = np.repeat(np.arange(histories.row_count), histories.lengths)
    item = histories.items.astype(np.int64) - 1
    _, whole = _factors(_whole(row, item, weights, item_count), width)
    near, _ = _factors(_near(row, item, weights, item_count), width)
    return np.pad(np.stack([whole, near], axis=1), [(1, 0), (0, 0), (0, 0)])


def _whole(
    row: npt.NDArray[np.int64],
    item: npt.NDArray[np.int64],
    weights: npt.NDArray[np.floating],
    item_count: int,
) -> sparse.csr_matrix:
    shape = (int(row[-1]) + 1 if len(row) else 1, item_count)
    taken = sparse.csr_matrix((weights, (row, item)), shape=shape)
    by_row, by_item = (np.asarray(taken.sum(axis)).ravel() + 1 for axis in (1, 0))
    return sparse.diags(by_row**-0.5) @ taken @ sparse.diags(by_item**-0.5)


def _near(
    row: npt.NDArray[np.int64],
    item: npt.NDArray[np.int64],
    weights: npt.NDArray[np.floating],
    item_count: int,
) -> sparse.csr_matrix:
    together = sparse.csr_matrix((item_count, item_count))
    for distance in range(1, _NEAR + 1):
        same = row[distance:] == row[:-distance]
        first, second = item[:-distance][same], item[distance:][same]
        both = (weights[:-distance] * weights[distance:])[same]
        together += sparse.csr_matrix((both, (first, second)), shape=together.shape)
    together = (together + together.T).tocoo()
    sums = np.asarray(together.sum(axis=1)).ravel()
    expected = sums[together.row] * sums[together.col] / max(sums.sum(), 1e-12)
    information = np.log(np.maximum(together.data, 1e-12) / np.maximum(expected, 1e-12))
    kept = information > 0
    places = (together.row[kept], together.col[kept])
    return sparse.csr_matrix((information[kept], places), shape=together.shape)


def _factors(
    matrix: sparse.csr_matrix, width: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Rows of U S^{1/2} and V S^{1/2} at unit length, each padded to `width` columns."""
    if not matrix.count_nonzero():
        # As of users with an item each; sparse factors cannot be begun from nothing.
        of_rows, of_columns = (np.zeros((size, width), np.float32) for size in matrix.shape)
        return of_rows, of_columns
    least = min(matrix.shape)
    if width < least - 1:
        # A start of its own, so that the same log always gives the same vectors.
        start = np.random.default_rng(0).normal(size=least)
        left, size, right = svds(matrix, k=width, v0=start)
    else:
        left, size, right = np.linalg.svd(matrix.toarray(), full_matrices=False)
        left, size, right = left[:, :width], size[:width], right[:width]
    return _unit(left * np.sqrt(size), width), _unit(right.T * np.sqrt(size), width)


def _unit(vectors: npt.NDArray[np.floating], width: int) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # What is left of an item by rounding alone is no direction.
    unit = np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0.0)
    return np.pad(unit, [(0, 0), (0, width - unit.shape[1])]).astype(np.float32)
