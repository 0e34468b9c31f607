"""Tables in memory are logs: of Polars and pandas, and what lends its columns by a protocol."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pytest

from tf_recdenoiser.data import DataError, InteractionLog, prepare, read_log

ROWS = [("ann", 30, 1_714_510_800), ("bob", 10, 1_714_510_860), ("ann", 20, 1_714_510_700)]
USERS, ITEMS, TIMES = (list(column) for column in zip(*ROWS, strict=True))


def rows_of(log: InteractionLog) -> list[tuple[Any, ...]]:
    assert log.seconds is not None
    return list(zip(log.table["user"], log.table["item"], log.seconds, strict=True))


def check_prepared(frame: Any) -> None:
    """As one item after the other for each user, the oldest first."""
    dataset = prepare(frame)
    found = [dataset.item_ids[dataset.sequence(user) - 1].tolist() for user in range(2)]
    assert (dataset.user_ids.tolist(), found) == (["ann", "bob"], [[20, 30], [10]])
    assert dataset.times is not None and dataset.times.tolist() == [TIMES[2], TIMES[0], TIMES[1]]


class ArrowOnly:
    """A table that has nothing but Arrow's capsule."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def frame() -> pl.DataFrame:
    at = pl.Series([time * 1000 for time in TIMES])
    return pl.DataFrame({"sku": ITEMS, "Customer": USERS, "created_at": at, "x": [[1], None, []]})


@pytest.mark.parametrize("form", [pl.DataFrame, pl.DataFrame.lazy, ArrowOnly])
def test_a_table_of_polars_or_arrow(form: Any) -> None:
    check_prepared(form(frame()))
    log = read_log(form(frame()))
    assert log.table["line"].to_list() == [1, 2, 3]
    described = log.report.describe()
    assert "users from 'Customer', items from 'sku', times from 'created_at'" in described
    assert "Unix milliseconds, 2024-04-30 to 2024-04-30" in described


def test_what_is_lazy_is_made_once() -> None:
    """The rows of a table in which each run has another order belong together all the same."""
    users = pl.LazyFrame({"user": range(5000)}).select(pl.all().shuffle())
    shuffled = users.with_columns(item=pl.col("user") * 3)
    log = read_log(shuffled)
    assert (log.table["item"] == log.table["user"] * 3).all()


def test_a_table_is_read_with_the_options_of_a_file() -> None:
    table = pl.DataFrame({"wer": ["a", "b", None], "was": [1.0, None, 3.0], "item": [4, 5, 6]})
    with pytest.raises(DataError, match=r"The columns are 'wer', 'was', 'item'.*user_column"):
        prepare(table)
    log = read_log(table, user_column="wer", item_column="was", on_bad_row="skip")
    assert log.table.select("line", "user", "item").rows() == [(1, "a", 1)]
    assert log.report.bad_rows == ((2, "empty item id"), (3, "empty user id"))
    with pytest.raises(DataError, match="2 bad of 3 rows in a table:"):
        read_log(table, user_column="wer", item_column="was")


def test_what_is_no_table_and_no_path_is_refused() -> None:
    with pytest.raises(DataError, match=r"a path.*or a table.*Received: 3"):
        prepare(3)
    with pytest.raises(DataError, match=r"a path.*or a table.*Received: \[3\]"):
        read_log([3])


# --- The interchange protocol, by buffers of NumPy -------------------------------------------


class Buffer:
    def __init__(self, array: np.ndarray) -> None:
        self._array = np.ascontiguousarray(array)
        self.ptr, self.bufsize = self._array.ctypes.data, self._array.nbytes


class Column:
    """A column in one chunk or, by `cuts`, in several that share its buffers."""

    def __init__(
        self,
        dtype: tuple[int, int, str, str],
        data: np.ndarray,
        null: tuple[int, Any] = (0, None),
        validity: tuple[np.ndarray, tuple[int, int, str, str]] | None = None,
        offsets: np.ndarray | None = None,
        categories: Column | None = None,
        size: int | None = None,
        cuts: tuple[int, ...] = (),
    ) -> None:
        self.dtype, self.describe_null, self.offset = dtype, null, 0
        self._size = len(data) if size is None else size
        self._cuts, self._categories = cuts, categories
        self._buffers = {
            "data": (Buffer(data), dtype if dtype[0] != 23 else INT64),
            "validity": None if validity is None else (Buffer(validity[0]), validity[1]),
            "offsets": None if offsets is None else (Buffer(offsets), INT64),
        }

    def size(self) -> int:
        return self._size

    def get_buffers(self) -> dict[str, Any]:
        return self._buffers

    @property
    def describe_categorical(self) -> dict[str, Any]:
        return {"is_ordered": False, "is_dictionary": True, "categories": self._categories}

    def get_chunks(self, n_chunks: int | None = None) -> Iterator[Column]:
        for start, end in zip((0, *self._cuts), (*self._cuts, self._size), strict=True):
            part = object.__new__(Column)
            part.__dict__.update(self.__dict__, offset=start, _size=end - start)
            yield part


INT64, TEXT = (0, 64, "l", "="), (21, 8, "u", "=")
BITS, BYTES = (20, 1, "b", "="), (20, 8, "b", "=")


def texts(values: list[str | None], **more: Any) -> Column:
    encoded = [(value or "").encode() for value in values]
    offsets = np.cumsum([0, *map(len, encoded)])
    known = np.packbits([value is not None for value in values], bitorder="little")
    data = np.frombuffer(b"".join(encoded), np.uint8)
    return Column(TEXT, data, (3, 0), (known, BITS), offsets, size=len(values), **more)


class Lender:
    """A table that has nothing but the interchange protocol."""

    def __init__(self, **columns: Column) -> None:
        self._columns = columns

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Lender:
        return self

    def column_names(self) -> list[str]:
        return list(self._columns)

    def get_column(self, index: int) -> Column:
        return list(self._columns.values())[index]


class Unlendable(Column):
    def get_chunks(self, n_chunks: int | None = None) -> Iterator[Column]:
        raise NotImplementedError("objects")


LENT_TIMES = {
    "seconds": Column(INT64, np.array(TIMES)),
    "floats": Column((2, 64, "g", "="), np.array(TIMES, float)),
    "dates": Column((22, 64, "tss:", "="), np.array(TIMES)),
    "ms": Column((22, 64, "tsm:UTC", "="), np.array(TIMES) * 1000),
    "ns": Column((22, 64, "tsn:", "="), np.array(TIMES) * 10**9, cuts=(1,)),
}


@pytest.mark.parametrize("time", LENT_TIMES)
@pytest.mark.parametrize("cuts", [(), (1, 2)])
def test_a_table_that_lends_its_columns(time: str, cuts: tuple[int, ...]) -> None:
    item = Column((1, 8, "C", "="), np.array(ITEMS, np.uint8), cuts=cuts)
    odd = Unlendable(INT64, np.zeros(3))
    check_prepared(Lender(odd=odd, time=LENT_TIMES[time], user=texts(USERS, cuts=cuts), item=item))
    with pytest.raises(DataError, match=r"each of one type.*a Lender \(column 1: objects\)"):
        prepare(Lender(user=odd, item=item))


def test_what_is_missing_in_lent_columns() -> None:
    known = np.array([1, 0, 1, 1, 1], np.uint8)
    users = Column((23, 64, "l", "="), np.array([1, 0, -1, 1, 1]), (2, -1),
                   categories=texts(["é", "ann"]))  # fmt: skip
    items = Column(INT64, np.arange(5), (4, 0), (known, BYTES))
    dates = Column((22, 32, "tdD", "="), np.array([0, 1, 2, -1, 3], np.int32), (2, -1))
    scores = Column((2, 32, "f", "="), np.array([1, 2, 3, 4, np.nan], np.float32), (1, None))
    log = read_log(Lender(user=users, item=items, date=dates, stars=scores), on_bad_row="skip")
    assert rows_of(log) == [("ann", 0, 0.0), ("ann", 4, 3 * 86_400.0)]
    assert log.table["rating"].to_list() == [1.0, None]
    reasons = ("empty item id", "empty user id", "missing time")
    assert log.report.bad_rows == tuple(zip((2, 3, 4), reasons, strict=True))


def test_a_lent_column_may_be_boolean() -> None:
    lender = Lender(user=texts(USERS), item=Column(BITS, np.packbits([1, 0, 1]), size=3))
    with pytest.raises(DataError, match=r"item ids must be integers or text.*Boolean"):
        read_log(lender)


# --- pandas -----------------------------------------------------------------------------------


def pandas_columns(pandas: Any) -> dict[str, dict[str, Any]]:
    moments = [datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at in TIMES]
    zoned = pandas.to_datetime(moments, utc=True)
    return {
        "user": {
            "object": pandas.Series(USERS, dtype=object),
            "category": pandas.Series(USERS, dtype="category"),
            "string": pandas.Series(USERS, dtype="string"),
            "default": pandas.Series(USERS),
        },
        "item": {
            "default": pandas.Series(ITEMS),
            "nullable": pandas.Series(ITEMS, dtype="Int64"),
            "float": pandas.Series(ITEMS, dtype=float),
            "text": pandas.Series(map(str, ITEMS)),
        },
        "time": {
            "seconds": pandas.Series(TIMES),
            "float ms": pandas.Series([at * 1000.0 for at in TIMES]),
            "zoned": zoned.tz_convert("Europe/Berlin"),
            "naive": zoned.tz_localize(None),
            "text": pandas.Series([str(moment) for moment in moments]),
        },
    }


@pytest.mark.parametrize(
    "types",
    [
        ("object", "default", "seconds"),
        ("category", "nullable", "zoned"),
        ("string", "float", "naive"),
        ("default", "text", "text"),
        ("default", "default", "float ms"),
    ],
)
def test_a_table_of_pandas(types: tuple[str, str, str]) -> None:
    pandas = pytest.importorskip("pandas")
    columns = pandas_columns(pandas)
    user, item, time = (columns[name][one] for name, one in zip(columns, types, strict=True))
    mixed = pandas.Series([{1}, "x", None], dtype=object)
    table = pandas.DataFrame({"mixed": mixed, "CustomerID": user, "sku": item, "date": time})
    check_prepared(table)
    check_prepared(table.set_axis([9, 8, 7]))


def test_what_is_missing_in_a_table_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(
        {
            "user": ["ann", None, "bob", "eve", "eve"],
            "item": [1, 2, None, 4, 5],
            "time": pandas.to_datetime(["2024-05-01"] * 3 + [None, "2024-05-02"]),
        }
    )
    log = read_log(table, on_bad_row="skip")
    assert rows_of(log) == [("ann", 1, 1_714_521_600.0), ("eve", 5, 1_714_608_000.0)]
    assert [row.line for row in log.report.bad_rows] == [2, 3, 4]
