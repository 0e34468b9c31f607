"""How well items go with their neighbours, against loops."""

from __future__ import annotations

import numpy as np
import pytest

from tf_recdenoiser.reports.suspects import (
    fit_with_neighbours,
    suspected_users,
    unit_vectors,
    worst_neighbours,
)

RNG = np.random.default_rng(0)
UNIT = unit_vectors(RNG.normal(size=[9, 4]))


@pytest.mark.parametrize("reach", [1, 3, 20])
def test_fit_is_the_mean_cosine_with_the_items_around(reach: int) -> None:
    item_ids = RNG.integers(1, 9, size=[5, 7])
    item_ids[0, :6], item_ids[1, :3] = 0, 0
    found = fit_with_neighbours(UNIT, item_ids, reach)
    for row, codes in enumerate(item_ids):
        for place, code in enumerate(codes):
            around = [
                UNIT[code] @ UNIT[other]
                for at, other in enumerate(codes)
                if 0 < abs(at - place) <= reach and code > 0 and other > 0
            ]
            expected = np.mean(around) if around else np.nan
            np.testing.assert_allclose(found[row, place], expected, atol=1e-6)


def test_the_worst_neighbours_are_those_with_the_lowest_cosines() -> None:
    codes = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    for place in range(8):
        around = [at for at in range(8) if 0 < abs(at - place) <= 3]
        ordered = sorted(around, key=lambda at: UNIT[codes[at]] @ UNIT[codes[place]])
        assert worst_neighbours(UNIT, codes, place).tolist() == ordered[:2]


def test_users_with_probable_noise_are_preferred_and_always_the_same() -> None:
    noise = np.full([20, 4], 0.1)
    noise[[3, 7, 8, 15], 2] = 0.8
    found = suspected_users(noise, np.full(20, 9))
    assert set(found) < {3, 7, 8, 15}
    assert found.tolist() == suspected_users(noise, np.full(20, 9)).tolist()
    # Short histories only where there are no others.
    assert set(suspected_users(noise, np.where(noise.max(1) > 0.5, 2, 9))).isdisjoint({3, 7, 8, 15})
