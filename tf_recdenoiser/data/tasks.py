"""Tasks: what of a window of items a model reads, and what it is to tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Window = dict[str, npt.NDArray[Any]]
"""`item_ids`, and `times` and `clean_probability` where wanted, `[B, m]` each, left-padded."""

Example = tuple[Window, npt.NDArray[np.int32], npt.NDArray[Any]]
"""What is read, the true item of each position (0 for none) and its weight, `[B, n]` each."""


class Task(Protocol):
    """How windows of n + `further` items become examples of n positions."""

    @property
    def further(self) -> int:
        """How many items a window has beyond the positions that are read."""

    def __call__(
        self, window: Window, weights: npt.NDArray[Any], rng: np.random.Generator
    ) -> Example:
        """The example of a batch of windows.

        Parameters
        ----------
        window
            What may be read, `[B, n + further]`.
        weights
            Of each item as a target, `[B, n + further]`.
        rng
            Where the randomness comes from.
        """


@dataclass(frozen=True)
class NextItem:
    """Each position tells the item that comes after it, as SASRec is trained.

    Examples
    --------
    >>> window = {"item_ids": np.array([[0, 1, 2]])}
    >>> NextItem()(window, np.ones([1, 3]), np.random.default_rng(0))
    ({'item_ids': array([[0, 1]])}, array([[0, 2]]), array([[0., 1.]]))
    """

    @property
    def further(self) -> int:
        return 1

    def __call__(
        self, window: Window, weights: npt.NDArray[Any], rng: np.random.Generator
    ) -> Example:
        read = {name: values[:, :-1] for name, values in window.items()}
        is_item = read["item_ids"] > 0
        return read, window["item_ids"][:, 1:] * is_item, weights[:, 1:] * is_item
