"""Columns of a table by the dataframe interchange protocol, `__dataframe__`.

See https://data-apis.org/dataframe-protocol/latest/. Values are copied out of the buffers that the
table lends.
"""

from __future__ import annotations

import ctypes
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

_INTEGER, _UNSIGNED, _FLOAT, _BOOLEAN, _TEXT, _DATE, _CATEGORY = 0, 1, 2, 20, 21, 22, 23
_LETTERS = {_INTEGER: "i", _UNSIGNED: "u", _FLOAT: "f", _BOOLEAN: "b", _DATE: "i"}
_NO_NULLS, _NAN, _SENTINEL, _BITS, _BYTES = range(5)
# Arrow's letters: seconds become milliseconds, which Polars has.
_UNITS = {"s": ("ms", 1000), "m": ("ms", 1), "u": ("us", 1), "n": ("ns", 1)}


def lent_table(frame: Any) -> Any:
    """The protocol's own view of a table."""
    with warnings.catch_warnings():
        # Some libraries are about to give it up, which is no matter of the person who calls.
        warnings.simplefilter("ignore")
        return frame.__dataframe__()


def lent_column(table: Any, index: int) -> pl.Series:
    """The column of such a view at a place, from 0.

    Raises
    ------
    TypeError
        If the protocol has no type for what the column holds.
    """
    try:
        parts = [_series(part) for part in table.get_column(index).get_chunks()]
    except NotImplementedError as error:
        raise TypeError(f"column {index + 1}: {error}") from error
    return pl.concat(parts) if parts else pl.Series(dtype=pl.Null)


def _series(column: Any) -> pl.Series:
    kind, _, letters, _ = column.dtype
    if kind == _CATEGORY:
        return _categories(column)
    buffers = column.get_buffers()
    if kind == _TEXT:
        values = pl.Series(_texts(column, buffers), dtype=pl.String)
    elif kind in _LETTERS:
        raw = _array(buffers["data"], column)
        values = pl.Series(raw)
        if kind == _DATE:
            values = _dates(values, letters)
    else:
        raise TypeError(f"a column of type {column.dtype}")
    return values.set(pl.Series(_is_null(column, buffers)), None)


def _dates(values: pl.Series, letters: str) -> pl.Series:
    if letters.startswith("tdD"):
        return values.cast(pl.Int32).cast(pl.Date)
    unit, times = _UNITS["m" if letters == "tdm" else letters[2]]
    return (values * times).cast(pl.Datetime(unit))  # type: ignore[arg-type]


def _categories(column: Any) -> pl.Series:
    known = _series(column.describe_categorical["categories"])
    buffers = column.get_buffers()
    codes = pl.Series(_array(buffers["data"], column)).cast(pl.Int64)
    codes = codes.set(pl.Series(_is_null(column, buffers)), None)
    return known.gather(codes.fill_null(0)).set(codes.is_null(), None)


def _array(lent: tuple[Any, Any], column: Any) -> npt.NDArray[Any]:
    """The column's part of a buffer of numbers."""
    buffer, (kind, bits, *_) = lent
    if kind == _BOOLEAN and bits == 1:
        return _bits(buffer, column).astype(bool)
    letter = _LETTERS[kind] if kind != _BOOLEAN else "u"
    numbers = np.frombuffer(_bytes(buffer), np.dtype(f"{letter}{bits // 8}"))
    return numbers[column.offset : column.offset + column.size()]


def _bits(buffer: Any, column: Any) -> npt.NDArray[Any]:
    bits = np.unpackbits(np.frombuffer(_bytes(buffer), np.uint8), bitorder="little")
    return bits[column.offset : column.offset + column.size()]


def _bytes(buffer: Any) -> bytes:
    return ctypes.string_at(buffer.ptr, buffer.bufsize) if buffer.bufsize else b""


def _texts(column: Any, buffers: Any) -> list[str]:
    text, (lent, (_, bits, *_)) = _bytes(buffers["data"][0]), buffers["offsets"]
    ends = np.frombuffer(_bytes(lent), np.dtype(f"i{bits // 8}"))
    ends = ends[column.offset : column.offset + column.size() + 1]
    pairs = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    return [text[start:end].decode() for start, end in pairs]


def _is_null(column: Any, buffers: Any) -> npt.NDArray[np.bool_]:
    how, missing = column.describe_null
    if how in (_BITS, _BYTES):
        validity = buffers["validity"]
        if validity is None:
            return np.zeros(column.size(), bool)
        found = _bits(validity[0], column) if how == _BITS else _array(validity, column)
        return found == missing
    if how == _NO_NULLS:
        return np.zeros(column.size(), bool)
    values = _array(buffers["data"], column)
    return np.isnan(values) if how == _NAN else values == missing
