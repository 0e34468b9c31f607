"""Detection metrics against their definitions, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tf_recdenoiser.noise import precision_at_noise, roc_auc

_rows = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30).filter(
    lambda rows: 0 < sum(noise for _, noise in rows) < len(rows)
)


@given(_rows)
def test_roc_area_is_the_share_of_pairs_in_order(rows: list[tuple[int, bool]]) -> None:
    scores, is_noise = (np.array(column) for column in zip(*rows, strict=True))
    pairs = np.sign(scores[is_noise][:, None] - scores[~is_noise][None, :])
    assert roc_auc(scores, is_noise) == pytest.approx((pairs.mean() + 1) / 2)


@given(_rows, st.integers(0, 2**31))
def test_precision_is_the_mean_over_orders_of_ties(rows: list[tuple[int, bool]], seed: int) -> None:
    scores, is_noise = (np.array(column) for column in zip(*rows, strict=True))
    noisy = is_noise.sum()
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2000):
        order = np.lexsort([rng.random(len(scores)), -scores])
        found.append(is_noise[order[:noisy]].mean())
    assert precision_at_noise(scores, is_noise) == pytest.approx(np.mean(found), abs=0.06)


@pytest.mark.parametrize("metric", [roc_auc, precision_at_noise])
def test_one_kind_alone_is_refused(metric) -> None:
    with pytest.raises(ValueError, match=r"`is_noise` must mark some items.*Received: 2 of 2"):
        metric(np.array([0.1, 0.2]), np.array([True, True]))
