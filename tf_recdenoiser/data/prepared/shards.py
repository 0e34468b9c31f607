"""Second stage: each shard of users by itself, its rows sorted and coded, a line a user."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data.log import PER_SECOND
from tf_recdenoiser.data.prepare import no_core
from tf_recdenoiser.data.prepared.parts import Parts
from tf_recdenoiser.data.prepared.plan import Plan
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


ITEMS = "items.parquet"
"""The file of all items' ids."""


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"shard-{number:05}.parquet"


def count_items(work: Path, number: int) -> None:
    """Count the rows of each item in the core so far of a shard.

    Parameters
    ----------
    work
        The folder in which the rows lie, and the ids of the items that are in the core so far.
    number
        Of the shard.
    """
    parts = Parts(work)
    rows = in_core(
        parts.without_repeats(parts.rows(number)), core_items(work), Plan.read(work).k_core
    )
    with written_whole(_counts_path(work, number)) as path:
        rows["item"].value_counts().write_parquet(path)


def next_core(work: Path) -> bool:
    """Take the items out of the core so far that have too few rows; whether there are any.

    Raises
    ------
    DataError
        If nothing is left.
    """
    plan, items = Plan.read(work), core_items(work)
    counts = [pl.read_parquet(_counts_path(work, number)) for number in range(plan.shards)]
    total = pl.concat(counts).group_by("item").agg(pl.col("count").sum())
    left = total.filter(pl.col("count") >= plan.k_core)["item"].sort()
    if left.is_empty():
        raise no_core(plan.k_core)
    set_core_items(work, left)
    return len(left) < len(items)


def core_items(work: Path) -> pl.Series:
    """The ids of the items that are in the core so far, rising."""
    return pl.read_parquet(work / ITEMS)["item"]


def set_core_items(work: Path, items: pl.Series) -> None:
    """Write down what `core_items` reads."""
    with written_whole(work / ITEMS) as path:
        pl.DataFrame({"item": items}).write_parquet(path)


def in_core(rows: pl.DataFrame, items: pl.Series, k: int) -> pl.DataFrame:
    """The rows of these items and of users who have k of them or more."""
    rows = rows.filter(pl.col("item").is_in(items.implode()))
    return rows.filter(pl.len().over("user") >= k) if k > 1 else rows


def write_shard(work: Path, number: int) -> None:
    """Write the sequences of a shard's users, unless that was done before.

    Parameters
    ----------
    work
        The folder in which the rows lie, within that of the data set.
    number
        Of the shard.
    """
    if _shard_record_path(work, number).exists():
        return
    parts, items = Parts(work), core_items(work)
    rows = parts.rows(number)
    repeats = int(rows["is_repeat"].sum())
    rows = in_core(parts.without_repeats(rows), items, Plan.read(work).k_core)
    table = sequences(rows, items, parts.time_unit)
    with written_whole(work.parent / shard_name(number)) as path:
        table.write_parquet(path)
    lengths = table["items"].list.len().to_numpy()
    learned = int(is_learned(training_lengths(lengths)).sum())
    counts = ShardCounts(table.height, learned, int(lengths.sum()), repeats)
    with written_whole(_shard_record_path(work, number)) as path:
        path.write_text(json.dumps(dataclasses.asdict(counts)), encoding="utf-8")


def shard_counts(work: Path) -> list[ShardCounts]:
    """Of all shards, once they are written."""
    return [
        ShardCounts(**json.loads(_shard_record_path(work, number).read_text("utf-8")))
        for number in range(Plan.read(work).shards)
    ]


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


def _shard_record_path(work: Path, number: int) -> Path:
    return work / f"shard-{number:05}.json"


def _counts_path(work: Path, number: int) -> Path:
    return work / f"counts-{number:05}.parquet"
