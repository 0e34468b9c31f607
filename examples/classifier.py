"""A classifier of sequences, a quarter of which is noise: the layers in a model of your own.

    python examples/classifier.py

It reads the last twelve items of a user of the synthetic log, and says which of six groups the
next one is from. The same layers are trained by `DenoisingModel`, whose gates get an unbiased
gradient, and by a plain `keras.Model`, whose gates train by straight-through.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import prepare, synthetic_log
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    PositionalGates,
)
from tf_recdenoiser.training import DenoisingModel

keras = tf.keras

LENGTH, GROUPS, ITEMS, HIDDEN_DIM = 12, 6, 120, 16


def make_data(users: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each user's items before the last `[users, LENGTH]`, and the group of the last `[users]`."""
    made = synthetic_log(users, ITEMS, GROUPS, length=(LENGTH + 1, LENGTH + 1), seed=seed)
    dataset = prepare(made.log)
    sequences = np.stack([dataset.sequence(user) for user in range(users)])
    # An id such as c03-i007 begins with the group.
    groups = np.array([int(item[1:3]) for item in dataset.item_ids])
    return sequences[:, :-1], groups[sequences[:, -1] - 1]


def make_model(kind: type, gated: bool) -> keras.Model:
    """A functional model of this `kind`, with or without what denoises."""
    inputs = keras.Input([LENGTH], dtype="int32")
    x = keras.layers.Embedding(ITEMS + 1, HIDDEN_DIM)(inputs)
    gates = PositionalGates(beta=0.05) if gated else None
    attended = DenoisingMultiHeadAttention(2, HIDDEN_DIM // 2, gates=gates, name="attention")(x, x)
    block = keras.layers.Dense(HIDDEN_DIM, activation="relu", name="mix")
    if gated:
        block = JacobianRegularizedBlock(block, gamma=1e-3)
    x = block(keras.layers.LayerNormalization()(x + attended))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return kind(inputs=inputs, outputs=keras.layers.Dense(GROUPS, activation="softmax")(x))


def keep_probabilities(model: keras.Model) -> np.ndarray:
    """How likely each edge is kept, `[LENGTH, LENGTH]`: from a position (row) to another."""
    return tf.sigmoid(tf.convert_to_tensor(model.get_layer("attention").gates.logits)).numpy()


def main(users: int = 2000, epochs: int = 12) -> dict[str, float]:
    """Train the models, and say how often each is right on users it has not seen."""
    keras.utils.set_random_seed(1)
    train, (histories, groups) = make_data(users, seed=0), make_data(1000, seed=1)
    found = {}
    for name, kind, gated in (
        ("DenoisingModel", DenoisingModel, True),
        ("keras.Model, the same layers", keras.Model, True),
        ("keras.Model, no gates", keras.Model, False),
    ):
        model = make_model(kind, gated)
        model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
        model.fit(*train, batch_size=64, epochs=epochs, verbose=0)
        right = model.predict(histories, verbose=0).argmax(-1) == groups
        found[name] = float(right.mean())
        print(f"{name:29} right for {found[name]:.1%} of new users", end="")
        if gated:
            print(f", {(keep_probabilities(model) > 0.5).mean():.0%} of edges kept", end="")
        print()
    return found


if __name__ == "__main__":
    main()
