"""SASRec as one writes it in Keras 3, with `MultiHeadAttention`, on TensorFlow.

Item and position embeddings, blocks of causal attention and a position-wise network with residual
connections and layer normalisation, scores by the item table; each next item against one drawn.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.contenders.in_memory import seconds_a_step, step_of_fit
from benchmarks.logs import read_log


class Causal(keras.layers.Layer):
    """What position u may look at: items, no padding, up to u; itself in any case."""

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        length = tf.shape(ids)[1]
        past = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
        return tf.logical_or(past & (ids > 0)[:, tf.newaxis], tf.eye(length, dtype=tf.bool))


def sasrec(items: int, sizes: Mapping[str, Any]) -> keras.Model:
    """From histories and candidates `[B, n, 2]` to the candidates' scores."""
    length, width, rate = sizes["length"], sizes["width"], sizes["dropout"]
    ids = keras.Input([length], dtype="int32", name="ids")
    candidates = keras.Input([length, 2], dtype="int32", name="candidates")
    table = keras.layers.Embedding(items + 1, width)
    positions = keras.layers.Embedding(length, width)(keras.ops.arange(length))
    x = table(ids) * width**0.5 + positions
    x = keras.layers.Dropout(rate)(x)
    mask = Causal()(ids)
    for _ in range(sizes["layers"]):
        attention = keras.layers.MultiHeadAttention(
            sizes["heads"], width // sizes["heads"], dropout=rate
        )
        query = keras.layers.LayerNormalization()(x)
        x = query + attention(query, x, attention_mask=mask)
        x = keras.layers.LayerNormalization()(x)
        hidden = keras.layers.Dropout(rate)(keras.layers.Dense(width, activation="relu")(x))
        x = x + keras.layers.Dropout(rate)(keras.layers.Dense(width)(hidden))
    x = keras.layers.LayerNormalization()(x)
    scores = keras.ops.sum(x[:, :, None] * table(candidates), axis=-1)
    return keras.Model({"ids": ids, "candidates": candidates}, scores)


def loss(truth: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy of each position: the first score is that of the next item."""
    return tf.math.softplus(-scores[..., 0]) + tf.math.softplus(scores[..., 1])


class KerasExample:
    """The model, and each user's newest n + 1 items."""

    def __init__(self, log: str, sizes: Mapping[str, Any]) -> None:
        keras.utils.set_random_seed(0)
        users, items = read_log(log)
        codes = np.unique(items, return_inverse=True)[1] + 1
        order = np.argsort(users, kind="stable")
        ends = np.cumsum(np.unique(users, return_counts=True)[1])
        length = sizes["length"] + 1
        newest = [part[-length:] for part in np.split(codes[order], ends[:-1])]
        self._sequences = keras.utils.pad_sequences(newest, length, "int32")
        self._items, self._batch = int(codes.max()), sizes["batch"]
        self._model = sasrec(self._items, sizes)
        self._model.compile(keras.optimizers.Adam(sizes["learning_rate"], beta_2=0.98), loss)

    @property
    def _examples(self) -> tf.data.Dataset:
        """An epoch, shuffled, with new items drawn."""

        def example(rows: tf.Tensor) -> Any:
            ids, positives = rows[:, :-1], rows[:, 1:]
            drawn = tf.random.uniform(tf.shape(ids), 1, self._items + 1, tf.int32)
            candidates = tf.stack([positives, drawn], axis=-1)
            inputs = {"ids": ids, "candidates": candidates}
            return inputs, tf.zeros_like(positives), tf.cast(positives > 0, tf.float32)

        rows = tf.data.Dataset.from_tensor_slices(self._sequences)
        return rows.shuffle(len(self._sequences)).batch(self._batch).map(example).prefetch(2)

    @cached_property
    def _step_of_fit(self) -> Any:
        return step_of_fit(self._model, self._examples, self._batch)

    def step(self, steps: int) -> float:
        """Seconds of an optimizer step."""
        return seconds_a_step(self._step_of_fit, steps)

    def epoch(self) -> float:
        """Seconds of a step within `fit`: the second epoch, its batches made on the way."""
        clock = Clock()
        self._model.fit(self._examples, epochs=2, verbose=0, callbacks=[clock])
        return clock.epochs[-1] / -(-len(self._sequences) // self._batch)


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(time.perf_counter() - self._started)


def make(options: Mapping[str, Any], log: str, sizes: Mapping[str, Any]) -> KerasExample:
    return KerasExample(log, sizes)
