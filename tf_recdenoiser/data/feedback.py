"""What users disliked, as numbers of a log say it: ratings, yes and no, or time spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import polars as pl

from tf_recdenoiser.data.log import DataError


@dataclass(frozen=True)
class Thresholds:
    """Which numbers say that an item was disliked, and which that it was liked.

    Attributes
    ----------
    disliked_below, disliked_above
        What is below the one, or above the other, was disliked; None (default): nothing is. With
        neither, numbers must be 1 for what was disliked and 0 for what was liked.
    liked_from
        With one of the two: the number from which on, away from it, an item was liked, and what is
        between is neither. None (default): all that was not disliked was liked.

    Raises
    ------
    DataError
        If one is no finite number, or if they do not go together.

    Examples
    --------
    >>> stars = pl.Series([1, 3, 4, None])
    >>> Thresholds(disliked_below=3, liked_from=4).disliked(stars).to_list()
    [1.0, 0.5, 0.0, None]
    >>> Thresholds().disliked(pl.Series([1, 0])).to_list()
    [1.0, 0.0]
    """

    disliked_below: float | None = None
    disliked_above: float | None = None
    liked_from: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.given().items():
            if not _is_finite(value):
                raise DataError(f"`{name}` must be a finite number. Received: {value!r}")
        low, high = self._ends
        if low > high:
            raise DataError(
                "`disliked_below` must not be above `disliked_above`, or all would be disliked. "
                f"Received: {self}"
            )
        if self.liked_from is None:
            return
        if math.isfinite(low) == math.isfinite(high):
            raise DataError(
                "`liked_from` must go with one of `disliked_below` and `disliked_above`, which "
                f"says to which side of it is liked. Received: {self}"
            )
        if not low <= self.liked_from <= high:
            raise DataError(f"`liked_from` must not be a number that is disliked. Received: {self}")

    def __str__(self) -> str:
        return ", ".join(f"{name}={value:g}" for name, value in self.given().items())

    def given(self) -> dict[str, float]:
        """Those that are not None, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def disliked(self, values: pl.Series) -> pl.Series:
        """1 for a number that says disliked, 0 for liked, 0.5 for neither, null for null.

        Raises
        ------
        DataError
            If there is no threshold, and numbers other than 0 and 1.
        """
        if not self.given() and not ((values == 0) | (values == 1)).all():
            raise DataError(
                "Feedback must be yes where an item was disliked and no elsewhere, or numbers with "
                "a threshold; give --disliked-below or --disliked-above (in Python: "
                f"disliked_below, disliked_above). Received: {_range(values)}, and no threshold"
            )
        low, high = self._ends if self.given() else (-math.inf, 0)
        is_disliked = (values < low) | (values > high)
        if self.liked_from is None:
            is_liked = ~is_disliked
        elif self.disliked_above is None:
            is_liked = values >= self.liked_from
        else:
            is_liked = values <= self.liked_from
        level = pl.when(is_disliked).then(1.0).when(is_liked).then(0.0).otherwise(0.5)
        return pl.select(pl.when(values.is_not_null()).then(level)).to_series()

    def describe(self, values: pl.Series) -> str:
        """How many rows are disliked, liked, neither and unknown; with thresholds, of what numbers.

        Examples
        --------
        >>> Thresholds(disliked_below=3).describe(pl.Series([1, 3, 5, None]))
        '1 disliked (25.0%), 2 liked (50.0%), 1 unknown (25.0%), of numbers from 1 to 5'
        """
        disliked = self.disliked(values)
        counts = {name: int((disliked == level).sum()) for name, level in _LEVELS.items()}
        counts["unknown"] = disliked.null_count()
        parts = [
            f"{count:,} {name} ({count / len(values):.1%})"
            for name, count in counts.items()
            if count or name == "disliked"
        ]
        return ", ".join(parts) + (f", of {_range(values)}" if self.given() else "")

    @property
    def _ends(self) -> tuple[float, float]:
        """The least and the greatest number that is not disliked."""
        low, high = self.disliked_below, self.disliked_above
        return -math.inf if low is None else low, math.inf if high is None else high


def _is_finite(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


_LEVELS = {"disliked": 1, "liked": 0, "neither": 0.5}


def _range(values: pl.Series) -> str:
    if not values.count():
        return "no number"
    least, greatest = (float(end) for end in (values.min(), values.max()))  # type: ignore[arg-type]
    return f"numbers from {least:,.10g} to {greatest:,.10g}"
