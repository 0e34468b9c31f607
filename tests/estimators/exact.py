"""The exact expectation and gradient, by enumerating every state of the gates."""

from __future__ import annotations

import numpy as np

from tf_recdenoiser.ops.checks import require


def gate_states(count: int) -> np.ndarray:
    """All states of `count` binary gates, float64 `[2**count, count]`.

    Examples
    --------
    >>> gate_states(2)
    array([[0., 0.],
           [1., 0.],
           [0., 1.],
           [1., 1.]])
    """
    require(0 < count <= 24, "count", count, "be from 1 to 24, since 2**count states are listed")
    codes = np.arange(2**count)[:, np.newaxis]
    return ((codes >> np.arange(count)) & 1).astype(np.float64)


def exact_gradient(logits: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The exact gradient of E[f(Z)] in the logits, for Z ~ Bernoulli(sigma(logits)).

    sum_z P(z) f(z) (z - sigma(logits)), over every state z.

    Parameters
    ----------
    logits
        `[m]`.
    losses
        f for each of `gate_states(m)`, `[2**m]`.

    Returns
    -------
    Float64 `[m]`.

    Examples
    --------
    For f(z) = z the gradient is the sigmoid's derivative.

    >>> exact_gradient(np.zeros(1), np.array([0.0, 1.0]))
    array([0.25])
    """
    logits = np.asarray(logits, np.float64)
    losses = np.asarray(losses, np.float64)
    if losses.shape != (2**logits.size,):
        raise ValueError(
            "`losses` must hold one loss for each state of the gates. Received: "
            f"shape {losses.shape} for {logits.size} gates"
        )
    probability = 1.0 / (1.0 + np.exp(-logits))
    states = gate_states(logits.size)
    weight = np.prod(np.where(states == 1, probability, 1 - probability), axis=1)
    return (weight * losses) @ (states - probability)
