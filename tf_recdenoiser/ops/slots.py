"""Where the entries of a raw history go in a model's input, and what comes back of them."""

from __future__ import annotations

import tensorflow as tf


def model_slots(known: tf.Tensor, length: int) -> tf.Tensor:
    """The slot of a model's input that each entry of a history fills, counted from 1.

    Entries that are not known are passed over; the others move up to the right end, so that
    the newest fills slot n. Entries left over, the oldest, fill none.

    Parameters
    ----------
    known
        Boolean `[B, L]`, oldest entry first.
    length
        n, the length of the model's input.

    Returns
    -------
    int32 `[B, L]` in 0 … n; 0 for entries that are not in the input.

    Examples
    --------
    >>> model_slots(tf.constant([[True, True, False, True]]), length=2).numpy()
    array([[0, 1, 0, 2]], dtype=int32)
    """
    newer = tf.cumsum(tf.cast(known, tf.int32), axis=1, exclusive=True, reverse=True)
    return tf.where(known, tf.maximum(length - newer, 0), 0)


def to_slots(codes: tf.Tensor, slots: tf.Tensor, length: int) -> tf.Tensor:
    """A model's input `[B, n]`, left-padded with 0, from codes and slots `[B, L]`.

    Examples
    --------
    >>> to_slots(tf.constant([[7, 8, 0, 9]]), tf.constant([[0, 2, 0, 3]]), length=3).numpy()
    array([[0, 8, 9]], dtype=int32)
    """
    # Slot 0 takes what is not in the input, and is cut off.
    shape = tf.stack([tf.shape(codes)[0], length + 1])
    return tf.scatter_nd(with_rows(slots), codes, shape)[:, 1:]


def history_inputs(
    codes: tf.Tensor, length: int, times: tf.Tensor | None = None
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """What a backbone reads of histories, and which of its slots each entry fills.

    Parameters
    ----------
    codes
        int32 `[B, L]`, oldest first; 0 for what is not known.
    length
        n.
    times
        When each interaction happened, float64 `[B, L]`; None (default) where it is not read.

    Returns
    -------
    `item_ids` int32 `[B, n]` and, if given, `times` `[B, n]`, left-padded with 0; and the slots,
    int32 `[B, L]`, of `model_slots`.

    Examples
    --------
    >>> inputs, slots = history_inputs(tf.constant([[7, 0, 9]]), length=4)
    >>> inputs["item_ids"].numpy(), slots.numpy()
    (array([[0, 0, 7, 9]], dtype=int32), array([[3, 0, 4]], dtype=int32))
    """
    known = codes > 0
    # A column of padding comes first, which rows with fewer entries than n read again and again.
    first = [[0, 0], [1, 0]]
    # An entry is the first to reach its own number among those that are known.
    numbers = tf.cumsum(tf.cast(tf.pad(known, first), tf.int32), axis=1)
    wanted = numbers[:, -1:] + tf.range(1 - length, 1)
    entries = tf.raw_ops.LowerBound(sorted_inputs=numbers, values=wanted)
    read = {"item_ids": codes} if times is None else {"item_ids": codes, "times": times}
    return {
        name: tf.gather(tf.pad(values, first), entries, batch_dims=1)
        for name, values in read.items()
    }, model_slots(known, length)


def from_slots(values: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """What a model says of its slots, `[B, …, n]`, for each entry of a history: `[B, …, L]`.

    0 for entries that are not in the input.

    Examples
    --------
    >>> values = tf.constant([[0.0, 0.8, 0.9]])
    >>> from_slots(values, tf.constant([[0, 2, 0, 3]])).numpy()
    array([[0. , 0.8, 0. , 0.9]], dtype=float32)
    """
    padded = tf.concat([tf.zeros_like(values[..., :1]), values], axis=-1)
    return tf.gather(padded, slots, axis=-1, batch_dims=1)


def with_rows(columns: tf.Tensor) -> tf.Tensor:
    """Indices `[B, M, 2]` of the entries `(b, columns[b, m])`."""
    rows = tf.range(tf.shape(columns)[0])[:, tf.newaxis]
    return tf.stack([tf.broadcast_to(rows, tf.shape(columns)), columns], axis=-1)
