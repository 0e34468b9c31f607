"""Pages of Parquet files that say they hold what they cannot."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tf_recdenoiser.data import DataError, read_log
from tf_recdenoiser.data.readers._parquet_pages import miscounted_page

COUNT = 12
A_DATA_PAGE = b"\x2c\x15" + bytes([COUNT * 2])  # field 5, a struct; field 1, an integer: zigzag
A_DICTIONARY = b"\x4c\x15"  # field 7, a struct; field 1, an integer


def written(frame: pl.DataFrame, **options: Any) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out, **options)
    return out.getvalue()


FRAME = pl.DataFrame(
    {
        "user": [f"u{n % 3}" for n in range(COUNT)],
        "item": range(COUNT),
        "note": ["x"] * COUNT,
        "list": [[1, 2], []] * (COUNT // 2),
        "struct": [{"a": 1, "b": None}] * COUNT,
        "kind": pl.Series(["a", "b", None] * (COUNT // 3), dtype=pl.Categorical),
        "none": [None] * COUNT,
    }
)


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "uncompressed"}, {"row_group_size": 5}, {"data_page_size": 8},
     {"statistics": False}],
)  # fmt: skip
def test_whole_files_are_right(options: dict[str, Any]) -> None:
    for frame in (FRAME, FRAME.head(0)):
        assert miscounted_page(written(frame, **options), FRAME.columns) is None


@pytest.mark.parametrize("count", [-1, -COUNT, COUNT + 1, 60])
def test_a_page_with_another_count_is_refused(tmp_path: Path, count: int) -> None:
    content = written(FRAME.select("user", "item"))
    assert A_DATA_PAGE in content
    zigzag = count * 2 if count >= 0 else -count * 2 - 1
    content = content.replace(A_DATA_PAGE, A_DATA_PAGE[:2] + bytes([zigzag]))
    said = "a count below 0" if count < 0 else f"{count} values in pages that should hold {COUNT}"
    found = miscounted_page(content, ["item"])
    assert found is not None and said in found
    path = tmp_path / "log.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"whole Parquet file.*log.parquet.*{said}"):
        read_log(path)


def test_a_dictionary_with_more_values_than_bytes_is_refused() -> None:
    content = written(FRAME.select("user"))
    at = content.index(A_DICTIONARY) + len(A_DICTIONARY)
    found = miscounted_page(content[:at] + b"\x7e" + content[at + 1 :], ["user"])
    assert found is not None and "more values than bytes" in found


def test_columns_that_are_not_used_are_of_no_account(tmp_path: Path) -> None:
    content = written(FRAME.select("note", "user", "item"))
    content = content.replace(A_DATA_PAGE, A_DATA_PAGE[:2] + b"\x17", 1)
    assert miscounted_page(content, ["note"]) is not None
    assert miscounted_page(content, ["user", "item"]) is None
    path = tmp_path / "log.parquet"
    path.write_bytes(content)
    assert read_log(path).report.rows_read == COUNT


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 60 + b"PAR1", b"\x1c" * 99])
def test_what_is_not_understood_is_left_to_others(content: bytes) -> None:
    assert miscounted_page(content, ["user"]) is None
    tail = (len(content)).to_bytes(4, "little") + b"PAR1"
    assert miscounted_page(content + tail, ["user"]) is None
