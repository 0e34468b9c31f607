"""How much a model's output changes where its input does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone, SASRec
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.measurement import Measurement
from tf_recdenoiser.layers import JacobianRegularizedBlock, TransformerBlock
from tf_recdenoiser.ops import jacobian_frobenius
from tf_recdenoiser.runs import Run, RunError, load_split
from tf_recdenoiser.runs.scoring import evaluation_inputs

STRENGTHS = (0.01, 0.03, 0.1, 0.3)
"""Of noise that is added to vectors, in parts of their root mean square."""

SWAPPED = (0.05, 0.1, 0.25, 0.5)
"""Shares of items of a history that others take the place of."""

_USERS = 256
_PROJECTIONS = 16
_K = 10


def robustness(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """How the output changes with noise on the input, and with items that are swapped for others.

    Of some test users' histories. Normal noise is added to the vectors that a block reads. "block
    change" is the root mean square of what changes in its output, and "first order" what the
    measured norm of its Jacobian says of it: for noise of variance s^2 in each direction
    E||J noise||^2 = s^2 ||J||_F^2. "bound" is ||J||_F ||noise||, which no small change exceeds. All
    three are in percent of the output, means over blocks. "output change" is that of the newest
    position's vector, which recommends, if the noise is in what the first block reads, or if items
    are swapped for others drawn at random; and "top 10 kept" is the share of the ten best items
    that stay. "norm" is the mean of ||J||_F^2 / d a position.

    Raises
    ------
    RunError
        If the model is not SASRec.
    """
    if run.settings.model.name != "sasrec":
        raise RunError(
            "Robustness is measured of the backbone sasrec. Received: the backbone "
            f"{run.settings.model.name}"
        )
    split = load_split(run.settings, dataset).split
    inputs = evaluation_inputs(split, "test", run.settings.model.max_length)
    item_ids = inputs["item_ids"][:_USERS]
    encoder = Encoder(run.recommender.backbone, item_ids)
    table = run.recommender.item_vectors()
    before = encoder.newest(encoder.first).numpy()
    rng = np.random.default_rng(0)
    yield Measurement({"norm": encoder.norm()})
    for strength in STRENGTHS:
        noisy = encoder.first + encoder.noise(encoder.first, strength, seed=0)
        after = encoder.newest(noisy).numpy()
        yield Measurement(
            {**encoder.changes(strength), **_change(before, after, table)},
            {"noise on vectors": strength},
        )
    for share in SWAPPED:
        swapped = swap(item_ids, share, dataset.item_count, rng)
        after = run.recommender.encode(swapped)
        yield Measurement(_change(before, after, table), {"items swapped": share})


def swap(
    item_ids: np.ndarray, share: float, item_count: int, rng: np.random.Generator
) -> np.ndarray:
    """Histories `[B, n]` in which others take the place of a share of the items."""
    chosen = (rng.random(item_ids.shape) < share) & (item_ids > 0)
    return np.where(chosen, rng.integers(1, item_count + 1, item_ids.shape), item_ids)


def _change(before: np.ndarray, after: np.ndarray, table: np.ndarray) -> dict[str, float]:
    """How far the newest position's vectors `[B, d]` moved, and how many of the best items stay."""
    moved = np.sqrt(np.square(after - before).sum() / np.square(before).sum())
    best = [np.argsort(-(vectors @ table[1:].T), axis=1)[:, :_K] for vectors in (before, after)]
    kept = np.mean([len(np.intersect1d(*pair)) / _K for pair in zip(*best, strict=True)])
    return {"output change": 100 * float(moved), "top 10 kept": 100 * float(kept)}


class Encoder:
    """A backbone's blocks, one by one, on some histories.

    Parameters
    ----------
    backbone
        The sequence encoder.
    item_ids
        Histories `[B, n]`, left-padded with 0.

    Attributes
    ----------
    first
        What the first block reads, `[B, n, d]`.
    """

    def __init__(self, backbone: SASRec | Backbone, item_ids: np.ndarray) -> None:
        kinds = (TransformerBlock, JacobianRegularizedBlock)
        self._blocks = [layer for layer in backbone.layers if isinstance(layer, kinds)]
        self._norm = backbone.get_layer("last_norm")
        self._mask = tf.constant(item_ids > 0)
        begin = keras.Model(backbone.inputs, tf.nest.flatten(self._blocks[0].input)[0])
        self.first = tf.convert_to_tensor(begin({"item_ids": tf.constant(item_ids)}))

    def newest(self, x: tf.Tensor) -> tf.Tensor:
        """The output at the newest position `[B, d]` where the first block reads `x`."""
        for block in self._blocks:
            x = self._run(block, x)
        return self._norm(x)[:, -1]

    def noise(self, x: tf.Tensor, strength: float, seed: int) -> tf.Tensor:
        """Normal noise on items' vectors, `strength` times as large as they are on average."""
        drawn = tf.random.stateless_normal(tf.shape(x), [seed, 0])
        return strength * self._size(x) * self._of_items(drawn)

    def norm(self) -> float:
        """The mean over blocks of ||J||_F^2 / d, a position."""
        return float(np.mean([self._squared_norm(block, x) for block, x in self._seen()]))

    def changes(self, strength: float) -> dict[str, float]:
        """By how much noise of that strength on a block's input changes its output, in percent."""
        found = []
        for number, (block, x) in enumerate(self._seen()):
            noise = self.noise(x, strength, seed=1 + number)
            before = self._run(block, x)
            change = tf.norm(self._of_items(self._run(block, x + noise) - before))
            length = tf.norm(self._of_items(before))
            norms = self._squared_norms(block, x)
            spread = strength * self._size(x)
            first_order = tf.sqrt(spread**2 * tf.reduce_sum(norms))
            of_each = tf.reduce_sum(tf.square(noise), axis=[1, 2])
            bound = tf.sqrt(tf.reduce_sum(norms * of_each))
            found.append([float(100 * one / length) for one in (change, first_order, bound)])
        means = np.mean(found, axis=0)
        return dict(zip(("block change", "first order", "bound"), map(float, means), strict=True))

    def _seen(self) -> Iterator[tuple[keras.layers.Layer, tf.Tensor]]:
        """Each block with what it reads."""
        x = self.first
        for block in self._blocks:
            yield block, x
            x = self._run(block, x)

    def _run(self, block: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        return block(x, mask=self._mask, training=False)

    def _squared_norms(self, block: keras.layers.Layer, x: tf.Tensor) -> tf.Tensor:
        """||J||_F^2 of each sequence, `[B]`."""
        return jacobian_frobenius(
            lambda inputs: self._run(block, inputs),
            x,
            lambda number, y: tf.random.stateless_normal(tf.shape(y), [number, 1]),
            _PROJECTIONS,
            self._mask,
        )

    def _squared_norm(self, block: keras.layers.Layer, x: tf.Tensor) -> float:
        """||J||_F^2 / d a position."""
        positions = tf.reduce_sum(tf.cast(self._mask, tf.float32)) * x.shape[-1]
        return float(tf.reduce_sum(self._squared_norms(block, x)) / positions)

    def _size(self, x: tf.Tensor) -> tf.Tensor:
        """The root mean square of items' vectors."""
        count = tf.reduce_sum(tf.cast(self._mask, tf.float32)) * x.shape[-1]
        return tf.sqrt(tf.reduce_sum(tf.square(self._of_items(x))) / count)

    def _of_items(self, x: tf.Tensor) -> tf.Tensor:
        return x * tf.cast(self._mask, tf.float32)[:, :, tf.newaxis]
