"""Whether the pages of a Parquet file can hold as many values as they say.

Polars takes room for as many before it looks, and ends the process where there is no such room: a
flipped bit is enough. Only the headers are read here, which are structs of Thrift's compact
protocol; see https://github.com/apache/parquet-format. What is not understood is left to Polars.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from typing import Any

# Ids of the fields that are used, in parquet.thrift.
_ROW_GROUPS, _COLUMNS, _META_DATA = 4, 1, 3
_PATH, _VALUES, _SIZE, _DATA_OFFSET, _DICTIONARY_OFFSET = 3, 5, 7, 9, 11
_UNPACKED, _PACKED = 2, 3
_PAGE, _DICTIONARY, _PAGE_2 = 5, 7, 8
_LARGEST_FOOTER = 1 << 22
_END = struct.Struct("<i4s")


def miscounted_page(content: bytes, columns: Collection[str]) -> str | None:
    """What is wrong with the first page of these columns whose counts cannot be; None if none."""
    try:
        length, _ = _END.unpack(content[-_END.size :])
        start = len(content) - _END.size - length
        if start < 0 or not 0 < length <= _LARGEST_FOOTER:
            return None
        chunks = _chunks(_Compact(content, start).struct(), {name.encode() for name in columns})
        return next(filter(None, (_fault(content, chunk) for chunk in chunks)), None)
    except (LookupError, TypeError, ValueError, struct.error, RecursionError):
        return None


def _chunks(footer: dict[int, Any], names: Collection[bytes]) -> Iterator[dict[int, Any]]:
    for group in footer[_ROW_GROUPS]:
        for column in group[_COLUMNS]:
            if column[_META_DATA][_PATH][0] in names:
                yield column[_META_DATA]


def _fault(content: bytes, chunk: dict[int, Any]) -> str | None:
    """What is wrong with the pages of one column in one row group."""
    begin = chunk.get(_DICTIONARY_OFFSET) or chunk[_DATA_OFFSET]
    reader = _Compact(content, min(begin, chunk[_DATA_OFFSET]))
    end, values = reader.at + chunk[_SIZE], 0
    while reader.at < end:
        at = reader.at
        header = reader.struct()
        page = header.get(_PAGE) or header.get(_PAGE_2)
        count = (page or header.get(_DICTIONARY) or {1: 0})[1]
        if min(count, header[_PACKED], header[_UNPACKED]) < 0:
            return f"a count below 0 in the page at byte {at:,}"
        if not page and count > header[_UNPACKED]:
            return f"more values than bytes in the page at byte {at:,}"
        values += count if page else 0
        reader.at += header[_PACKED]
    if values > chunk[_VALUES]:
        return f"{values:,} values in pages that should hold {chunk[_VALUES]:,}"
    return None


class _Compact:
    """Reads Thrift's compact protocol from `at`."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self.at = at

    def struct(self) -> dict[int, Any]:
        """The values of a struct by their ids."""
        found: dict[int, Any] = {}
        last = 0
        while head := self._byte():
            step, kind = divmod(head, 16)
            last = last + step if step else self._integer()
            found[last] = kind == 1 if kind in (1, 2) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._integer()
        if kind in (7, 8):
            return self._bytes(8 if kind == 7 else self._natural())
        if kind in (9, 10):
            return self._list()
        if kind == 12:
            return self.struct()
        raise ValueError(kind)

    def _list(self) -> list[Any]:
        size, kind = divmod(self._byte(), 16)
        return [self._value(kind) for _ in range(self._natural() if size == 15 else size)]

    def _bytes(self, count: int) -> bytes:
        self.at += count
        return self._content[self.at - count : self.at]

    def _byte(self) -> int:
        self.at += 1
        return self._content[self.at - 1]

    def _natural(self) -> int:
        value, shift = 0, 0
        while (byte := self._byte()) >= 128:
            value |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError(shift)
        return value | byte << shift

    def _integer(self) -> int:
        value = self._natural()
        return value >> 1 ^ -(value & 1)
