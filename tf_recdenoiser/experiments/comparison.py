"""How much better one model is than another, over seeds and users."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A model against a baseline: the same seeds and the same users on both sides.

    Attributes
    ----------
    mean
        The model's metric, averaged over users and seeds.
    difference
        By how much that is more than the baseline's.
    seed_error
        Standard error of the difference over seeds: what another seed would change. NaN for a
        single seed.
    user_error
        Standard error of the difference over users: what other users would change. NaN for a
        single one, as where a number is of all users together.
    p_value
        Of the difference, two-sided: Student's t-test over the seeds' differences; NaN for a
        single seed.
    """

    mean: float
    difference: float
    seed_error: float
    user_error: float
    p_value: float


def compare(model: np.ndarray, baseline: np.ndarray) -> Comparison:
    """Compare a metric of two models, `[S, E]` each: seeds by users, paired.

    Examples
    --------
    >>> found = compare(np.array([[0.2, 0.4], [0.3, 0.5]]), np.array([[0.1, 0.3], [0.1, 0.3]]))
    >>> round(found.mean, 2), round(found.difference, 2), round(found.seed_error, 2)
    (0.35, 0.15, 0.05)
    """
    if model.shape != baseline.shape or model.ndim != 2:
        raise ValueError(
            "`model` and `baseline` must have the same shape: seeds by users. "
            f"Received: shapes {model.shape} and {baseline.shape}"
        )
    differences = model - baseline
    by_seed, by_user = differences.mean(axis=1), differences.mean(axis=0)
    several, many = len(by_seed) > 1, len(by_user) > 1
    return Comparison(
        mean=float(model.mean()),
        difference=float(differences.mean()),
        seed_error=float(stats.sem(by_seed)) if several else math.nan,
        user_error=float(stats.sem(by_user)) if many else math.nan,
        p_value=float(stats.ttest_1samp(by_seed, 0.0).pvalue) if several else math.nan,
    )
