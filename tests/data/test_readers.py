"""Every format gives the same log; every fault of a file is named with its line."""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.data import READERS, BadRow, DataError, read_log

Rows = list[tuple[str, str]]


def _pairs(rows: Rows) -> bytes:
    return "".join(f"{user} {item}\n" for user, item in rows).encode()


def _recbole(rows: Rows) -> bytes:
    lines = ["user_id:token\titem_id:token", *("\t".join(row) for row in rows)]
    return "\n".join(lines).encode()


def _csv(rows: Rows) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("userId", "itemId"), *rows])
    return out.getvalue().encode()


def _parquet(rows: Rows) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(rows, schema={"user": pl.String, "item": pl.String}, orient="row").write_parquet(
        out
    )
    return out.getvalue()


def _jsonl(rows: Rows) -> bytes:
    return "\n".join(json.dumps({"user_id": user, "item_id": item}) for user, item in rows).encode()


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "pairs": _pairs,
    "recbole": _recbole,
    "csv": _csv,
    "parquet": _parquet,
    "jsonl": _jsonl,
}


def write(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else utf_8(content))
    return path


def utf_8(text: str) -> bytes:
    """The text in UTF-8, but a byte that never is for each ÿ."""
    return text.encode().replace("\xff".encode(), b"\xff")


def rows_of(path: Path, **settings: str) -> list[tuple[object, ...]]:
    return read_log(path, **settings).table.select("user", "item").rows()  # type: ignore[arg-type]


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("format_is", ["given", "found"])
def test_every_format_gives_the_same_rows(tmp_path: Path, format: str, format_is: str) -> None:
    path = write(tmp_path, "log.txt", WRITERS[format]([("b", "7"), ("a", "8"), ("b", "7")]))
    log = read_log(path, format=format if format_is == "given" else None)
    assert log.table.select("user", "item").rows() == [("b", 7), ("a", 8), ("b", 7)]
    first_line = 2 if format in ("recbole", "csv") else 1
    assert log.table["line"].to_list() == [first_line, first_line + 1, first_line + 2]


@pytest.mark.parametrize(
    ("suffix", "format"),
    [(".inter", "recbole"), (".csv", "csv"), (".parquet", "parquet"), (".jsonl", "jsonl")],
)
def test_the_suffix_tells_the_format(tmp_path: Path, suffix: str, format: str) -> None:
    path = write(tmp_path, f"log{suffix}", WRITERS[format]([("1", "2")]))
    assert rows_of(path) == [(1, 2)]


@given(
    rows=st.lists(
        st.tuples(
            st.text("aé,;\"' 0#", min_size=1).filter(str.strip).map(str.strip),
            st.sampled_from(["7", "007", "-3", "x y", "#8"]),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None)
def test_csv_keeps_any_id(tmp_path_factory: pytest.TempPathFactory, rows: Rows) -> None:
    path = write(tmp_path_factory.mktemp("csv"), "log.csv", _csv(rows))
    table = read_log(path, format="csv").table
    assert [tuple(map(str, row)) for row in table.select("user", "item").rows()] == rows


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["1", "20", "-3", "0"], [1, 20, -3, 0]),
        (["1", "007"], ["1", "007"]),
        (["1", "+7"], ["1", "+7"]),
        (["1", "-0"], ["1", "-0"]),
        (["1", "1.0"], ["1", "1.0"]),
        (["1", "18446744073709551616"], ["1", "18446744073709551616"]),
        (["1", "1_000"], ["1", "1_000"]),
    ],
)
@pytest.mark.parametrize("format", WRITERS)
def test_only_canonical_integers_become_integers(
    tmp_path: Path, format: str, ids: list[str], expected: list[object]
) -> None:
    path = write(tmp_path, "log", WRITERS[format]([("u", item) for item in ids]))
    assert read_log(path, format=format).table["item"].to_list() == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n \r\n", ""])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("format", ["pairs", "recbole", "csv", "jsonl"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, format: str, mark: str, end: str) -> None:
    text = WRITERS[format]([("1", "2"), ("3", "4")]).decode().replace("\r\n", "\n").rstrip()
    newline = end[:2] if end.startswith("\r") else "\n"
    path = write(tmp_path, "log", mark + text.replace("\n", newline) + end)
    assert rows_of(path) == rows_of(path, format=format) == [(1, 2), (3, 4)]


def test_pairs_take_any_white_space_and_have_no_comments(tmp_path: Path) -> None:
    path = write(tmp_path, "log.txt", "  a\t b \n# c\n")
    assert rows_of(path) == [("a", "b"), ("#", "c")]


def test_ids_in_braces_are_no_json(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "log", "{6F-9} [b]\n")) == [("{6F-9}", "[b]")]
    path = write(tmp_path, "log", "[b],{6F-9}\n")
    assert rows_of(path, columns="item,user") == [("{6F-9}", "[b]")]


def test_recbole_takes_only_the_columns_it_needs(tmp_path: Path) -> None:
    text = (
        "x:float_seq\titem_id:token\tuser_id:token\ttimestamp:float\trating:float\n"
        "1 2\ti\tu\t5\t4.5\n\tj\tu\t6\t\n"
    )
    table = read_log(write(tmp_path, "log.inter", text)).table
    assert table.select("line", "user", "item", "time", "rating").rows() == [
        (2, "u", "i", 5, 4.5),
        (3, "u", "j", 6, None),
    ]


@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_csv_separators(tmp_path: Path, separator: str, quote: str) -> None:
    rows = [["User ID", "item_id", "timestamp"], ["a", "b", "1.5"], ["c", "d", "2"]]
    text = "\n".join(separator.join(f"{quote}{field}{quote}" for field in row) for row in rows)
    table = read_log(write(tmp_path, "log.txt", text)).table
    assert table.select("user", "item", "time").rows() == [("a", "b", 1.5), ("c", "d", 2.0)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", " user , item\n a , b \n"),
        ("log.csv", 'user, "item"\n a , "b"\n'),
        ("log.csv", 'user,"item"\r\na,"b"\r\n'),
        ("log.inter", "user_id:token \t item_id:token\n a\tb \n"),
    ],
)
def test_space_around_a_field_is_not_part_of_it(tmp_path: Path, name: str, text: str) -> None:
    assert rows_of(write(tmp_path, name, text)) == [("a", "b")]


def test_csv_columns_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "log.csv", "user,who,sku,when,stars\n1,u,i,9,5\n")
    log = read_log(path, user_column="who", item_column="sku", time_column="when")
    assert log.table.row(0, named=True) == {
        "line": 2,
        "user": "u",
        "item": "i",
        "time": 9,
        "rating": 5.0,
    }


def test_csv_fields_may_hold_line_breaks_and_quotes(tmp_path: Path) -> None:
    text = 'user,note,item\na,"one\ntwo, ""three""",b\nc,plain,d\n'
    table = read_log(write(tmp_path, "log.csv", text)).table
    assert table.select("line", "user", "item").rows() == [(2, "a", "b"), (4, "c", "d")]


def test_parquet_takes_typed_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "uid": pl.Series(["x", "y"], dtype=pl.Categorical),
            "product_id": pl.Series([7, 2**63 + 1], dtype=pl.UInt64),
            "date": [datetime.datetime(1970, 1, 2), datetime.datetime(1970, 1, 1, 0, 0, 1)],
        }
    )
    path = tmp_path / "log.pq"
    frame.write_parquet(path)
    log = read_log(path)
    assert log.table.select("line", "user", "item").rows() == [
        (1, "x", "7"),
        (2, "y", str(2**63 + 1)),
    ]
    assert log.seconds is not None and log.seconds.to_list() == [86400.0, 1.0]


@pytest.mark.parametrize(
    ("values", "expected", "dtype"),
    [
        (["3", "-4"], [3, -4], pl.Int64),
        (["3", "4.5"], [3.0, 4.5], pl.Float64),
        (["3", "1e3"], [3.0, 1000.0], pl.Float64),
        (["1700000000000000001", "1"], [1700000000000000001, 1], pl.Int64),
    ],
)
def test_times_are_integers_only_if_all_of_them_are(
    tmp_path: Path, values: list[str], expected: list[float], dtype: type[pl.DataType]
) -> None:
    text = "user,item,time\n" + "".join(f"u,i,{value}\n" for value in values)
    times = read_log(write(tmp_path, "log.csv", text)).table["time"]
    assert times.to_list() == expected
    assert times.dtype == dtype


# --- faults of a row ---------------------------------------------------------------------------

NOT_A_TIME = "time is neither a number, such as Unix seconds, nor an ISO 8601 date"
QUOTES = "; if quotes are text here, read with quote_char none"
AFTER_QUOTE = f"bad quoting (',' expected after '\"'){QUOTES}"
NO_END = f"bad quoting (unexpected end of data){QUOTES}"
NOT_TEXT = "bytes in the {} that are no UTF-8 text; convert the file to UTF-8"
FAULTS = [
    ("log.txt", "1 2\n\n3 4\n", [(2, "blank line")]),
    ("log.txt", "1 2\n3\n1 2 3\n3 4\n", [(2, "too few fields (2 expected)"),
                                          (3, "too many fields (2 expected)")]),
    ("log.csv", "user,item\na,b\n  \na\na,b,c\n", [(3, "blank line"),
                                                    (4, "too few fields (2 expected)"),
                                                    (5, "too many fields (2 expected)")]),
    ("log.csv", 'user,item\n"a",b\n\na\na,b,c\n', [(3, "blank line"),
                                                    (4, "too few fields (2 expected)"),
                                                    (5, "too many fields (2 expected)")]),
    ("log.csv", "user,item\na,b\n,b\na, \n", [(3, "empty user id"), (4, "empty item id")]),
    ("log.csv", "user,item,time\na,b,1\na,b,\na,b,-nan\na,b,inf\na,b,soon\n",
     [(3, "missing time"), *((line, NOT_A_TIME) for line in (4, 5, 6))]),
    ("log.csv", "user,item,time\na,b,1\na,b,2\na,b\xff,1\n", [(4, NOT_TEXT.format("item id"))]),
    ("log.csv", "user,item,time\na,b,1\na,b,2\xff\n", [(3, NOT_TEXT.format("time"))]),
    ("log.jsonl", '{"user": 1, "item": 2}\n\n[3]\n{"user": 1.5, "item": "b"}\n'
     '{"user": true, "item": 3}\n{"user": "\\ud800", "item": 3}\n{"item": null, "user": 4}\n{',
     [(2, "blank line"), (3, "not a JSON object"),
      *((line, "in the column of the users, what is neither a text nor a whole number")
        for line in (4, 5)),
      (6, "in the column of the users, half of a surrogate pair"), (7, "empty item id"),
      (8, "not a JSON object")]),
    ("log.csv", 'user,item\na,b\n"c\nd",e\n', [(3, "line break in the user id")]),
    ("log.csv", 'user,item\na,b\nc,"d"e\nf,g\n', [(3, AFTER_QUOTE)]),
    ("log.csv", 'user,item\na,b\nc,"d\ne,f\n', [(3, NO_END), (4, NO_END)]),
    ("log.inter", "user_id:token\titem_id:token\ttimestamp:float\na\tb\t1\na\tb\n\ta\t1\n",
     [(3, "too few fields (3 expected)"), (4, "empty user id")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "faults"), FAULTS)
def test_bad_rows_are_named_or_skipped(
    tmp_path: Path, name: str, text: str, faults: list[tuple[int, str]]
) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(DataError, match="--on-bad-row skip") as caught:
        read_log(path)
    log = read_log(path, on_bad_row="skip")
    assert log.report.bad_rows == tuple(BadRow(*fault) for fault in faults)
    assert log.report.rows_kept == log.table.height > 0
    assert not set(log.table["line"]) & {line for line, _ in faults}
    for line, reason in faults:
        for described in (str(caught.value), log.report.describe()):
            listed = next(text for text in described.splitlines() if reason in text)
            assert str(line) in listed


@given(
    kinds=st.lists(st.sampled_from(["good", "blank", "few", "many", "time"]), min_size=1),
)
@settings(max_examples=40, deadline=None)
def test_each_row_is_kept_or_reported(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    texts = {"blank": "", "few": "a,b", "many": "a,b,1,2", "time": "a,b,x"}
    lines = [texts.get(kind, f"a,b,{number}") for number, kind in enumerate(kinds)]
    text = "\n".join(["user,item,time", *lines, "a,b,-1"])
    path = write(tmp_path_factory.mktemp("log"), "log.csv", text)
    log = read_log(path, on_bad_row="skip")
    good = [line for line, kind in enumerate(kinds, start=2) if kind == "good"]
    assert log.table["line"].to_list() == [*good, len(kinds) + 2]
    assert [bad.line for bad in log.report.bad_rows] == [
        line for line, kind in enumerate(kinds, start=2) if kind != "good"
    ]
    assert log.report.rows_read == len(kinds) + 1


def test_parquet_rows_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    columns = {"user": [1, None, 3], "item": ["a", "b", ""], "time": [1.0, 2.0, 3.0]}
    pl.DataFrame(columns).write_parquet(path)
    log = read_log(path, on_bad_row="skip")
    assert log.report.bad_rows == (BadRow(2, "empty user id"), BadRow(3, "empty item id"))


def test_lines_are_counted_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tf_recdenoiser.data.readers._text._BLOCK_BYTES", 7)
    lines = [f"{n} {n}" for n in range(40)]
    lines[20] = ""
    log = read_log(write(tmp_path, "log.txt", "\r\n".join(lines)), on_bad_row="skip")
    assert log.report.bad_rows == (BadRow(21, "blank line"),)
    assert log.table["user"].to_list() == [n for n in range(40) if n != 20]
    assert log.table["line"].to_list() == [n + 1 for n in range(40) if n != 20]


def test_repeated_pairs_without_times_are_kept_and_counted(tmp_path: Path) -> None:
    report = read_log(write(tmp_path, "log.txt", "a x\na x\na x\nb x\nc x\nc y\n")).report
    assert (report.rows_kept, report.repeated_pairs) == (6, 2)
    assert (report.single_row_users, report.short_users) == (1, 2)
    assert (report.user_count, report.item_count) == (3, 2)
    assert "2" in report.describe()


# --- faults of a file --------------------------------------------------------------------------


@pytest.mark.parametrize("format", [None, *READERS])
class TestFilesThatAreNoLog:
    def test_missing(self, tmp_path: Path, format: str | None) -> None:
        with pytest.raises(DataError, match=r"nowhere.*No such file"):
            read_log(tmp_path / "nowhere", format=format)

    def test_directory(self, tmp_path: Path, format: str | None) -> None:
        with pytest.raises(DataError, match="Is a directory"):
            read_log(tmp_path, format=format)

    def test_empty(self, tmp_path: Path, format: str | None) -> None:
        with pytest.raises(DataError, match=r"empty|whole Parquet file"):
            read_log(write(tmp_path, "log", b""), format=format)

    @pytest.mark.parametrize(
        "content", [b"\x89PNG\r\n\x1a\n\0\0", b"caf\xe9 1\n", "a b\n".encode("utf-16")]
    )
    def test_not_text(self, tmp_path: Path, format: str | None, content: bytes) -> None:
        with pytest.raises(DataError, match=r"UTF-8|whole Parquet file|as many gaps .*\(line 1\)"):
            read_log(write(tmp_path, "log", content), format=format)


@pytest.mark.parametrize("name", ["log", "log.csv", "log.inter"])
def test_only_white_space_is_empty(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="is empty"):
        read_log(write(tmp_path, name, "\n  \r\n"))


@pytest.mark.parametrize(("byte", "said"), [(b"\xff", r"\(line 6\)$"), (b"\0", "in line 6$")])
@pytest.mark.parametrize("block_bytes", [5, 1 << 20])
def test_the_line_of_a_byte_that_is_not_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, byte: bytes, said: str, block_bytes: int
) -> None:
    monkeypatch.setattr("tf_recdenoiser.data.readers._text._BLOCK_BYTES", block_bytes)
    with pytest.raises(DataError, match=f"UTF-8.*{said}|UTF-8(.|\n)*{said}"):
        read_log(write(tmp_path, "log.txt", b"a b\n" * 5 + byte + b" b\na b\n"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.csv", b"user,name,item\na,caf\xe9,b\nc,\xff\xfe,d\n"),
        ("log.csv", b'user,name,item\na,"caf\xe9",b\nc,"x\xc3",d\n'),
        ("log.csv", b"user;pr\xe9nom;item\na;x;b\nc;\xe9;d\n"),
        ("log.tsv", b"user\tname\titem\na\t\xe9\tb\nc\tx\td\n"),
        ("log.inter", b"user:token\tx:token\titem:token\na\t\xe9\tb\nc\tx\td\n"),
        ("log.jsonl", b'{"user": "a", "x": "\xe9", "item": "b"}\n{"user": "c", "item": "d"}\n'),
    ],
)
def test_bytes_that_are_not_text_in_a_column_that_is_not_used(
    tmp_path: Path, name: str, content: bytes
) -> None:
    log = read_log(write(tmp_path, name, content))
    assert log.table.select("user", "item").rows() == [("a", "b"), ("c", "d")]


def test_utf_16_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for text in ("user,item\na,b\n".encode("utf-16"), "\ufeffuser item\n".encode("utf-16-be")):
        with pytest.raises(DataError, match=r"iconv -f UTF-16 -t UTF-8.*log\.csv.* is UTF-16"):
            read_log(write(tmp_path, "log.csv", text))


@pytest.mark.parametrize("format", ["recbole", "csv", "parquet"])
def test_a_log_without_rows(tmp_path: Path, format: str) -> None:
    with pytest.raises(DataError, match="at least one usable interaction"):
        read_log(write(tmp_path, "log", WRITERS[format]([])), format=format)


def test_nothing_left_after_skipping(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of them usable:\n  2 × empty item id"):
        read_log(write(tmp_path, "log.csv", "user,item\na,\nb,\n"), on_bad_row="skip")


def test_a_missing_column_says_which_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "log.csv", "user,thing\n1,2\n")
    with pytest.raises(DataError) as error:
        read_log(path)
    assert str(error.value) == (
        "Which column holds the items? The columns are 'user', 'thing'; name it with --item-column "
        f"(in Python: item_column). Received: no name that is known for items in {str(path)!r}"
    )
    with pytest.raises(
        DataError, match=r"holds the times\?.*--time-column.*no column called 'hour'"
    ):
        read_log(path, item_column="thing", time_column="hour")


@pytest.mark.parametrize(
    ("header", "role"),
    [
        ("user_id,userId,item", "user"),
        ("user,item,item", "item"),
        ("Customer ID,sku,product_id", "item"),
        ("email,movie,created_at,event-time", "time"),
    ],
)
def test_columns_that_fit_equally_well_are_a_question(
    tmp_path: Path, header: str, role: str
) -> None:
    path = write(tmp_path, "log.csv", f"{header}\n{header.lower().replace('e', '3')}\n")
    with pytest.raises(DataError, match=rf"holds the {role}s\?.* --{role}-column .* and ") as error:
        read_log(path)
    assert "--columns" not in str(error.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("user_id,customer_id,item,sku,time,date", [0, 2, 4]),
        ("asin,parent_asin,reviewerID,reviewTime,unixReviewTime", [2, 1, 4]),
        ("Name,Email,Created at,Lineitem name,Lineitem sku", [1, 4, 2]),
        ("event_date,event_timestamp,user_pseudo_id,item_id", [2, 3, 1]),
        ("InvoiceNo,StockCode,InvoiceDate,CustomerID", [3, 1, 2]),
        ("session_id,visitor-id,article,when", [1, 2, 3]),
    ],
)
def test_the_surer_name_is_taken(tmp_path: Path, header: str, expected: list[int]) -> None:
    path = write(tmp_path, "log.csv", f"{header}\n{','.join('123456'[: header.count(',') + 1])}\n")
    row = read_log(path).table.select("user", "item", "time").row(0)
    assert list(row) == [index + 1 for index in expected]


def test_parquet_columns_of_the_wrong_type(tmp_path: Path) -> None:
    for column, values in (("user", [1.5]), ("item", [True]), ("time", [[1]])):
        path = tmp_path / f"{column}.parquet"
        rows = {"user": [1], "item": [2], "time": [3], "rating": [4]} | {column: values}
        pl.DataFrame(rows).write_parquet(path)
        with pytest.raises(DataError, match=f"{column}.*type"):
            read_log(path)


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    content = _parquet([("a", "b")])
    with pytest.raises(DataError, match="whole Parquet file"):
        read_log(write(tmp_path, "log.parquet", content[: len(content) // 2]))


def test_a_format_that_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--format, one of .*first line is"):
        read_log(write(tmp_path, "log.txt", "word\nother\n"))


@pytest.mark.parametrize(
    "text",
    ['[\n{"user": 1, "item": 2},\n{"user": 1, "item": 3}\n]\n', '[{"user": 1, "item": 2}]\n',
     '{\n"user": 1,\n"item": 2\n}\n', '{"user": 1, "item"'],
)  # fmt: skip
@pytest.mark.parametrize("name", ["log.json", "log.jsonl"])
def test_json_that_is_no_lines(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(DataError, match=r"an object a line; .* `jq -c '\.\[\]'`.*whose first line"):
        read_log(write(tmp_path, name, text), on_bad_row="skip")


def test_wrong_arguments(tmp_path: Path) -> None:
    path = write(tmp_path, "log.txt", "1 2\n")
    with pytest.raises(DataError, match=r"`format` must be one of .*'xls'"):
        read_log(path, format="xls")
    with pytest.raises(DataError, match=r"`on_bad_row` must be 'error' or 'skip'.*'ignore'"):
        read_log(path, on_bad_row="ignore")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"`repeats` must be 'keep' or 'drop'.*'none'"):
        read_log(path, repeats="none")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"`time_unit` must be 'auto', 's', .* or 'ns'.*'sec'"):
        read_log(path, time_unit="sec")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"the ratings\?.*'s' and 's'|more than one .* called 's'"):
        read_log(write(tmp_path, "log.csv", "user,item,s,s\n1,2,3,4\n"), rating_column="s")
    with pytest.raises(DataError, match=r"`columns` must be left out.* 'jsonl'"):
        read_log(write(tmp_path, "log", '{"user": 1, "item": 2}\n'), columns="user,item")
    with pytest.raises(DataError, match=r"a header, which names columns.*\(line 1\)"):
        read_log(write(tmp_path, "log.csv", "user_id,item\n1,2\n"), columns="user,item")
    path = write(tmp_path, "log.txt", "1 2\n")
    with pytest.raises(DataError, match=r"`columns` must be a text.*Received: \['user'\]"):
        read_log(path, columns=["user"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"`columns` must be left out.*log\.txt' of .* 'pairs'"):
        read_log(path, format="pairs", columns="user,item")
    with pytest.raises(DataError, match="no named columns"):
        read_log(path, format="pairs", user_column="u")
    with pytest.raises(DataError, match="name:type"):
        read_log(path, format="recbole")
