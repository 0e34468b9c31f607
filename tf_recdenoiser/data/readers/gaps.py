"""A line a user: `user item item …`, a tab, then the time before each item, the first 0.

The items are oldest first, and times count from each user's first item, in the unit of the gaps
(seconds, in the files that are published like this). No header.
"""

from __future__ import annotations

import re

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import broken_lines, first_line, read_lines
from tf_recdenoiser.data.rows import RawRows, as_bad_rows

_NUMBER = r"[0-9]+(?:\.[0-9]*)?"  # not \d: there are other digits than these


def _recognises(head: bytes, options: Options) -> bool:
    ids, _, gaps = first_line(head).partition("\t")
    numbers = gaps.split()
    return (
        not options.names.given()
        and len(numbers) == len(ids.split()) - 1 > 0
        and all(re.fullmatch(_NUMBER, number) for number in numbers)
        and float(numbers[0]) == 0
    )


def _read(source: Source, options: Options) -> RawRows:
    if options.names.given():
        raise DataError(
            "The format 'gaps' has no named columns; leave the names out or choose another "
            f"format. Received: {options.names.given()}"
        )
    parts = pl.col("text").str.split("\t")
    whole, broken = broken_lines(read_lines(source))
    lines = whole.select(
        "line",
        ids=parts.list.get(0).str.extract_all(r"\S+"),
        gaps=parts.list.get(1, null_on_oob=True).str.extract_all(r"\S+"),
        parts=parts.list.len(),
    )
    numbers = pl.col("gaps").list.eval(pl.element().str.contains(f"^{_NUMBER}$")).list.all()
    fault = (
        pl.when(pl.col("ids").list.len() == 0)
        .then(pl.lit("blank line"))
        .when((pl.col("parts") != 2) | (pl.col("gaps").list.len() != pl.col("ids").list.len() - 1))
        .then(pl.lit("not a user, items, a tab and as many gaps as items"))
        .when(pl.col("ids").list.len() == 1)
        .then(pl.lit("a user without items"))
        .when(~numbers)
        .then(pl.lit("a gap is not a number of at least 0"))
    )
    checked = lines.with_columns(fault=fault)
    good = checked.filter(pl.col("fault").is_null())
    table = good.select(
        "line",
        user=pl.col("ids").list.first(),
        item=pl.col("ids").list.slice(1),
        time=pl.col("gaps").list.eval(pl.element().cast(pl.Float64).cum_sum()),
    ).explode("item", "time")
    return RawRows(table, broken + as_bad_rows(checked.drop_nulls("fault")))


READER = Reader(suffixes=(), recognises=_recognises, read=_read)
