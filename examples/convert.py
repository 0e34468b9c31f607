"""A recommender made of Keras' own layers, trained by Keras, then converted and trained on.

    python examples/convert.py

`denoise` puts gates into its attention and wraps its feed-forward blocks. With all gates open
nothing has changed; what training goes on to close is what the model can do without.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import prepare, synthetic_log
from tf_recdenoiser.layers import PositionalGates
from tf_recdenoiser.training import denoise

keras = tf.keras

LENGTH, ITEMS, HIDDEN_DIM = 12, 60, 24


def make_sequences(users: int) -> np.ndarray:
    """The items of each user, `[users, LENGTH + 1]`; a quarter of what is not last is noise."""
    made = synthetic_log(users, ITEMS, clusters=6, length=(LENGTH + 1, LENGTH + 1), seed=0)
    dataset = prepare(made.log)
    return np.stack([dataset.sequence(user) for user in range(users)])


def make_model() -> keras.Model:
    """From items `[B, LENGTH]` to the scores of what comes after each `[B, LENGTH, ITEMS + 1]`."""
    inputs = keras.Input([LENGTH], dtype="int32")
    x = keras.layers.Embedding(ITEMS + 1, HIDDEN_DIM)(inputs)
    x = keras.layers.Dropout(0.1)(x)
    for block in (1, 2):
        attention = keras.layers.MultiHeadAttention(2, HIDDEN_DIM // 2, name=f"attention_{block}")
        x = keras.layers.LayerNormalization()(x + attention(x, x, use_causal_mask=True))
        x = keras.layers.Dense(HIDDEN_DIM, activation="relu", name=f"feed_forward_{block}")(x)
    return keras.Model(inputs, keras.layers.Dense(ITEMS + 1)(x))


def hit_rate(model: keras.Model, sequences: np.ndarray) -> float:
    """How often the last item is among the five with the highest scores."""
    scores = model.predict(sequences[:, :-1], verbose=0)[:, -1]
    target = np.take_along_axis(scores, sequences[:, -1:], axis=1)
    return float(np.mean((scores >= target).sum(1) <= 5))


def fit(model: keras.Model, sequences: np.ndarray, epochs: int, **options: bool) -> dict:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss=loss, **options)
    x, y = sequences[:, :-1], sequences[:, 1:]
    return model.fit(x, y, batch_size=64, epochs=epochs, verbose=0).history


def main(users: int = 1500, epochs: int = 8) -> tuple[float, float]:
    """Train, convert, train on; how often the next item is found before and after."""
    keras.utils.set_random_seed(1)
    sequences = make_sequences(users + 500)
    train, test = sequences[:users], sequences[users:]
    model = make_model()
    fit(model, train, epochs)
    before = hit_rate(model, test)

    opened = denoise(model, PositionalGates(initial_keep=1.0))
    x = test[:, :-1]
    difference = np.abs(opened.predict(x, verbose=0) - model.predict(x, verbose=0)).max()
    print(f"With all gates open no score differs by more than {difference:.0e}")

    blocks = ["feed_forward_1", "feed_forward_2"]
    converted = denoise(model, PositionalGates(beta=5.0), blocks=blocks, gamma=1e-3)
    # `credit` is for causal models: a gate answers for what comes after it alone.
    history = fit(converted, train, epochs, credit=True)
    after = hit_rate(converted, test)
    print(f"Next item among the best 5 of {ITEMS}: {before:.1%}, trained on with gates {after:.1%}")
    kept = ", ".join(f"{history[f'density_{layer}'][-1]:.0%}" for layer in (1, 2))
    print(f"Edges kept in the two layers: {kept}")
    return before, after


if __name__ == "__main__":
    main()
