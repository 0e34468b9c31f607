"""From density ratios to the probability of noise, and how much noise there is."""

from __future__ import annotations

import numpy as np

_LEAST = 0.01


def noise_probability(log_ratio: np.ndarray, rate: float) -> np.ndarray:
    """P(noise | x, context) = min(1, rho q(x) / p(x | context)), in the shape of `log_ratio`.

    p is the law of the log's items, noise included: p = (1 - rho) clean + rho q, so that the
    ratio is Bayes' rule as it stands.

    Parameters
    ----------
    log_ratio
        log p(x | context) / q(x), q being the law of noise.
    rate
        rho, the share of noise, in [0, 1].

    Examples
    --------
    >>> noise_probability(np.log([0.1, 0.5, 4.0]), rate=0.25)
    array([1.    , 0.5   , 0.0625])
    """
    return np.minimum(rate * np.exp(-np.maximum(log_ratio, -50.0)), 1.0)


def noise_rate(items: np.ndarray, noise: np.ndarray) -> float:
    """How much noise there is: the share rho of a log's items that noise of the law explains.

    However low a threshold c on the log ratio is, the items below it contain all noise below
    it, so that F_items(c) >= rho F_noise(c): rho is at most the smallest quotient of the two,
    and equals it if below some threshold nearly everything is noise (best bin estimation; Garg
    et al. 2021, arXiv 2111.00980). A threshold counts if at least 1 % of the noise, and of the
    items, is below it, since the quotient of small counts says little.

    Parameters
    ----------
    items
        Log ratios [N] of the log's items, in contexts that the model was not trained on.
    noise
        Log ratios [M] of items drawn by the law of noise in the same contexts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise, clean = rng.normal(-3, 1, 10_000), rng.normal(3, 1, 7_500)
    >>> rate = noise_rate(np.concatenate([clean, rng.normal(-3, 1, 2_500)]), noise)
    >>> bool(abs(rate - 0.25) < 0.03)
    True
    """
    thresholds = np.quantile(noise, np.linspace(_LEAST, 1.0, 200))
    of_items = np.searchsorted(np.sort(items), thresholds, side="right") / len(items)
    of_noise = np.searchsorted(np.sort(noise), thresholds, side="right") / len(noise)
    counts = of_items >= _LEAST
    return float(min(1.0, (of_items[counts] / of_noise[counts]).min(initial=1.0)))


def calibration(items: np.ndarray, noise: np.ndarray, steps: int = 25) -> tuple[float, float]:
    """The scale a and shift b with which a r + b is the log ratio, as far as a line can say.

    A detector that has been trained for long is too sure of itself on users it has not seen.
    a and b are fitted there by logistic regression of items against noise (Platt 1999), whose
    logit is the log ratio where both are equally many; by Newton's method. a is not negative.

    Parameters
    ----------
    items, noise
        Scores r of the log's items [N], and of as many items drawn by the law of noise.
    steps
        Of Newton's method; 25 by default.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scale, shift = calibration(4 * rng.normal(1, 1, 20_000), 4 * rng.normal(0, 1, 20_000))
    >>> round(scale, 1), round(shift, 1)  # the log ratio of the two normal laws is x - 1/2
    (0.3, -0.5)
    """
    scores = np.concatenate([items, noise]).astype(np.float64)
    label = np.repeat([1.0, 0.0], [len(items), len(noise)])
    spread = max(float(scores.std()), 1e-12)
    design = np.stack([scores / spread, np.ones_like(scores)], axis=1)
    line = np.zeros(2)
    for _ in range(steps):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ line, -50, 50)))
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design
        slope = design.T @ (probability - label)
        line -= np.linalg.solve(curvature + 1e-6 * np.eye(2), slope)
    return max(float(line[0]) / spread, 0.0), float(line[1])
