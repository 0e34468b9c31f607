"""RecBole's atomic file of interactions (`.inter`).

Fields separated by tabs, never quoted, under a header of `name:type`; see
https://recbole.io/docs/user_guide/data/atomic_files.html. Columns other than the users, items,
times, ratings and feedback are passed over.
"""

from __future__ import annotations

from tf_recdenoiser.data.log import DataError
from tf_recdenoiser.data.readers._reader import Options, Reader
from tf_recdenoiser.data.readers._source import Source
from tf_recdenoiser.data.readers._text import (
    first_line,
    read_lines,
    refuse_broken,
    rows_under_header,
    split_lines,
    stripped,
)
from tf_recdenoiser.data.rows import RawRows

_TYPES = ("token", "token_seq", "float", "float_seq")


def _is_header(line: str) -> bool:
    return all(name.rpartition(":")[2].strip() in _TYPES for name in line.split("\t"))


def _recognises(head: bytes, options: Options) -> bool:
    return _is_header(first_line(head))


def _read(source: Source, options: Options) -> RawRows:
    lines = read_lines(source)
    header = lines["text"][0]
    if not _is_header(header):
        refuse_broken(header, source)
        raise DataError(
            f"The first line of a RecBole file must name its columns as name:type, with types "
            f"among {', '.join(_TYPES)}. Received: {header[:80]!r} in {source}"
        )
    written = stripped(header.split("\t"))
    columns = stripped([name.rpartition(":")[0] for name in written])
    records, bad_rows = split_lines(lines.slice(1), "\t")
    return rows_under_header(columns, records, options.names, bad_rows, written)


READER = Reader(suffixes=(".inter",), recognises=_recognises, read=_read)
