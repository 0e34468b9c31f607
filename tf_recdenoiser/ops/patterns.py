"""Static patterns of attention: which of n positions may look at which, decided beforehand.

A new pattern is one function and one line in `PATTERNS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def _offsets(length: int) -> np.ndarray:
    """How far the attended position v lies before the querying u: u - v, `[n, n]`."""
    positions = np.arange(length)
    return positions[:, np.newaxis] - positions


def _stride(length: int, stride: int | None) -> int:
    """The stride, by default near sqrt(n), as the Sparse Transformer has it."""
    stride = math.ceil(math.sqrt(length)) if stride is None else stride
    _at_least(1, stride=stride)
    return stride


def _at_least(least: int, **options: int) -> None:
    for name, value in options.items():
        if value < least:
            raise ValueError(f"`{name}` must be at least {least}. Received: {name}={value}")


def strided(length: int, stride: int | None = None) -> np.ndarray:
    """The last `stride` positions, and each `stride`-th one (Child et al. 2019, arXiv 1904.10509).

    The paper's two heads merged into one, and on either side; `stride` is ceil(sqrt(n)) by
    default.

    Examples
    --------
    >>> strided(5, stride=3)[4]
    array([False,  True,  True,  True,  True])
    """
    offsets, stride = np.abs(_offsets(length)), _stride(length, stride)
    return (offsets < stride) | (offsets % stride == 0)


def fixed(length: int, stride: int | None = None, summaries: int = 1) -> np.ndarray:
    """The own block of `stride` positions, and the last `summaries` of each block.

    Child et al. 2019, its two heads merged into one. Blocks are counted from the newest position,
    which ends one; `stride` is ceil(sqrt(n)) by default.

    Examples
    --------
    >>> fixed(6, stride=2)[5]
    array([False,  True, False,  True,  True,  True])
    """
    stride = _stride(length, stride)
    _at_least(0, summaries=summaries)
    from_newest = np.arange(length) - length
    num_layers, places = from_newest // stride, from_newest % stride
    return (num_layers[:, np.newaxis] == num_layers) | (places >= stride - summaries)


def sliding_window(length: int, width: int = 8) -> np.ndarray:
    """Up to `width` positions away on either side (Longformer: Beltagy et al. 2020).

    Examples
    --------
    >>> sliding_window(4, width=1)[2]
    array([False,  True,  True,  True])
    """
    _at_least(0, width=width)
    return np.abs(_offsets(length)) <= width


def dilated_window(length: int, width: int = 8, dilation: int = 2) -> np.ndarray:
    """Each `dilation`-th of the positions, `width` of them on either side (Longformer).

    Examples
    --------
    >>> dilated_window(6, width=2, dilation=2)[5]
    array([False,  True, False,  True, False,  True])
    """
    _at_least(0, width=width)
    _at_least(1, dilation=dilation)
    offsets = np.abs(_offsets(length))
    return (offsets <= width * dilation) & (offsets % dilation == 0)


def local_global(length: int, width: int = 8, hubs: int = 2) -> np.ndarray:
    """A sliding window, and the first `hubs` positions, which see and are seen by all.

    Longformer. The first positions are the oldest, since in a causal model these alone can be
    seen by all; in a history too short to reach them they are padding, and the window is left.

    Examples
    --------
    >>> local_global(5, width=1, hubs=1)[4]
    array([ True, False, False,  True,  True])
    """
    _at_least(0, hubs=hubs)
    positions = np.arange(length)
    return sliding_window(length, width) | (positions[:, np.newaxis] < hubs) | (positions < hubs)


def local_global_random(
    length: int, width: int = 8, hubs: int = 2, edges: int = 3, seed: int = 0
) -> np.ndarray:
    """`local_global`, and for each position `edges` more at random on either side of it.

    BigBird (Zaheer et al. 2020). The same `seed` gives the same edges, in every layer and every
    run; if fewer positions are left on one side, all of them are taken.

    Examples
    --------
    >>> [int(local_global_random(20, width=1, hubs=1, edges=k)[19].sum()) for k in (0, 3)]
    [3, 6]
    """
    _at_least(0, edges=edges)
    pattern = local_global(length, width, hubs)
    noise = np.random.default_rng(seed).random((length, length))
    offsets = _offsets(length)
    for side in (offsets > 0, offsets < 0):
        pattern |= _first(noise, side & ~pattern, edges)
    return pattern


def _first(noise: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """In each row the `count` entries with the least noise of those that are `among`."""
    ranks = np.where(among, noise, np.inf).argsort(axis=1).argsort(axis=1)
    return among & (ranks < count)


def star(length: int) -> np.ndarray:
    """The neighbours on either side, and one hub that all see and that sees all.

    The topology of the Star-Transformer (Guo et al. 2019), with the oldest position for its relay
    and a ring that is not closed: `local_global` with a width and a hub of 1.

    Examples
    --------
    >>> star(5)[3]
    array([ True, False,  True,  True,  True])
    """
    return local_global(length, width=1, hubs=1)


PATTERNS: dict[str, Callable[..., np.ndarray]] = {
    "strided": strided,
    "fixed": fixed,
    "sliding_window": sliding_window,
    "dilated_window": dilated_window,
    "local_global": local_global,
    "local_global_random": local_global_random,
    "star": star,
}
"""Every pattern by name: a function of n, and of options, that gives boolean `[n, n]`.

The row u says what position u sees: always itself. A causal mask and padding still apply.
"""
