"""Attention whose weights are multiplied by gates."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_recdenoiser.ops.softmax import rows_with_some, visible_softmax


def scaled_products(query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """The scores Q K^T `[..., n, m]`, to be divided by sqrt(k)."""
    return tf.matmul(query, key, transpose_b=True)


def gated_attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor | None = None,
    gates: tf.Tensor | None = None,
    normalizer: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor] = visible_softmax,
    *,
    key_weights: tf.Tensor | None = None,
    renormalize: bool = False,
    noise: tuple[tf.Tensor | None, float] = (None, 1.0),
    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = scaled_products,
    mix: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = tf.matmul,
) -> tuple[tf.Tensor, tf.Tensor]:
    """M V with M = A * Z and A = softmax(Q K^T / sqrt(k)), and M.

    Eq. 5 of Chen et al. 2022, "Denoising Self-Attentive Sequential Recommendation" (Rec-Denoiser,
    arXiv 2212.04120). The gates Z multiply after the softmax, and the rows of M are not divided
    by their sums unless `renormalize` is set.

    Parameters
    ----------
    query, key, value
        Q `[B, H, n, k]`, K `[B, H, m, k]` and V `[B, H, m, v]`.
    mask
        Boolean, broadcastable to `[B, H, n, m]`: False hides an edge, which then takes no part in
        the softmax. None (default) hides nothing.
    gates
        Z, broadcastable to `[B, H, n, m]`. None (default): all of them are 1.
    normalizer
        What stands in the place of the softmax, a function of scores `[B, H, n, m]` and `mask`;
        `visible_softmax` by default. Rows that are hidden altogether come out as zeros, whatever
        it makes of them.
    key_weights
        w `[B, m]`, not negative: A_uv becomes w_v A_uv / sum over v of w_v A_uv. None (default)
        for 1 everywhere.
    renormalize
        Whether the rows of M are divided by their sums; False by default.
    noise
        Of dropout on M, as `dropout_noise` returns it; none by default.
    score
        What is made of Q / sqrt(k) and K, `[B, H, n, m]`; the product by default.
    mix
        What is made of M and V, `[B, H, n, v]`; the product by default.

    Returns
    -------
    The output `[B, H, n, v]`, and M `[B, H, n, m]` in the type of `query`.

    Examples
    --------
    >>> one, values = tf.ones([1, 1, 1, 1]), tf.constant([[[[2.0], [4.0]]]])
    >>> output, weights = gated_attention(one, tf.ones([1, 1, 2, 1]), values, gates=[1.0, 0.0])
    >>> output.numpy().ravel(), weights.numpy().ravel()
    (array([1.], dtype=float32), array([0.5, 0. ], dtype=float32))
    """
    weights = attention_weights(query, key, mask, normalizer, key_weights=key_weights, score=score)
    return mixed(weights, value, mask, gates, renormalize=renormalize, noise=noise, mix=mix)


def attention_weights(
    query: tf.Tensor,
    key: tf.Tensor,
    mask: tf.Tensor | None = None,
    normalizer: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor] = visible_softmax,
    *,
    key_weights: tf.Tensor | None = None,
    score: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = scaled_products,
) -> tf.Tensor:
    """A of `gated_attention`, whose arguments these are; hidden rows are as they come."""
    scores = score(query, key) * (1.0 / math.sqrt(query.shape[-1]))
    weights = normalizer(scores, mask)
    if key_weights is None:
        return weights
    return _normalized(weights * tf.cast(key_weights, weights.dtype)[:, tf.newaxis, tf.newaxis])


def mixed(
    weights: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor | None = None,
    gates: tf.Tensor | None = None,
    *,
    renormalize: bool = False,
    noise: tuple[tf.Tensor | None, float] = (None, 1.0),
    mix: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = tf.matmul,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What `gated_attention` returns, from A and V; see there for the arguments."""
    if renormalize:
        weights, gates = gated(weights, gates, renormalize), None
    shown = None if mask is None else rows_with_some(mask, weights.dtype)
    kept, scale = noise
    # Small factors first, so that the weights are gone through once.
    factor = _product(gates, shown, weights.dtype)
    used = weights if factor is None else weights * factor
    if kept is None:
        return mix(used, value), used
    dropped = weights * (kept * _product(factor, scale, weights.dtype))
    return mix(dropped, value), used


def _product(one: Any, other: Any, dtype: tf.DType) -> Any:
    """The product in `dtype`, where None stands for 1; None if both are."""
    if one is None or other is None:
        known = other if one is None else one
        return known if known is None else tf.cast(known, dtype)
    return tf.cast(one, dtype) * tf.cast(other, dtype)


def gated(weights: tf.Tensor, gates: tf.Tensor | None, renormalize: bool) -> tf.Tensor:
    """The weights `[..., n, m]` times the gates, with rows that sum to 1 if wished."""
    if gates is None:
        return weights
    weights *= tf.cast(gates, weights.dtype)
    return _normalized(weights) if renormalize else weights


def _normalized(weights: tf.Tensor) -> tf.Tensor:
    """Rows that sum to 1, or to 0 where all is 0."""
    return tf.math.divide_no_nan(weights, tf.reduce_sum(weights, axis=-1, keepdims=True))
