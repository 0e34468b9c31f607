"""Titles of items, from a table that a shop has beside its log."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers import csv
from tf_recdenoiser.data.readers._columns import TIERS, plain_name
from tf_recdenoiser.data.readers._source import Source, open_source
from tf_recdenoiser.data.readers._text import first_line

_TITLES = (
    ("title", "itemtitle", "producttitle", "movietitle", "booktitle", "songtitle"),
    ("name", "itemname", "productname", "displayname", "label"),
    ("description", "productdescription"),
)


def read_titles(
    path: str | PathLike[str], item_ids: Sequence[Any] | npt.NDArray[Any]
) -> npt.NDArray[Any]:
    r"""The titles of items, from a CSV, JSON lines or Parquet file with a column for each.

    The column of the items is found by the names that `read_log` knows, that of the titles by
    `title`, `name`, `product_name` and the like. Text is UTF-8. The file may be packed.

    Parameters
    ----------
    path
        Of the file.
    item_ids
        Raw ids of the items, `[I]`. Whole numbers and texts are alike.

    Returns
    -------
    Texts `[I]`, as objects; empty where the file has none. Of several titles the first is taken.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or it knows none of the items.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "movies.csv")
    ...     _ = path.write_text('movieId,title\n1,Toy Story\n2,"Crying Game, The"\n')
    ...     read_titles(path, [2, 3])
    array(['Crying Game, The', ''], dtype=object)
    """
    source = open_source(Path(path))
    table = _table(source)
    item = _column(table.columns, TIERS["item"], "items", source)
    title = _column(table.columns, _TITLES, "titles", source)
    texts = table.select(
        item=pl.col(item).cast(pl.String).str.strip_chars(),
        title=pl.col(title).cast(pl.String).str.strip_chars(),
    )
    titles = dict(reversed(texts.drop_nulls().rows()))
    ids = [str(one) for one in np.asarray(item_ids).tolist()]
    if not any(one in titles for one in ids):
        raise DataError(
            f"The titles must be those of the log's items, such as {', '.join(ids[:3])}. "
            f"Received: {source} with {', '.join(list(titles)[:3])} in its column {item!r}"
        )
    return np.array([titles.get(one, "") for one in ids], object)


def _table(source: Source) -> pl.DataFrame:
    content = io.BytesIO(source.content)
    readers: dict[str, Callable[[], pl.DataFrame]] = {
        ".parquet": lambda: pl.read_parquet(content),
        ".pq": lambda: pl.read_parquet(content),
        ".jsonl": lambda: pl.read_ndjson(content),
        ".ndjson": lambda: pl.read_ndjson(content),
    }
    try:
        return readers.get(source.suffix, lambda: _csv(source))()
    # Polars panics at some damage, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        raise DataError(
            "Titles must be a CSV file with a header, JSON lines or Parquet, as UTF-8. "
            f"Received: {source} ({error})"
        ) from error


def _csv(source: Source) -> pl.DataFrame:
    separator = csv.separator_of(first_line(source.head))
    # As text, so that an id such as 007 stays one.
    return pl.read_csv(
        io.BytesIO(source.content), separator=separator[:1], infer_schema=False
    ).rename(str.strip)


def _column(found: Sequence[str], tiers: Sequence[Sequence[str]], what: str, source: Source) -> str:
    for tier in tiers:
        for name in found:
            if plain_name(name) in tier:
                return name
    raise DataError(
        f"The table of titles must have a column of the {what}, called {tiers[0][0]} or so. "
        f"Received: {source} with the columns {', '.join(map(repr, found[:20]))}"
    )
