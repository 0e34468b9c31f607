"""A TFRS model that retrieves the next item by what is known of items, and denoises.

    TF_USE_LEGACY_KERAS=1 python examples/retrieval.py

The query tower is a SASRec with gates, which reads histories of the synthetic log. The candidate
tower knows items by their group and their rank in it, so that items which nobody has bought yet
are found as soon as they are listed.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from tf_recdenoiser.backbones import SASRec
from tf_recdenoiser.data import Dataset, prepare, synthetic_log
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.retrieval import DenoisingRetrieval

keras = tf.keras

LENGTH, ITEMS, GROUPS, HIDDEN_DIM = 12, 120, 8, 24


class ItemTower(keras.Model):
    """From what is known of items to their vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.group = keras.layers.Embedding(GROUPS, HIDDEN_DIM)
        self.rank = keras.Sequential(
            [keras.layers.Dense(HIDDEN_DIM, activation="relu"), keras.layers.Dense(HIDDEN_DIM)]
        )

    def call(self, items: dict[str, tf.Tensor]) -> tf.Tensor:
        return self.group(items["group"]) + self.rank(items["rank"][:, tf.newaxis])


def features(raw_ids: np.ndarray) -> dict[str, np.ndarray]:
    """What is known of items: c03-i007 is in group 3, and of rank 7 in it."""
    parts = [item.split("-")[-2:] for item in raw_ids.tolist()]
    return {
        "group": np.array([int(group[1:]) for group, _ in parts], np.int32),
        "rank": np.log1p([float(rank[1:]) for _, rank in parts]).astype(np.float32),
    }


def catalogue(raw_ids: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((raw_ids, features(raw_ids))).batch(64)


def batches(dataset: Dataset, users: range) -> tf.data.Dataset:
    """Each user's items before the last, and the last, with the share of histories it ends."""
    sequences = np.stack([dataset.sequence(user) for user in users])
    histories, following = sequences[:, :-1], sequences[:, -1]
    counts = np.bincount(dataset.items, minlength=ITEMS + 1)
    raw = dataset.item_ids[following - 1]
    return tf.data.Dataset.from_tensor_slices(
        {
            "item_ids": histories,
            "candidate": features(raw),
            "candidate_ids": raw,
            # Popular items are negatives more often than others, which the task corrects.
            "candidate_sampling_probability": (counts / counts.sum())[following].astype("float32"),
        }
    ).batch(128)


def main(users: int = 3000, epochs: int = 10) -> float:
    """Train, evaluate and recommend; how often a new user's next item is in the top 10."""
    keras.utils.set_random_seed(1)
    length = (LENGTH + 1, LENGTH + 1)
    dataset = prepare(synthetic_log(users + 500, ITEMS, GROUPS, length=length, seed=0).log)
    sold = dataset.item_ids

    tower = ItemTower()
    top_10 = tfrs.metrics.FactorizedTopK(
        catalogue(sold).map(lambda ids, items: (ids, tower(items))), ks=(10,)
    )
    task = tfrs.tasks.Retrieval(metrics=top_10, temperature=0.5, remove_accidental_hits=True)
    backbone = SASRec(
        ITEMS, LENGTH, HIDDEN_DIM, num_layers=1, dropout=0.1, gates=PositionalGates(beta=0.5)
    )
    model = DenoisingRetrieval(backbone, tower, task)
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(batches(dataset, range(users)), epochs=epochs, verbose=0).history
    print(f"Edges kept: {history['density_1'][-1]:.0%}")
    new_users = batches(dataset, range(users, users + 500))
    found = model.evaluate(new_users, return_dict=True, verbose=0)
    hits = float(found["factorized_top_k/top_10_categorical_accuracy"])
    print(f"The next item of {hits:.1%} of new users is in the top 10 of {ITEMS}")

    codes = dataset.sequence(users)[np.newaxis, :-1]
    seen = sold[codes - 1]
    print(f"After {' '.join(seen[0])}")
    asked = {"item_ids": tf.constant(codes)}
    index = model.index(catalogue(sold), k=5)
    _, best = index.query_with_exclusions(asked, tf.constant(seen))
    print(f"come {b' '.join(best.numpy()[0]).decode()}")

    # Items that nobody has bought yet come into the index without training.
    listed = np.array([f"new-c{group:02d}-i005" for group in range(GROUPS)])
    _, best = model.index(catalogue(np.concatenate([sold, listed])), k=10)(asked)
    new = [item.decode() for item in best.numpy()[0] if item.startswith(b"new")]
    print(f"and of those just listed {' '.join(new) or 'none'}")
    return hits


if __name__ == "__main__":
    main()
