"""How well a score separates noise from clean items."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.evaluation.arrays import BoolArray, FloatArray


def roc_auc(scores: FloatArray, is_noise: BoolArray) -> float:
    """Area under the ROC curve: P(a noisy item scores above a clean one), ties half.

    Computed from mid-ranks (Mann and Whitney 1947).

    Parameters
    ----------
    scores
        [N], higher for items more likely to be noise.
    is_noise
        [N]; both kinds must occur.

    Examples
    --------
    >>> roc_auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    is_noise = _both_kinds(is_noise)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    mid_ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    noisy = int(is_noise.sum())
    above = mid_ranks[is_noise].sum() - noisy * (noisy + 1) / 2
    return float(above / (noisy * (len(is_noise) - noisy)))


def precision_at_noise(scores: FloatArray, is_noise: BoolArray) -> float:
    """R-precision: the share of noise among the M highest scores, M being how much there is.

    At the threshold's score every item counts by the share of its ties that fits.

    Parameters
    ----------
    scores, is_noise
        As `roc_auc` takes them.

    Examples
    --------
    >>> precision_at_noise(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.75
    """
    is_noise = _both_kinds(is_noise)
    noisy = int(is_noise.sum())
    threshold = np.partition(scores, -noisy)[-noisy]
    above, tied = scores > threshold, scores == threshold
    left = noisy - above.sum()
    return float((is_noise[above].sum() + left * is_noise[tied].mean()) / noisy)


def _both_kinds(is_noise: BoolArray) -> BoolArray:
    is_noise = np.asarray(is_noise, bool)
    if is_noise.all() or not is_noise.any():
        raise ValueError(
            "`is_noise` must mark some items, and not all. "
            f"Received: {int(is_noise.sum())} of {len(is_noise)}"
        )
    return is_noise
