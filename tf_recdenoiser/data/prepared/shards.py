"""Second stage: each shard of users by itself, its rows sorted and coded, a line a user."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data.log import PER_SECOND, DataError
from tf_recdenoiser.data.prepared.parts import Parts
from tf_recdenoiser.data.split import is_learned, training_lengths


@dataclasses.dataclass(frozen=True)
class ShardCounts:
    """How many users and interactions a shard has, and how many of its rows repeat others.

    Of `learned` users something can be learned; see `user_codes`.
    """

    users: int
    learned: int
    interactions: int
    repeated_rows: int


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05}.parquet"


def core(parts: Parts, shards: int, k: int) -> pl.Series:
    """The ids of the items of the k-core, rising: every user and item has k rows or more in it.

    Parameters
    ----------
    parts
        The log.
    shards
        How many there are.
    k
        0 and 1: all items.

    Raises
    ------
    DataError
        If nothing is left.
    """
    items = parts.items()
    if k <= 1:
        return items
    while True:
        counts = [
            in_core(parts.without_repeats(parts.rows(shard)), items, k)["item"].value_counts()
            for shard in range(shards)
        ]
        total = pl.concat(counts).group_by("item").agg(pl.col("count").sum())
        left = total.filter(pl.col("count") >= k)["item"].sort()
        if len(left) == len(items):
            return items
        if left.is_empty():
            raise DataError(
                "`k_core` must leave at least one interaction; choose a smaller one. "
                f"Received: {k!r}, which leaves none"
            )
        items = left


def in_core(rows: pl.DataFrame, items: pl.Series, k: int) -> pl.DataFrame:
    """The rows of these items and of users who have k of them or more."""
    rows = rows.filter(pl.col("item").is_in(items.implode()))
    return rows.filter(pl.len().over("user") >= k) if k > 1 else rows


def write_shard(
    parts: Parts, number: int, items: pl.Series, k: int, folder: Path, work: Path
) -> ShardCounts:
    """Write the sequences of a shard's users, unless that was done before.

    Parameters
    ----------
    parts
        The log.
    number
        Of the shard.
    items
        The ids of all items, by code.
    k
        Of the k-core.
    folder, work
        Where shards lie, and what is only known while they are made.
    """
    record = work / f"shard-{number:05}.json"
    if not record.exists():
        rows = parts.rows(number)
        repeats = int(rows["is_repeat"].sum())
        table = sequences(in_core(parts.without_repeats(rows), items, k), items, parts.time_unit)
        with written_whole(folder / shard_name(number)) as path:
            table.write_parquet(path)
        lengths = table["items"].list.len().to_numpy()
        learned = int(is_learned(training_lengths(lengths)).sum())
        counts = ShardCounts(table.height, learned, int(lengths.sum()), repeats)
        with written_whole(record) as path:
            path.write_text(json.dumps(dataclasses.asdict(counts)), encoding="utf-8")
    return ShardCounts(**json.loads(record.read_text("utf-8")))


def sequences(rows: pl.DataFrame, items: pl.Series, time_unit: str | None) -> pl.DataFrame:
    """A line for each user with what they did, oldest first.

    Parameters
    ----------
    rows
        `user`, `item` and, if they are known, `time` and `disliked`, in the log's order, which
        stands where times are equal or absent.
    items
        The ids of all items, by code.
    time_unit
        Of the times; None for none.

    Returns
    -------
    `user`, rising, `items`, lists of codes from 1, and, if they are known, `times` in seconds and
    `disliked`, NaN where it is not known.

    Examples
    --------
    >>> rows = pl.DataFrame({"user": [8, 7, 8], "item": ["a", "b", "b"], "time": [5, 0, 2]})
    >>> sequences(rows, pl.Series(["a", "b"]), "s")["items"].to_list()
    [[2], [2, 1]]
    """
    codes = pl.DataFrame(
        {"item": items, "code": pl.int_range(1, len(items) + 1, dtype=pl.Int32, eager=True)}
    )
    by = ["user"] if time_unit is None else ["user", "time"]
    rows = rows.join(codes, on="item", maintain_order="left").sort(by, maintain_order=True)
    lists = [pl.col("code").alias("items")]
    if time_unit is not None:
        seconds = pl.col("time").cast(pl.Float64) / PER_SECOND[time_unit]
        lists.append(seconds.alias("times"))
    if "disliked" in rows.columns:
        known = pl.col("disliked").cast(pl.Float32).fill_null(float("nan"))
        lists.append(known.alias("disliked"))
    return rows.group_by("user", maintain_order=True).agg(lists)
