"""Attention, layer normalisation and the Transformer block in a few lines of NumPy each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def array(variable: Any) -> np.ndarray:
    return np.asarray(variable, np.float64)


def dense(layer: Any, x: np.ndarray, equation: str = "bnd,de->bne") -> np.ndarray:
    y = np.einsum(equation, x, array(layer.kernel))
    return y if layer.bias is None else y + array(layer.bias)


def normalize(layer: Any, x: np.ndarray) -> np.ndarray:
    centered = x - x.mean(-1, keepdims=True)
    scale = np.sqrt(x.var(-1, keepdims=True) + layer.epsilon)
    return centered / scale * array(layer.gamma) + array(layer.beta)


def softmax(scores: np.ndarray, visible: np.ndarray) -> np.ndarray:
    powers = np.where(visible, np.exp(scores - scores.max(-1, keepdims=True)), 0.0)
    total = powers.sum(-1, keepdims=True)
    return np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)


def attention(
    layer: Any,
    query: np.ndarray,
    value: np.ndarray,
    key: np.ndarray | None = None,
    visible: np.ndarray | bool = True,
    gates: np.ndarray | float = 1.0,
    renormalize: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The output `[B, n, d]` and the gated weights `[B, H, n, m]`.

    `visible` is broadcastable to `[B, n, m]`, `gates` to `[B, H, n, m]`.
    """
    heads = "bnd,dhk->bnhk"
    q = dense(layer.query_dense, query, heads)
    k = dense(layer.key_dense, value if key is None else key, heads)
    v = dense(layer.value_dense, value, heads)
    scores = np.einsum("bnhk,bmhk->bhnm", q, k) / np.sqrt(q.shape[-1])
    shape = (scores.shape[0], *scores.shape[2:])
    weights = softmax(scores, np.broadcast_to(visible, shape)[:, np.newaxis]) * gates
    if renormalize:
        total = weights.sum(-1, keepdims=True)
        weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    mixed = np.einsum("bhnm,bmhk->bnhk", weights, v)
    return dense(layer.output_dense, mixed, "bnhk,hkd->bnd"), weights


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))) / 2


def feed_forward(block: Any, x: np.ndarray) -> np.ndarray:
    inner = dense(block.inner, x)
    is_gelu = block.activation.__name__ == "gelu"
    return dense(block.outer, gelu(inner) if is_gelu else np.maximum(inner, 0.0))


def transformer_block(
    block: Any,
    x: np.ndarray,
    mask: np.ndarray | None = None,
    gates: Any = 1.0,
    attention: Callable[..., tuple[np.ndarray, np.ndarray]] = attention,
) -> np.ndarray:
    """The block at inference: `x` `[B, n, d]`, `mask` `[B, n]`, True at items."""
    length = x.shape[1]
    visible = np.tril(np.ones((length, length), bool)) if block.causal else np.True_
    if mask is not None:
        visible = visible & mask[:, np.newaxis, :]

    def attend(y: np.ndarray) -> np.ndarray:
        return attention(block.attention, y, y, visible=visible, gates=gates)[0]

    if block.norm == "pre":
        x = x + attend(normalize(block.attention_norm, x))
        return x + feed_forward(block, normalize(block.feedforward_norm, x))
    x = normalize(block.attention_norm, x + attend(x))
    return normalize(block.feedforward_norm, x + feed_forward(block, x))


def randomize(layer: Any, seed: int = 0, scale: float = 0.5) -> None:
    """Give every trainable weight a random value, so that none is zero or one by default."""
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(rng.normal(0.0, scale, variable.shape))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
