"""Tables in memory: of Polars, pandas, PyArrow and whatever lends its columns."""

from __future__ import annotations

from typing import Any

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._interchange import lent_column, lent_table
from tf_recdenoiser.data.rows import RawRows, describe_columns


def is_frame(given: Any) -> bool:
    """Whether it is a table in memory, which `rows_of_frame` takes."""
    protocols = ("__arrow_c_stream__", "__dataframe__")
    return isinstance(given, pl.LazyFrame) or any(hasattr(given, one) for one in protocols)


def rows_of_frame(frame: Any, names: ColumnNames) -> RawRows:
    """The rows of a table; no column is looked at but those that are used.

    Raises
    ------
    DataError
        If a column that is needed is missing, or is there twice, or cannot be read.
    """
    try:
        table = _Table(frame)
        indices = names.resolve(table.names)
        columns = table.select(list(indices.values()))
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            "The columns of a table must hold integers, texts, numbers or dates, each of one type; "
            "convert them, as by astype(str), or give the table as one of Polars. "
            f"Received: a {type(frame).__name__} ({error})"
        ) from error
    rows = pl.DataFrame(
        [column.alias(role) for column, role in zip(columns, indices, strict=True)]
    ).with_row_index("line", 1)
    return RawRows(rows, columns=describe_columns(table.names, indices))


class _Table:
    """The names of a table's columns, and those that are asked for as series."""

    def __init__(self, frame: Any) -> None:
        self._lent = None
        if isinstance(frame, pl.LazyFrame):
            self._frame = frame
        elif hasattr(frame, "__dataframe__"):  # which needs no other package, and lends by column
            self._lent = lent_table(frame)
        else:
            self._frame = pl.DataFrame(frame).lazy()
        lent = self._lent
        names = self._frame.collect_schema().names() if lent is None else lent.column_names()
        self.names = list(map(str, names))

    def select(self, indices: list[int]) -> list[pl.Series]:
        """The columns at these places, from 0, of which some may be the same."""
        if self._lent is not None:
            return [lent_column(self._lent, index) for index in indices]
        # At once: what is lazy may give its rows in another order the next time.
        table = self._frame.select(pl.nth(*set(indices))).collect()
        return [table[self.names[index]] for index in indices]
