"""How much better one model is than another, over seeds and users."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from scipy import stats

from tf_recdenoiser.evaluation import DISLIKED


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
    user_p_value
        The same over the users' differences, each a mean over seeds; NaN for a single user.
    seeds
        How many there are.
    """

    mean: float
    difference: float
    seed_error: float
    user_error: float
    p_value: float
    user_p_value: float
    seeds: int

    @property
    def gain(self) -> float:
        """The difference in percent of the baseline's metric; NaN if that is 0."""
        baseline = self.mean - self.difference
        return 100 * self.difference / baseline if baseline else math.nan

    @property
    def gain_interval(self) -> tuple[float, float]:
        """A 95 % confidence interval of the gain, in percent of the baseline's metric.

        Over seeds by Student's t; over users where there is one seed. The baseline's metric is
        taken as it stands.

        Examples
        --------
        >>> found = compare(np.array([[0.2, 0.4], [0.3, 0.5]]), np.array([[0.1, 0.3], [0.1, 0.3]]))
        >>> [round(end) for end in found.gain_interval]
        [-243, 393]
        """
        baseline = self.mean - self.difference
        several = self.seeds > 1
        error = self.seed_error if several else self.user_error
        # Users are so many that their t is normal.
        reach = stats.t.ppf(0.975, self.seeds - 1) if several else stats.norm.ppf(0.975)
        half = 100 * float(reach) * error / baseline if baseline else math.nan
        return self.gain - half, self.gain + half


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
    seed_error, p_value = _error_and_p(by_seed)
    user_error, user_p_value = _error_and_p(by_user)
    return Comparison(
        mean=float(model.mean()),
        difference=float(differences.mean()),
        seed_error=seed_error,
        user_error=user_error,
        p_value=p_value,
        user_p_value=user_p_value,
        seeds=len(by_seed),
    )


def _error_and_p(differences: np.ndarray) -> tuple[float, float]:
    """The standard error of the mean, and the p-value of its being 0; NaN for a single one."""
    if len(differences) < 2:
        return math.nan, math.nan
    if not differences.any():
        return 0.0, math.nan
    return float(stats.sem(differences)), float(stats.ttest_1samp(differences, 0.0).pvalue)


def closed_gap(
    found: Mapping[str, Mapping[str, Comparison]], metric: str
) -> dict[str, tuple[float, float]]:
    """The share of the best oracle's gap that each method closes, with its standard error.

    The error is that of the method's difference, over seeds and users; the oracle's is taken as
    it stands. Empty without an oracle that gains anything. Less of "disliked" is a gain.
    """
    found = {name: by_name for name, by_name in found.items() if metric in by_name}
    differences = {name: by_name[metric].difference for name, by_name in found.items()}
    less_is_better = f" {DISLIKED}@" in metric
    gains = {name: 0.0 - one if less_is_better else one for name, one in differences.items()}
    best = max((gain for name, gain in gains.items() if "oracle" in name), default=0.0)
    if best <= 0:
        return {}
    return {
        name: (
            gains[name] / best,
            float(np.hypot(np.nan_to_num(by_name[metric].seed_error), by_name[metric].user_error))
            / best,
        )
        for name, by_name in found.items()
    }
