"""Attention by a product of features, whose cost grows with n and not with its square."""

from __future__ import annotations

import tensorflow as tf

from tf_recdenoiser.ops.gated_attention import gated

_CHUNK = 64


def positive_features(x: tf.Tensor) -> tf.Tensor:
    """phi(x) = elu(x) + 1, above 0, in float32 (Katharopoulos et al. 2020, Eq. 7).

    Examples
    --------
    >>> positive_features(tf.constant([0.0, 2.0])).numpy()
    array([1., 3.], dtype=float32)
    """
    return tf.nn.elu(tf.cast(x, tf.float32)) + 1.0


def gated_linear_attention(
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    mask: tf.Tensor | None = None,
    gates: tf.Tensor | None = None,
    *,
    causal: bool = False,
    key_weights: tf.Tensor | None = None,
    renormalize: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Linear attention with one gate for each key, and its weights.

    With phi the `positive_features`, and Z_v and w_v the gate and the weight of key v,

        output_u = sum_v w_v (phi(q_u) · phi(k_v)) Z_v x_v / sum_v w_v phi(q_u) · phi(k_v)

    where the sums are over v that `mask` shows, up to u if causal. With `renormalize` Z_v stands
    in the lower sum too.

    Parameters
    ----------
    query, key, value
        q `[B, H, n, k]`, k `[B, H, m, k]` and x `[B, H, m, v]`.
    mask
        Boolean, broadcastable to `[B, H, 1, m]`: False hides a key. None (default) hides none.
    gates
        Z, broadcastable to `[B, H, 1, m]`. None (default): all of them are 1.
    causal
        Whether position u sees positions up to u alone; False by default.
    key_weights
        w `[B, m]`, not negative. None (default) for 1 everywhere.
    renormalize
        Whether the gated weights of a row sum to 1; False by default.

    Returns
    -------
    The output `[B, H, n, v]`, and the weights `[B, H, n, m]`, both in the type of `value`: in a
    graph these cost nothing where nobody uses them.
    """
    dtype = value.dtype
    query, key = positive_features(query), positive_features(key)
    if mask is not None:
        key *= tf.cast(tf.linalg.matrix_transpose(mask), key.dtype)
    if key_weights is not None:
        key *= tf.cast(key_weights, key.dtype)[:, tf.newaxis, :, tf.newaxis]
    weights = gated(tf.cast(linear_weights(query, key, causal), dtype), gates, renormalize)
    if gates is not None:
        of_keys = tf.linalg.matrix_transpose(gates)
        if renormalize:
            key *= of_keys
        else:
            value *= tf.cast(of_keys, dtype)
    return linear_attention(query, key, value, causal), weights


def linear_attention(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, causal: bool
) -> tf.Tensor:
    """Sum over v of (q_u · k_v) x_v, divided by the sum over v of q_u · k_v, with no `[n, m]`.

    Katharopoulos et al. 2020, arXiv 2006.16236: the sums over v of k_v x_v^T and of k_v come
    first, running ones if causal. Those run from chunk to chunk of 64 positions, within which
    pairs are cheaper. A row whose keys are all zero comes out as zeros.

    Parameters
    ----------
    queries, keys
        Features that are not negative, `[..., n, k]` and `[..., m, k]`; a key of zeros is hidden.
    values
        x, `[..., m, d]`, any float type.
    causal
        Whether the sums are over v up to u alone; n and m are then the same.

    Returns
    -------
    `[..., n, d]` in the type of `values`.

    Examples
    --------
    >>> ones = tf.ones([3, 1])
    >>> values = tf.constant([[0.0], [1.0], [5.0]])
    >>> linear_attention(ones, ones, values, causal=True).numpy().ravel()
    array([0. , 0.5, 2. ], dtype=float32)
    """
    wide = tf.cast(values, tf.float32)
    # What the values are divided by is the same sum with ones in their place.
    extended = tf.concat([wide, tf.ones_like(wide[..., :1])], axis=-1)
    if causal:
        sums = _running_sums(queries, keys, extended)
    else:
        sums = tf.matmul(queries, tf.matmul(keys, extended, transpose_a=True))
    return tf.cast(tf.math.divide_no_nan(sums[..., :-1], sums[..., -1:]), values.dtype)


def _running_sums(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Sum over v up to u of (q_u · k_v) x_v, `[..., n, d]`."""
    length = tf.shape(keys)[-2]
    size = tf.minimum(_CHUNK, length)
    queries, keys, values = (_in_chunks(x, size) for x in (queries, keys, values))
    within = tf.linalg.band_part(tf.matmul(queries, keys, transpose_b=True), -1, 0)
    before = tf.cumsum(tf.matmul(keys, values, transpose_a=True), axis=-3, exclusive=True)
    sums = tf.matmul(within, values) + tf.matmul(queries, before)
    shape = tf.shape(sums)
    return tf.reshape(sums, tf.concat([shape[:-3], [-1], shape[-1:]], axis=0))[..., :length, :]


def _in_chunks(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """`[..., n, k]` as `[..., chunks, size, k]`, with zeros after the end."""
    shape = tf.shape(x)
    added = tf.math.floormod(-shape[-2], size)
    padded = tf.concat([x, tf.zeros(tf.concat([shape[:-2], [added], shape[-1:]], axis=0))], axis=-2)
    return tf.reshape(padded, tf.concat([shape[:-2], [-1, size], shape[-1:]], axis=0))


def linear_weights(queries: tf.Tensor, keys: tf.Tensor, causal: bool) -> tf.Tensor:
    """The weights `[..., n, m]` by which `linear_attention` mixes its values, to look at.

    Examples
    --------
    >>> linear_weights(tf.ones([2, 1]), tf.constant([[1.0], [3.0]]), causal=True).numpy()
    array([[1.  , 0.  ],
           [0.25, 0.75]], dtype=float32)
    """
    products = tf.matmul(queries, keys, transpose_b=True)
    if causal:
        products = tf.linalg.band_part(products, -1, 0)
    return tf.math.divide_no_nan(products, tf.reduce_sum(products, axis=-1, keepdims=True))
