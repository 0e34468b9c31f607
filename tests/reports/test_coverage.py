"""The Gini coefficient of distributions of which it is known."""

from __future__ import annotations

import numpy as np
import pytest

from tf_recdenoiser.reports.coverage import gini, lorenz


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([4, 4, 4, 4], 0.0),
        ([0, 0, 0, 0, 7], 4 / 5),  # one of n has it all: 1 - 1/n
        ([0, 0, 0], 0.0),
        ([*range(1, 101)], 99 / 300),  # 1 to n: (n - 1) / 3n
    ],
)
def test_gini_of_known_distributions(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts)) == pytest.approx(expected)


def test_gini_is_half_the_mean_difference_and_twice_the_area_above_the_lorenz_curve() -> None:
    counts = np.random.default_rng(0).integers(0, 9, 50)
    differences = abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    assert gini(counts) == pytest.approx(differences)
    curve = lorenz(counts)
    assert curve[0] == 0 and curve[-1] == 1
    area = ((curve[1:] + curve[:-1]) / 2).mean()
    assert gini(counts) == pytest.approx(1 - 2 * area)
