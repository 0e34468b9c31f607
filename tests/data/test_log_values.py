"""What stands in a field: headers in the place of ids, missing values, dates, ratings."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import DataError, InteractionLog, checked_log, prepare, read_log
from tf_recdenoiser.data.times import iso_seconds


def read(tmp_path: Path, name: str, text: str, **options: Any) -> InteractionLog:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_log(path, **options)


# --- headers ----------------------------------------------------------------------------------

A_HEADER = "a header, which names columns, in the place of a user and an item"
INTER = "user_id:token\titem_id:token\ttimestamp:float\n"


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("log.txt", "1 2\nuser_id item_id\n3 4\n", 2),
        ("log.txt", "who what\n1 2\n3 -4\n", 1),
        ("log.csv", "user_id,item_id\n1,2\n\ufeffuserId,movieId\n3,4\n", 3),
        ("log.csv", "user;x;item\n1;a;2\nuser;y;item\n3;b;4\n", 3),
        ("log.inter", f"{INTER}1\t2\t9\n{INTER.replace('timestamp', 'time')}3\t4\t9\n", 3),
    ],
)
def test_another_header_is_no_user_and_no_item(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    with pytest.raises(DataError, match=rf"1 × {A_HEADER} \(line {line}\)"):
        read(tmp_path, name, text)
    log = read(tmp_path, name, text, on_bad_row="skip")
    assert log.report.bad_rows == ((line, A_HEADER),)
    assert log.report.rows_read == 3


@pytest.mark.parametrize("format", ["pairs", None])
def test_a_header_over_pairs_names_them(tmp_path: Path, format: str | None) -> None:
    text = "item user\n7 ann\n8 bob\n"
    if format is not None:
        with pytest.raises(DataError, match=rf"1 × {A_HEADER} \(line 1\)"):
            read(tmp_path, "log.txt", text, format=format)
        return
    log = read(tmp_path, "log.txt", text)
    assert log.table.select("user", "item").rows() == [("ann", 7), ("bob", 8)]
    assert "users from 'user', items from 'item'" in log.report.describe()


JOINED = [
    ("log.csv", "user_id,item_id\n1,2\n", {}),
    ("log.csv", 'user;x;item\n1;"a";2\n', {}),
    ("log.csv", 'user;"x";item\n1;"a\nb";2\n', {}),
    ("log.csv", "\ufeffuser , x,item\r\n1,a,2\r\n", {}),
    ("log.txt", "user item\n1  2\n", {}),
    ("log.inter", f"{INTER}1\t2\t9\n", {}),
    ("log.csv", "who,price,what\n1,x,2\n", {"user_column": "who", "item_column": "what"}),
]


@pytest.mark.parametrize(("name", "text", "options"), JOINED)
def test_the_header_of_a_joined_file_is_passed_over(
    tmp_path: Path, name: str, text: str, options: dict[str, str]
) -> None:
    log = read(tmp_path, name, text + text, **options)
    assert log.table.select("user", "item").rows() == [(1, 2), (1, 2)]
    again = text.count("\n") + 1
    assert log.report.headers == (again,)
    assert log.report.rows_read == log.report.rows_kept == 2
    said = f"Headers once more, as where files were joined, passed over: 1 (line {again})."
    assert said in log.report.describe()


@pytest.mark.parametrize(
    "text", ["ann tea\nbob 2\n", "ann 1\n2 3\n4 5\n", "user tea\nann milk\n", "ann tea\n"]
)
def test_ids_that_are_words_are_no_header(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "log.txt", text).report.rows_read == text.count("\n")


def test_files_with_byte_order_marks_can_be_joined(tmp_path: Path) -> None:
    log = read(tmp_path, "log.txt", "\ufeff1 2\n\ufeff3 4\n")
    assert log.table.select("user", "item").rows() == [(1, 2), (3, 4)]


# --- missing values ---------------------------------------------------------------------------

SPELLINGS = ["NULL", "null", "NaN", "nan", "None", "NA", "N/A", "n/a", "<NA>", "\\N"]


def a_missing(role: str) -> str:
    return f"missing {role} id, as log.null_value spells it; with none, it is an id"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("name", "head", "separator"),
    [("log.txt", "", " "), ("log.csv", "user,item\n", ","), ("log.inter", INTER[:27] + "\n", "\t")],
)
def test_a_missing_id_is_no_id(
    tmp_path: Path, name: str, head: str, separator: str, spelling: str
) -> None:
    rows = [("1", "2"), (spelling, "3"), ("4", spelling)]
    text = head + "".join(separator.join(row) + "\n" for row in rows)
    first = text[: len(head)].count("\n") + 1
    with pytest.raises(DataError, match="missing user id"):
        read(tmp_path, name, text)
    log = read(tmp_path, name, text, on_bad_row="skip")
    assert log.report.bad_rows == ((first + 1, a_missing("user")), (first + 2, a_missing("item")))
    assert log.table.select("user", "item").rows() == [(1, 2)]
    for none in ("none", None, "", "-"):
        assert read(tmp_path, name, text, null_value=none).report.rows_kept == 3


def test_missing_ids_in_other_formats(tmp_path: Path) -> None:
    log = read(tmp_path, "log.txt", "7 nan b\t0 1\nNA c\t0\n", on_bad_row="skip")
    assert log.report.bad_rows == ((1, a_missing("item")), (2, a_missing("user")))
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": ["a", None, "nan"], "item": ["x", "y", "z"]}).write_parquet(path)
    report = read_log(path, on_bad_row="skip").report
    assert report.bad_rows == ((2, "empty user id"), (3, a_missing("user")))


def test_other_spellings_of_a_missing_value(tmp_path: Path) -> None:
    text = "user,item,time,rating\n-,a,1,-\nb,c,unknown,2\nNA,d,3,-\n"
    log = read(tmp_path, "log.csv", text, null_value="-, unknown", on_bad_row="skip")
    assert log.report.bad_rows == ((2, a_missing("user")), (3, "missing time"))
    assert log.table.select("user", "rating").rows() == [("NA", None)]
    assert log.report.unread_ratings == ()


@pytest.mark.parametrize("spelling", ["", "nan", "NULL"])
def test_a_missing_time_and_a_missing_rating(tmp_path: Path, spelling: str) -> None:
    text = f"user,item,time,rating\na,b,{spelling},1\nc,d,5,{spelling}\n"
    log = read(tmp_path, "log.csv", text, on_bad_row="skip")
    assert log.report.bad_rows == ((2, "missing time"),)
    assert log.table.select("line", "time", "rating").rows() == [(3, 5, None)]


def test_spellings_are_a_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"`null_value` must be a text.*Received: 3"):
        read(tmp_path, "log.txt", "1 2\n", null_value=3)


# --- columns that are not used ----------------------------------------------------------------


@pytest.mark.parametrize("text", ["user,item,rating\na,b,4\na,c,five\na,d,inf\n",
                                  'user,item,stars\na,b,"4"\na,c,"5"x\na,d,\n'])  # fmt: skip
def test_a_rating_that_is_no_number_makes_no_row_bad(tmp_path: Path, text: str) -> None:
    log = read(tmp_path, "log.csv", text)
    assert log.table["rating"].to_list() == [4.0, None, None]
    assert log.report.bad_rows == ()
    assert log.report.unread_ratings[0] == 3
    assert "theirs is no number" in log.report.describe()


def test_ratings_of_a_type_that_holds_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1], "item": [2], "overall": [["good"]]}).write_parquet(path)
    log = read_log(path)
    assert log.table["rating"].to_list() == [None]
    assert log.report.unread_ratings == (1,)


# --- times ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-05-17", 1715904000),
        ("2024-05-17T08:30:05", 1715934605),
        ("2024-05-17 08:30:05", 1715934605),
        ("2024-05-17T08:30", 1715934600),
        ("2024-05-17T08:30:05Z", 1715934605),
        ("2024-05-17T08:30:05+02:00", 1715927405),
        ("2024-05-17 08:30:05 -0530", 1715954405),
        ("2024-05-17T08:30:05+02", 1715927405),
        ("20240517T083005Z", 1715934605),
        ("1969-12-31T23:59:59", -1),
        ("2016-12-31T23:59:60Z", 1483228800),
    ],
)
def test_dates_are_seconds_since_1970(tmp_path: Path, text: str, seconds: int) -> None:
    log = read(tmp_path, "log.csv", f"user,item,date\na,b,{text}\na,c,1970-01-01\n")
    assert log.table["time"].to_list() == [seconds, 0]
    assert log.table["time"].dtype == pl.Int64
    assert prepare(log).sequence(0).tolist() == ([1, 2] if seconds < 0 else [2, 1])


def test_parts_of_a_second(tmp_path: Path) -> None:
    log = read(tmp_path, "log.csv", "user,item,time\na,b,1970-01-01 00:00:01.25\na,c,1970-01-02\n")
    assert log.table["time"].to_list() == [1.25, 86400.0]


@given(
    st.datetimes(timezones=st.timezones() | st.just(datetime.timezone.utc)),
    st.sampled_from(["T", " "]),
)
@settings(max_examples=100, deadline=None)
def test_dates_are_read_as_python_reads_them(moment: datetime.datetime, between: str) -> None:
    text = moment.isoformat(between)
    if len(text.rpartition(":")[0]) > 29:  # offsets with seconds, of before 1900, are not ISO 8601
        moment = moment.replace(tzinfo=datetime.timezone.utc)
        text = moment.isoformat(between)
    expected = (
        moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    ).total_seconds()
    assert iso_seconds(pl.Series([text])).to_list() == [pytest.approx(expected, abs=1e-4)]


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024-13-01", "2024-05-17T24:01", "2024-05-17T08:61", "2024-05-17T08:00:61",
     "2024-05-17T08:00+24:00", "17/05/2024", "2024-05", "2024-05-17T", "2024-05-17Z",
     "٢٠٢٤-٠٥-١٧", "2024-05-17 08:30 CET"],
)  # fmt: skip
def test_what_is_no_date_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="nor an ISO 8601 date \\(line 2\\)"):
        read(tmp_path, "log.csv", f"user,item,time\na,b,{text}\nc,d,1\n")


@pytest.mark.parametrize(
    ("dtype", "value", "seconds"),
    [
        (pl.Date, 2**31 - 1, (2**31 - 1) * 86400.0),
        (pl.Date, -1, -86400.0),
        (pl.Datetime("ms"), 2**62, 2**62 / 1e3),
        (pl.Datetime("us", "Asia/Tokyo"), 1_500_000, 1.5),
        (pl.Datetime("ns"), -(2**63), -(2**63) / 1e9),
    ],
)
def test_dates_that_are_typed(dtype: Any, value: int, seconds: float) -> None:
    physical = pl.Int32 if dtype == pl.Date else pl.Int64
    times = pl.Series([value, None], dtype=physical).cast(dtype)
    rows = pl.DataFrame({"line": [1, 2], "user": [1, 2], "item": [3, 4], "time": times})
    log = checked_log(rows, on_bad_row="skip")
    assert log.seconds is not None
    assert log.seconds.to_list() == [pytest.approx(seconds)]
    assert log.report.bad_rows == ((2, "missing time"),)


# --- digits -----------------------------------------------------------------------------------


def test_digits_of_other_scripts_are_text(tmp_path: Path) -> None:
    text = "1 a b\t0 5\n2 c d\t0 ٣\n"
    log = read(tmp_path, "log.txt", text, on_bad_row="skip")
    assert log.report.bad_rows == ((2, "a gap is not a number of at least 0"),)
    log = read(tmp_path, "log.txt", "1 ٣\n2 4\n")
    assert log.table["item"].to_list() == ["٣", "4"]
