"""Pieces in turn, in the process that asks for them."""

from __future__ import annotations

from collections.abc import Callable

from tf_recdenoiser.data.prepared.engines.base import Engine, Piece


class Local(Engine):
    """Does pieces one after the other, in the memory of one; Polars uses all cores for each."""

    def run(self, piece: Piece, count: int, advance: Callable[[], None]) -> None:
        for number in range(count):
            piece(number)
            advance()
