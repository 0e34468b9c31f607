"""From a log to sequences of item codes, as SASRec preprocesses it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tf_recdenoiser.data.dataset import Dataset
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.data.log import DataError, InteractionLog
from tf_recdenoiser.data.readers import read_log


def prepare(log: InteractionLog | Any, k_core: int = 0) -> Dataset:
    """Sort each user's interactions by time and replace the ids by codes.

    The sort is stable: the order of the log stands where times are equal or absent. Codes follow
    the order of the ids, so that they do not depend on the order of the log's rows.

    Parameters
    ----------
    log
        The interactions: an `InteractionLog`, or what `read_log` makes one of with no more said,
        such as a table of pandas or Polars, or the path of a file.
    k_core
        Keep the largest part of the log in which every user and every item has at least
        this many interactions (0 and 1: all of it).

    Raises
    ------
    DataError
        If the k-core is empty, or the log cannot be read.
    ValueError
        If `k_core` is negative.

    Examples
    --------
    >>> orders = {"customer": ["b", "a", "b"], "sku": [30, 30, 10], "created_at": [9, 5, 4]}
    >>> dataset = prepare(pl.DataFrame(orders))
    >>> dataset.user_ids, dataset.item_ids
    (array(['a', 'b'], dtype=object), array([10, 30]))
    >>> dataset.sequence(1)
    array([1, 2], dtype=int32)
    """
    if not isinstance(log, InteractionLog):
        log = read_log(log)
    table = _k_core(log.table, k_core)
    by = ["user", "time"] if log.has_times else ["user"]
    table = table.sort(by, maintain_order=True)
    times = replace(log, table=table).seconds
    users = table["user"].rle().struct.unnest()
    return Dataset(
        user_ids=users["value"].to_numpy(),
        item_ids=table["item"].unique().sort().to_numpy(),
        items=table["item"].rank("dense").cast(pl.Int32).to_numpy(),
        times=None if times is None else times.to_numpy(),
        offsets=offsets_of(users["len"].to_numpy()),
        disliked=_feedback(table),
    )


def _feedback(table: pl.DataFrame) -> npt.NDArray[np.float32] | None:
    if "disliked" not in table.columns:
        return None
    return table["disliked"].cast(pl.Float32).fill_null(math.nan).to_numpy()


def no_core(k: int) -> DataError:
    """What is said where nothing is left."""
    return DataError(
        "`k_core` must leave at least one interaction; choose a smaller one. "
        f"Received: {k!r}, which leaves none"
    )


def _k_core(table: pl.DataFrame, k: int) -> pl.DataFrame:
    if k < 0:
        raise ValueError(f"`k_core` must be at least 0. Received: {k!r}")
    if k <= 1:
        return table
    frequent = (pl.len().over("user") >= k) & (pl.len().over("item") >= k)
    while (kept := table.filter(frequent)).height < table.height:
        table = kept
    if table.is_empty():
        raise no_core(k)
    return table
