"""From density ratios to the probability of noise, and how much noise there is."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import tensorflow as tf

Numbers = TypeVar("Numbers", np.ndarray, tf.Tensor)

_LEAST = 0.01


def noise_probability(log_ratio: Numbers, rate: float) -> Numbers:
    """P(noise | x, context) = min(1, rho q(x) / p(x | context)), in the shape of `log_ratio`.

    p is the distribution of the log's items, noise included: p = (1 - rho) clean + rho q, so that
    the ratio is Bayes' rule as it stands.

    Parameters
    ----------
    log_ratio
        log p(x | context) / q(x), where q is the distribution of noise; an array or a tensor.
    rate
        rho, the share of noise, in [0, 1].

    Examples
    --------
    >>> noise_probability(np.log([0.1, 0.5, 4.0]), rate=0.25)
    array([1.    , 0.5   , 0.0625])
    """
    module = tf if tf.is_tensor(log_ratio) else np
    return module.minimum(rate * module.exp(-module.maximum(log_ratio, -50.0)), 1.0)


def with_feedback(probability: Numbers, disliked: Numbers) -> Numbers:
    """P(noise) where some of it is known: 1 for what was disliked, 0 for what was not.

    Parameters
    ----------
    probability
        P(noise) as it is estimated.
    disliked
        In the same shape: 1 for disliked, 0 for liked, 0.5 for neither, NaN where nothing is known.

    Examples
    --------
    >>> with_feedback(np.array([0.3, 0.3, 0.3]), np.array([np.nan, 1.0, 0.5])).tolist()
    [0.3, 1.0, 0.0]
    """
    if tf.is_tensor(probability):
        said = tf.cast(disliked >= 1, probability.dtype)
        return tf.where(tf.math.is_nan(disliked), probability, said)
    return np.where(np.isnan(disliked), probability, disliked >= 1).astype(probability.dtype)


def noise_rate(items: np.ndarray, noise: np.ndarray) -> float:
    """The share rho of a log's items that noise explains.

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
        Log ratios [M] of items drawn by the distribution of noise in the same contexts.

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
