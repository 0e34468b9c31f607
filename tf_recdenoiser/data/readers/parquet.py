"""Apache Parquet with named columns; a row's "line" is its number, from 1."""

from __future__ import annotations

import io

import polars as pl

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._parquet_pages import miscounted_page
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.rows import RawRows, describe_columns

_MAGIC = b"PAR1"


def _recognises(head: bytes, options: Options) -> bool:
    return head.startswith(_MAGIC)


def _read(source: Source, options: Options) -> RawRows:
    try:
        return _rows(source.content, options.names)
    except DataError:
        raise
    # Polars panics at some damage, which is no Exception, and hands on any error of its parts.
    except (Exception, pl.exceptions.PanicException) as error:
        raise DataError(
            "The file must be a whole Parquet file; write it anew or give its true format. "
            f"Received: {source} ({error})"
        ) from error


def _rows(content: bytes, names: ColumnNames) -> RawRows:
    found = list(pl.read_parquet_schema(io.BytesIO(content)))
    indices = names.resolve(found)
    columns = {role: found[index] for role, index in indices.items()}
    taken = list(dict.fromkeys(columns.values()))
    if (fault := miscounted_page(content, taken)) is not None:
        raise ValueError(fault)
    table = pl.read_parquet(io.BytesIO(content), columns=taken)
    rows = table.select(
        line=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        **{role: pl.col(column) for role, column in columns.items()},
    )
    return RawRows(rows, columns=describe_columns(found, indices))


READER = Reader(suffixes=(".parquet", ".pq"), recognises=_recognises, read=_read)
