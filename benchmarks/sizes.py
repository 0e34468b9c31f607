"""The sizes of the model that every contender builds."""

from __future__ import annotations

import dataclasses

KEPT_BATCHES = 8
"""How many batches a contender keeps in memory, at most, for steps without their data."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """SASRec's sizes, and how it is trained: Adam, one optimizer step a batch.

    Attributes
    ----------
    length, width, layers, heads
        n, d, L and H.
    batch
        Sequences in a batch.
    dropout, learning_rate
        Of training.
    """

    length: int = 50
    width: int = 50
    layers: int = 2
    heads: int = 2
    batch: int = 128
    dropout: float = 0.2
    learning_rate: float = 1e-3

    def __str__(self) -> str:
        return (
            f"n = {self.length}, d = {self.width}, L = {self.layers}, H = {self.heads}, "
            f"batch {self.batch}, dropout {self.dropout}, Adam {self.learning_rate:g}"
        )
