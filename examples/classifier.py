"""A classifier of sequences in which most of what is read is noise; no recommender at all.

    python examples/classifier.py

Each sequence holds eight tokens, of which a few tell its class and the rest are drawn at random.
Three models read it: one of this package's layers under `DenoisingModel`, whose gates an unbiased
estimator trains; the same layers under a plain `keras.Model`, whose gates train by
straight-through; and one made of Keras' own layers, trained by Keras and then converted.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    JacobianRegularizedBlock,
    PositionalGates,
)
from tf_recdenoiser.training import DenoisingModel, denoise

keras = tf.keras

LENGTH, CLASSES, NOISE_TOKENS, WIDTH = 8, 3, 12, 16
TELLING = (1, 4)
"""The positions that are read for the class; a token below CLASSES there is the class."""


def make_data(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens `[count, LENGTH]` and classes `[count]`."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(CLASSES, size=count)
    tokens = rng.integers(CLASSES + NOISE_TOKENS, size=(count, LENGTH))
    for position in TELLING:
        tokens[:, position] = np.where(rng.random(count) < 0.8, classes, tokens[:, position])
    return tokens.astype(np.int32), classes.astype(np.int32)


def functional_model(attention: keras.layers.Layer, wrap=lambda block: block) -> tuple:
    """Inputs and outputs of one attention layer and one block, which `wrap` may wrap."""
    inputs = keras.Input([LENGTH], dtype="int32")
    x = keras.layers.Embedding(CLASSES + NOISE_TOKENS, WIDTH)(inputs)
    x = keras.layers.Add()([x, attention(x, x)])
    x = wrap(keras.layers.Dense(WIDTH, activation="relu", name="mix"))(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return inputs, keras.layers.Dense(CLASSES, activation="softmax")(x)


def gated_model(kind: type = DenoisingModel) -> keras.Model:
    """The functional model, with gates and a Jacobian penalty, as a model of this `kind`."""
    inputs, outputs = functional_model(
        DenoisingMultiHeadAttention(2, WIDTH // 2, gates=PositionalGates(beta=0.01)),
        lambda block: JacobianRegularizedBlock(block, gamma=1e-4),
    )
    return kind(inputs=inputs, outputs=outputs)


def accuracy(model: keras.Model, data: tuple[np.ndarray, np.ndarray]) -> float:
    tokens, classes = data
    return float(np.mean(model.predict(tokens, verbose=0).argmax(-1) == classes))


def fit(model: keras.Model, data: tuple[np.ndarray, np.ndarray], epochs: int) -> keras.Model:
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    model.fit(*data, batch_size=64, epochs=epochs, verbose=0)
    return model


def main(count: int = 2000, epochs: int = 10) -> dict[str, float]:
    """Train the three models and say how often each is right on new sequences."""
    keras.utils.set_random_seed(1)
    train, test = make_data(count, seed=0), make_data(1000, seed=1)
    found = {
        "DenoisingModel": accuracy(fit(gated_model(), train, epochs), test),
        "keras.Model": accuracy(fit(gated_model(keras.Model), train, epochs), test),
    }

    inputs, outputs = functional_model(keras.layers.MultiHeadAttention(2, WIDTH // 2))
    plain = fit(keras.Model(inputs, outputs), train, epochs)
    found["Keras' attention"] = accuracy(plain, test)
    converted = denoise(plain, PositionalGates(beta=0.01), blocks=["mix"], gamma=1e-4)
    found["converted, trained on"] = accuracy(fit(converted, train, epochs // 2), test)

    for name, share in found.items():
        print(f"{name:22} right on {share:.1%} of new sequences")
    return found


if __name__ == "__main__":
    main()
