"""The networks of detectors: how they are built, trained and asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras, raw_variable
from tf_recdenoiser.training import Adam

_BATCH = 512


def judging(features: Any, max_length: int, units: int = 64) -> Any:
    """An untrained detector that reads what a layer says of each candidate in its place.

    It computes in float32, whatever Keras' dtype policy: scores are logs, and their sums long.

    Parameters
    ----------
    features
        A layer named "features", called with `item_ids` and `candidates`; gives `[B, n, F]`.
    max_length
        n, the places it reads at a time.
    units
        Of each hidden layer; 64 by default.
    """
    inputs = {
        name: keras.Input([max_length], dtype="int32", name=name)
        for name in ("item_ids", "candidates")
    }
    places = features(inputs["item_ids"], inputs["candidates"])
    normalized = keras.layers.Normalization(name="normalization", dtype="float32")(places)
    network = keras.Sequential(
        [
            keras.Input([None, places.shape[-1]], dtype="float32"),
            keras.layers.Dense(units, activation="relu", dtype="float32"),
            keras.layers.Dense(units, activation="relu", dtype="float32"),
            keras.layers.Dense(1, dtype="float32"),
            keras.layers.Reshape([-1], dtype="float32"),
        ],
        name="network",
    )
    return keras.Model(inputs, network(normalized), name="detector")


class NetworkTrainer:
    """Trains the networks of detectors of one kind to tell the log's items from noise.

    By noise-contrastive estimation (Gutmann and Hyvärinen 2012): binary cross-entropy of the
    items that stand in histories against as many that the distribution of noise drew for the same
    places. Where that is least, the output is log p(x | context) / q(x), the log of the density
    ratio of the log's items to noise.

    All are trained in one network, from their own weights on, so that Keras traces a train step
    once and not for each of them.

    Parameters
    ----------
    epochs, patience
        Training stops when the cross-entropy of what is watched has not fallen for `patience`
        epochs, 3 by default, or after `epochs`, 100 by default. The best epoch's weights stay.
    learning_rate, batch_size
        Of Adam; 2e-3 and 512 by default.
    seed
        Of the order of the examples; 0 by default.

    Examples
    --------
    >>> from tf_recdenoiser.noise.detectors.context import build_detector
    >>> rng = np.random.default_rng(0)
    >>> detector = build_detector(rng.normal(size=[10, 2, 8]), np.ones(10), max_length=4)
    >>> ids, drawn = rng.integers(1, 10, [2, 20, 4], np.int32)
    >>> items, noise = (context_features(detector, ids, x).reshape(80, -1) for x in (ids, drawn))
    >>> NetworkTrainer(epochs=1).fit(detector, items[8:], noise[8:], (items[:8], noise[:8]))
    """

    def __init__(
        self,
        epochs: int = 100,
        patience: int = 3,
        learning_rate: float = 2e-3,
        batch_size: int = 512,
        seed: int = 0,
    ) -> None:
        self._epochs, self._patience = epochs, patience
        self._learning_rate, self._batch_size = learning_rate, batch_size
        self._rng = np.random.default_rng(seed)
        self._network: Any = None

    def fit(
        self,
        detector: Any,
        items: np.ndarray,
        noise: np.ndarray,
        watched: tuple[np.ndarray, np.ndarray],
    ) -> None:
        """Train a detector's network.

        Parameters
        ----------
        detector
            As `build_detector` makes it, with as many features as those before.
        items, noise
            `[M, F]`, the features of items and of noise in their places, with item vectors that
            know nothing of the user's own history: else everything that a user did fits.
        watched
            The same, not trained on.
        """
        normalization, network = (detector.get_layer(name) for name in ("normalization", "network"))
        normalization.adapt(items[:, np.newaxis])
        self._start(network)
        examples, labels = _labelled(normalization, items, noise)
        watched_examples = _labelled(normalization, *watched)
        least, since = np.inf, 0
        for _ in range(self._epochs):
            order = self._rng.permutation(len(examples))
            self._train_epoch(tf.constant(examples[order]), tf.constant(labels[order]))
            loss = float(_cross_entropy(self._network, *watched_examples))
            since += 1
            if loss < least:
                least, since = loss, 0
                network.set_weights(self._network.get_weights())
            if since == self._patience:
                break

    def _start(self, network: Any) -> None:
        """Give the network that is trained the weights of `network`, and Adam no memory."""
        if self._network is None:
            self._network = keras.models.clone_model(network)
            self._optimizer = Adam(self._learning_rate)
            self._optimizer.build(self._network.trainable_variables)
            self._fresh = [variable.numpy() for variable in self._optimizer.variables]
            self._train_epoch = _epoch_function(self._network, self._optimizer, self._batch_size)
        self._network.set_weights(network.get_weights())
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)


def _epoch_function(network: Any, optimizer: Any, batch_size: int) -> Any:
    """Trains on examples in their order, in one graph: a call would take longer than a batch."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, *network.input_shape[1:]]),
            tf.TensorSpec([None, *network.output_shape[1:]]),
        ]
    )
    def train_epoch(examples: tf.Tensor, labels: tf.Tensor) -> None:
        for start in tf.range(0, tf.shape(examples)[0], batch_size):
            batch = slice(start, start + batch_size)
            with tf.GradientTape() as tape:
                loss = _cross_entropy(network, examples[batch], labels[batch])
            weights = network.trainable_variables
            tensors = [raw_variable(weight) for weight in weights]
            optimizer.apply_gradients(zip(tape.gradient(loss, tensors), weights, strict=True))

    # Built at once, and a graph even where functions run eagerly: without one it is slow.
    return train_epoch.get_concrete_function()


def _cross_entropy(network: Any, examples: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, network(examples))
    return tf.reduce_mean(losses)


def context_features(detector: Any, item_ids: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The features by which the detector judges candidates in their places, `[B, n, F]`."""
    return in_batches(detector.get_layer("features"), item_ids, candidates)


def log_ratios(
    detector: Any,
    item_ids: np.ndarray,
    candidates: np.ndarray | None = None,
    disliked: np.ndarray | None = None,
) -> np.ndarray:
    """The detector's scores, `[B, n]` float32.

    Parameters
    ----------
    detector
        As `build_detector` makes them.
    item_ids
        Histories `[B, n]`, left-padded with 0.
    candidates
        The items to score in the places of `item_ids`, `[B, n]`; None (default) for those
        that stand there.
    disliked
        What is known of how the items were liked, `[B, n]`, NaN where nothing is; see
        `FeedbackFeatures`. None (default): nothing.
    """
    given = {"item_ids": item_ids, "candidates": item_ids if candidates is None else candidates}
    if disliked is not None:
        given["disliked"] = disliked
    names = list(given)
    return in_batches(
        lambda *batch: judged(detector, dict(zip(names, batch, strict=True))), *given.values()
    )


def judged(detector: Any, given: dict[str, tf.Tensor]) -> tf.Tensor:
    """What a detector says of histories, `[B, n]`, from what it reads of them."""
    if "disliked" not in given:
        nothing = tf.fill(tf.shape(given["item_ids"]), np.float32(np.nan))
        given = {**given, "disliked": nothing}
    return detector({name: given[name] for name in detector.input}, training=False)


def in_batches(function: Any, *arrays: np.ndarray, size: int = _BATCH) -> np.ndarray:
    """What a function says of arrays `[B, …]`, some rows at a time."""
    return np.concatenate(
        [
            function(*(tf.constant(array[at : at + size]) for array in arrays))
            for at in range(0, max(len(arrays[0]), 1), size)
        ]
    )


def _labelled(
    normalization: Any, items: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the network reads of each example, and whether it is an item of the log."""
    examples = normalization(np.concatenate([items, noise])[:, np.newaxis]).numpy()
    labels = np.repeat([[1.0], [0.0]], [len(items), len(noise)], axis=0)
    return examples, labels.astype(np.float32)
