"""A TFRS model that retrieves the next item by what is known of items, and denoises.

    python examples/retrieval.py

Histories are made up: a shopper stays in one category and price class, and a quarter of what is
in the history is chance. The query tower is a SASRec with gates, the candidate tower reads
category and price, so that items that nobody bought yet can be found as soon as they are listed.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # TFRS needs it, before TensorFlow is imported

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.retrieval import SequenceRetrieval

keras = tf.keras

CATEGORIES, PER_CATEGORY, LENGTH, WIDTH = 8, 12, 8, 16
ITEMS = CATEGORIES * PER_CATEGORY
IDS = np.arange(1, ITEMS + 1, dtype=np.int32)


def features(ids: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of items: their category, and a price in [0, 1)."""
    place = (ids - 1) % PER_CATEGORY
    return {
        "category": ((ids - 1) // PER_CATEGORY % CATEGORIES).astype(np.int32),
        "price": (place / PER_CATEGORY).astype(np.float32),
    }


def make_histories(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Histories `[count, LENGTH]`, and the items that follow them `[count]`."""
    rng = np.random.default_rng(seed)
    category = rng.integers(CATEGORIES, size=[count, 1])
    dear = rng.integers(2, size=[count, 1])
    place = dear * (PER_CATEGORY // 2) + rng.integers(PER_CATEGORY // 2, size=[count, LENGTH + 1])
    bought = 1 + category * PER_CATEGORY + place
    chance = rng.integers(1, ITEMS + 1, size=bought.shape)
    noisy = rng.random(bought.shape) < 0.25
    noisy[:, -1] = False
    bought = np.where(noisy, chance, bought).astype(np.int32)
    return bought[:, :-1], bought[:, -1]


class CandidateTower(keras.Model):
    """From the features of items to their vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.category = keras.layers.Embedding(CATEGORIES, WIDTH)
        self.price = keras.Sequential(
            [keras.layers.Dense(WIDTH, activation="relu"), keras.layers.Dense(WIDTH)]
        )

    def call(self, items: dict[str, tf.Tensor]) -> tf.Tensor:
        return self.category(items["category"]) + self.price(items["price"][:, tf.newaxis])


def batches(count: int, seed: int) -> tf.data.Dataset:
    histories, following = make_histories(count, seed)
    return tf.data.Dataset.from_tensor_slices(
        {"item_ids": histories, "candidate": features(following), "candidate_ids": following}
    ).batch(128)


def catalogue(ids: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((ids, features(ids))).batch(32)


def main(count: int = 4000, epochs: int = 8) -> float:
    """Train, evaluate, and recommend; the share of new shoppers whose item is in their top 10."""
    keras.utils.set_random_seed(1)
    tower = CandidateTower()
    backbone = SASRec(ITEMS, LENGTH, WIDTH, blocks=1, dropout=0.1, gates=PositionalGates(beta=0.1))
    metric = tfrs.metrics.FactorizedTopK(
        catalogue(IDS).map(lambda ids, items: (ids, tower(items))), ks=(10,)
    )
    task = tfrs.tasks.Retrieval(metrics=metric, temperature=0.5, remove_accidental_hits=True)
    model = SequenceRetrieval(backbone, tower, task)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(batches(count, seed=0), epochs=epochs, verbose=0)
    found = model.evaluate(batches(500, seed=1), return_dict=True, verbose=0)
    hits = float(found["factorized_top_k/top_10_categorical_accuracy"])
    print(f"The next item is among the top 10 of {ITEMS} for {hits:.1%} of new shoppers")

    history = {"item_ids": tf.constant(make_histories(1, seed=2)[0])}
    _, best = model.index(catalogue(IDS), k=3).query_with_exclusions(history, history["item_ids"])
    print(f"After {history['item_ids'][0].numpy()}: {best[0].numpy()}")

    new = np.arange(1, 2 * ITEMS + 1, dtype=np.int32)  # as many again, which nobody bought yet
    _, best = model.index(catalogue(new), k=6)(history)
    print(f"With new items listed: {best[0].numpy()}")
    return hits


if __name__ == "__main__":
    main()
