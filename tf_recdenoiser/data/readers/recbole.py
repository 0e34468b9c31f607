"""RecBole's atomic file of interactions (`.inter`).

Fields separated by tabs, never quoted, under a header of `name:type`; see
https://recbole.io/docs/user_guide/data/atomic_files.html. Columns other than the users, items,
times and ratings are passed over.
"""

from __future__ import annotations

from pathlib import Path

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._columns import ColumnNames
from tf_recdenoiser.data.readers._reader import RawRows, Reader
from tf_recdenoiser.data.readers._text import (
    first_line,
    read_lines,
    rows_under_header,
    split_lines,
)

_TYPES = ("token", "token_seq", "float", "float_seq")


def _is_header(line: str) -> bool:
    return all(name.rpartition(":")[2].strip() in _TYPES for name in line.split("\t"))


def _recognises(head: bytes, names: ColumnNames) -> bool:
    return _is_header(first_line(head))


def _read(path: Path, names: ColumnNames) -> RawRows:
    lines = read_lines(path)
    header = lines["text"][0]
    if not _is_header(header):
        raise DataError(
            f"The first line of a RecBole file must name its columns as name:type, with types "
            f"among {', '.join(_TYPES)}. Received: {header[:80]!r} in {str(path)!r}"
        )
    columns = [name.rpartition(":")[0].strip() for name in header.split("\t")]
    return rows_under_header(columns, split_lines(lines.slice(1), "\t"), names)


READER = Reader(suffixes=(".inter",), recognises=_recognises, read=_read)
