"""Sparse relatives of the softmax: sparsemax, 1.5-entmax and alpha-entmax."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

_HIDDEN = -1e9
# Scores are shifted so that the largest is 0; the threshold then lies in [-1, 0), and what is
# below -1 is outside the support wherever it lies. Cut off here, it cannot spoil running sums.
_OUTSIDE = -2.0
# Halvings of an interval that is shorter than 1: beyond float32's resolution.
_HALVINGS = 26


def sparsemax(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The point of the simplex nearest to `logits`: alpha-entmax with alpha = 2, exactly.

    p_i = max(z_i - tau, 0), with tau such that the sum is 1 (Martins and Astudillo 2016, arXiv
    1602.02068), found by sorting.

    Parameters
    ----------
    logits, mask
        As `masked_softmax` takes them.

    Returns
    -------
    Weights `[..., n]` in the type of `logits`.

    Examples
    --------
    >>> sparsemax(tf.constant([[1.0, 0.5, -1.0]])).numpy()
    array([[0.75, 0.25, 0.  ]], dtype=float32)
    """
    return _normalized(logits, 2.0, mask, _sparsemax_threshold)


def entmax15(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Alpha-entmax with alpha = 1.5, exactly.

    p_i = max(z_i / 2 - tau, 0)^2, with tau such that the sum is 1, found by sorting (Peters,
    Niculae and Martins 2019, arXiv 1905.05702, algorithm 2).

    Parameters
    ----------
    logits, mask
        As `masked_softmax` takes them.

    Returns
    -------
    Weights `[..., n]` in the type of `logits`.

    Examples
    --------
    >>> entmax15(tf.constant([[1.0, 1.0, -9.0]])).numpy().round(3)
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """
    return _normalized(logits, 1.5, mask, _entmax15_threshold)


def entmax(logits: tf.Tensor, alpha: float | tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Alpha-entmax: the softmax as alpha goes to 1, sparser the larger alpha is.

    p_i = max((alpha - 1) z_i - tau, 0)^(1 / (alpha - 1)), with tau such that the sum is 1, found
    by bisection (Peters et al. 2019, algorithm 1). Gradients are those of the implicit formula,
    in alpha too (Correia, Niculae and Martins 2019, arXiv 1909.00015, proposition 1): with
    s_i = p_i^(2 - alpha) on the support and 0 elsewhere,

        dp/dz = diag(s) - s s^T / sum(s)

    They can be differentiated again. Above alpha = 1.5 the second derivative has no bound where
    an entry is about to leave the support.

    Parameters
    ----------
    logits, mask
        As `masked_softmax` takes them.
    alpha
        Above 1, broadcastable to `[..., 1]`: one for all rows, or as many as wanted.

    Returns
    -------
    Weights `[..., n]` in the type of `logits`.

    Examples
    --------
    >>> entmax(tf.constant([[1.0, 0.5, -1.0]]), 2.0).numpy().round(3)
    array([[0.75, 0.25, 0.  ]], dtype=float32)
    """
    if isinstance(alpha, (int, float)) and alpha <= 1:
        raise ValueError(f"`alpha` must be above 1. Received: alpha={alpha}")
    return _normalized(logits, alpha, mask, _threshold_by_bisection)


def _normalized(
    logits: tf.Tensor,
    alpha: float | tf.Tensor,
    mask: tf.Tensor | None,
    find_threshold: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Alpha-entmax by any way to find tau from shifted scores `[..., n]` and alpha `[..., 1]`."""
    scores = tf.cast(logits, tf.float32)
    if mask is not None:
        scores = tf.where(mask, scores, tf.constant(_HIDDEN, tf.float32))
    rows = tf.concat([tf.shape(scores)[:-1], [1]], axis=0)
    alpha = tf.broadcast_to(tf.cast(alpha, tf.float32), rows)
    shifted = (alpha - 1.0) * (scores - tf.reduce_max(scores, axis=-1, keepdims=True))
    shifted = tf.maximum(shifted, _OUTSIDE)
    weights = _powers(shifted - find_threshold(shifted, alpha), alpha)
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    if mask is not None:
        # Not zero yet is only a row that is hidden altogether.
        weights *= tf.cast(mask, tf.float32)
    return tf.cast(_solution(tf.stop_gradient(weights), scores, alpha), logits.dtype)


@tf.custom_gradient
def _solution(
    weights: tf.Tensor, scores: tf.Tensor, alpha: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[None, tf.Tensor, tf.Tensor]]]:
    """`weights`, known to solve for `scores` and `alpha`, with the solution's derivatives."""

    def gradient(upstream: tf.Tensor) -> tuple[None, tf.Tensor, tf.Tensor]:
        # The function itself again, so that what follows can be differentiated in turn.
        solution = _solution(weights, scores, alpha)
        support = weights > 0
        positive = tf.where(support, solution, 1.0)
        slope = tf.where(support, tf.pow(positive, 2.0 - alpha), 0.0)
        share = tf.math.divide_no_nan(slope, tf.reduce_sum(slope, axis=-1, keepdims=True))
        centered = upstream - tf.reduce_sum(share * upstream, axis=-1, keepdims=True)
        entropy = -solution * tf.math.log(positive)
        # d p/d alpha, of which the parts along `share` are in the centring.
        by_alpha = solution / (alpha - 1.0) ** 2 + entropy / (alpha - 1.0)
        return (None, slope * centered, tf.reduce_sum(by_alpha * centered, axis=-1, keepdims=True))

    return tf.identity(weights), gradient


def _powers(above: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    # Several times as fast as `tf.pow`; the logarithm of 0 is -inf, and its exponential 0 again.
    return tf.exp(tf.math.log(tf.nn.relu(above)) / (alpha - 1.0))


def _descending(shifted: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The scores from the largest to the least, and how many there are up to each."""
    ordered = tf.sort(shifted, axis=-1, direction="DESCENDING")
    return ordered, tf.cast(tf.range(1, tf.shape(shifted)[-1] + 1), tf.float32)


def _at_support(thresholds: tf.Tensor, ordered: tf.Tensor) -> tf.Tensor:
    """Of the threshold for each size of the support, the one that has a support of its size."""
    inside = tf.cast(thresholds <= ordered, tf.int32)
    last = tf.reduce_sum(inside, axis=-1, keepdims=True) - 1
    return tf.gather(thresholds, last, batch_dims=ordered.shape.rank - 1)


def _sparsemax_threshold(shifted: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    ordered, counts = _descending(shifted)
    return _at_support((tf.cumsum(ordered, axis=-1) - 1.0) / counts, ordered)


def _entmax15_threshold(shifted: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    ordered, counts = _descending(shifted)
    mean = tf.cumsum(ordered, axis=-1) / counts
    variance = tf.cumsum(ordered**2, axis=-1) / counts - mean**2
    # Beyond the support the root may be of a negative number; the threshold is then too high.
    return _at_support(mean - tf.sqrt(tf.nn.relu(1.0 / counts - variance)), ordered)


def _threshold_by_bisection(shifted: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    low = -tf.ones_like(alpha)  # The largest entry alone then has weight 1.
    high = -tf.pow(tf.cast(tf.shape(shifted)[-1], tf.float32), 1.0 - alpha)  # None has over 1/n.
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        total = tf.reduce_sum(_powers(shifted - middle, alpha), axis=-1, keepdims=True)
        low, high = tf.where(total >= 1.0, middle, low), tf.where(total >= 1.0, high, middle)
    return low
