"""Gates that another model has learned, taken over as they are."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.layers import Gates, PositionalGates
from tf_recdenoiser.training.denoising_model import DenoisingModel


def fix_gates(
    model: DenoisingModel,
    source: DenoisingModel,
    shuffled: bool = False,
    seed: int = 0,
    causal: bool = True,
) -> None:
    """Give the gate layers of `model` the values of those of `source`, and no training.

    Parameters
    ----------
    model
        Its gate layers must have been made with `trainable=False`.
    source
        A model with the same kind of gates in the same layers.
    shuffled
        Put the logits of each row of each layer, of positional gates, into a random order: as
        many edges are open as before, in every row, and others; False by default.
    seed
        Of the order; 0 by default.
    causal
        Whether a row's logits are those up to its own position, the rest not being in use; True
        by default.

    Raises
    ------
    ValueError
        If the gate layers differ, may be trained, or cannot be shuffled.

    Examples
    --------
    >>> from tf_recdenoiser._keras import keras
    >>> from tf_recdenoiser.layers import DenoisingMultiHeadAttention
    >>> def gated(trainable):
    ...     gates = PositionalGates(trainable=trainable)
    ...     x = keras.Input([3, 4])
    ...     attention = DenoisingMultiHeadAttention(1, 4, gates=gates)
    ...     return DenoisingModel(inputs=x, outputs=attention(x, x))
    >>> source, model = gated(True), gated(False)
    >>> source.gate_layers[0].logits.assign([[-1.0, 0, 0], [2, 3, 0], [4, 5, 6]])
    <...>
    >>> fix_gates(model, source)
    >>> np.asarray(model.gate_layers[0].logits)[1]
    array([2., 3., 0.], dtype=float32)
    """
    rng = np.random.default_rng(seed)
    pairs = list(zip(model.gate_layers, source.gate_layers, strict=False))
    if not pairs or len(model.gate_layers) != len(source.gate_layers):
        raise ValueError(
            "Gates can be taken over by a model with the same gate layers. Received: "
            f"{len(source.gate_layers)} of them for {len(model.gate_layers)}"
        )
    for layer, learned in pairs:
        _check(layer, learned, shuffled)
        layer.set_weights(learned.get_weights())
        if shuffled:
            logits = np.asarray(learned.logits)
            layer.logits.assign(_shuffled(logits, causal, rng))


def _check(layer: Gates, learned: Gates, shuffled: bool) -> None:
    shapes = [[tuple(variable.shape) for variable in gates.variables] for gates in (layer, learned)]
    if type(layer) is not type(learned) or shapes[0] != shapes[1]:
        raise ValueError(
            "Gates can be taken over by gates of the same kind and size alone. Received: "
            f"{type(learned).__name__} {shapes[1]} for {type(layer).__name__} {shapes[0]}"
        )
    if layer.trainable:
        raise ValueError("Gates that are taken over must be made with `trainable=False`.")
    if shuffled and not isinstance(layer, PositionalGates):
        raise ValueError(
            "`shuffled` is for positional gates, which have a logit for each pair of positions. "
            f"Received: {type(layer).__name__}"
        )


def _shuffled(logits: np.ndarray, causal: bool, rng: np.random.Generator) -> np.ndarray:
    """The logits `[…, n, m]` of each row in a random order, of a causal one up to the diagonal."""
    logits = logits.copy()
    for row in range(logits.shape[-2]):
        used = row + 1 if causal else logits.shape[-1]
        logits[..., row, :used] = rng.permuted(logits[..., row, :used], axis=-1)
    return logits
