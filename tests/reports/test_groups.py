"""Groups of users, and means that average to the total."""

from __future__ import annotations

import numpy as np
import pytest

from tf_recdenoiser.reports.groups import Mean, popularity_parts, quantile_groups


@pytest.mark.parametrize("most", [2, 5, 1000])
def test_means_of_groups_average_to_the_total(most: int) -> None:
    rng = np.random.default_rng(most)
    numbers, values = rng.integers(1, most, 203), rng.random(203)
    groups, ranges = quantile_groups(numbers)
    means = [Mean.of(values[groups == g]) for g in range(len(ranges))]
    assert sum(one.count for one in means) == 203
    assert sum(one.mean * one.count for one in means) / 203 == pytest.approx(values.mean())
    assert (ranges[1:, 0] > ranges[:-1, 1]).all()
    for g, (least, highest) in enumerate(ranges):
        assert ((numbers >= least) & (numbers <= highest) == (groups == g)).all()


def test_groups_of_different_numbers_are_of_one_size() -> None:
    groups, _ = quantile_groups(np.random.default_rng(0).permutation(100))
    assert np.bincount(groups).tolist() == [25] * 4


def test_the_standard_error_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).random(40)
    found = Mean.of(values)
    squares = ((values - values.mean()) ** 2).sum()
    assert found.error == pytest.approx(np.sqrt(squares / 39 / 40))
    assert np.isnan(Mean.of(values[:1]).error) and str(Mean.of(values[:0])) == "-"


def test_parts_of_the_catalogue_have_about_a_third_of_the_interactions_each() -> None:
    counts = np.random.default_rng(0).zipf(1.5, 3000).clip(max=200)
    parts = popularity_parts(counts)
    shares = np.bincount(parts, counts) / counts.sum()
    np.testing.assert_allclose(shares, 1 / 3, atol=200 / counts.sum())
    assert counts[parts == 0].min() >= counts[parts == 1].max()
    assert counts[parts == 1].min() >= counts[parts == 2].max()
    assert popularity_parts(np.zeros(3, int)).tolist() == [0, 0, 0]
