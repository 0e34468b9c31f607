"""Item vectors at random."""

from __future__ import annotations

import numpy as np


def unit_vectors(
    rng: np.random.Generator, item_count: int, views: int = 2, width: int = 4
) -> np.ndarray:
    """`[item_count + 1, views, width]`, the first row zero."""
    vectors = rng.normal(size=[item_count + 1, views, width])
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[0] = 0
    return vectors
