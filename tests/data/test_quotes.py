"""Quotes: where they enclose a field, where they are text, and what they may not swallow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tf_recdenoiser.data import DataError, InteractionLog, read_log

TITLES = {3: '"Odd', 8: '10 inch 10"'}
"""By row, from 0: a quote that opens, and another that closes five rows later."""


def read(tmp_path: Path, name: str, text: str, **options: Any) -> InteractionLog:
    path = tmp_path / name
    path.write_text(text)
    return read_log(path, **options)


def table(separator: str, rows: int = 12) -> str:
    lines = [["user", "title", "item", "time"]]
    lines += [[f"u{n}", TITLES.get(n, "plain"), f"i{n}", str(100 + n)] for n in range(rows)]
    return "".join(separator.join(line) + "\n" for line in lines)


@pytest.mark.parametrize(
    ("name", "separator", "options"),
    [
        ("log.tsv", "\t", {}),
        ("log.txt", "\t", {}),
        ("log.csv", ",", {"quote_char": "none"}),
        ("log.csv", ";", {"quote_char": None}),
        ("log.csv", "|", {"quote_char": "'"}),
    ],
)
def test_quotes_that_are_text_join_no_rows(
    tmp_path: Path, name: str, separator: str, options: dict[str, Any]
) -> None:
    log = read(tmp_path, name, table(separator), **options)
    expected = [(f"u{n}", f"i{n}", 100 + n, n + 2) for n in range(12)]
    assert log.table.select("user", "item", "time", "line").rows() == expected
    assert log.report.multiline_rows == log.report.bad_rows == ()


def test_rows_over_several_lines_are_named_in_the_report(tmp_path: Path) -> None:
    text = 'user,note,item\na,"one\ntwo",b\nc,plain,d\ne,"x\n\ny",f\n'
    report = read(tmp_path, "log.csv", text).report
    assert report.multiline_rows == ((2, 3), (5, 7))
    assert report.rows_read == 3
    described = report.describe()
    assert "Rows that take several lines each: 2 (lines 2–3, 5–7)." in described
    assert "log.quote_char=none" in described


def test_a_bad_row_over_several_lines_is_named_with_its_lines(tmp_path: Path) -> None:
    text = 'user,item,note\na,b,"open\nc,d,x\ne,f,closed"\n,g,h\ni,j,"k\nl",m\n'
    with pytest.raises(DataError, match=r"several lines each: 2 \(lines 2–4, 6–7\)"):
        read(tmp_path, "log.csv", text)
    report = read(tmp_path, "log.csv", text, on_bad_row="skip").report
    assert report.multiline_rows == ((2, 4), (6, 7))
    assert [row.line for row in report.bad_rows] == [5, 6]


def test_tabs_with_a_quoted_header_are_quoted(tmp_path: Path) -> None:
    """As R writes a table."""
    text = '"user"\t"item"\t"note"\n"a"\t"b"\t"c\td"\n'
    assert read(tmp_path, "log.tsv", text).table.select("user", "item").rows() == [("a", "b")]


@pytest.mark.parametrize("quote", "'^*]\\$~")
def test_another_quote_character(tmp_path: Path, quote: str) -> None:
    text = "user,item,note\n'a,b','it''s',x\n\"c\",d,'x'y\ne,'f'g,z\n".replace("'", quote)
    log = read(tmp_path, "log.csv", text, quote_char=quote, on_bad_row="skip")
    assert log.table.select("user", "item").rows() == [("a,b", f"it{quote}s"), ('"c"', "d")]
    assert [row.line for row in log.report.bad_rows] == [4]


@pytest.mark.parametrize("quote_char", ["", '""', ",", "\t", "\n", "a", " ", 3])
def test_what_is_no_quote_character_is_refused(tmp_path: Path, quote_char: Any) -> None:
    with pytest.raises(DataError, match=r"`quote_char` must be .*Received: "):
        read(tmp_path, "log.csv", "user,item\na,b\n", quote_char=quote_char)


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize(
    "title",
    ['"Odd" things', '"a""b" c', '12" disc', '"a" "b"', '  "x" y', '"' + "x" * 200_000 + '"'],
)
def test_bad_quotes_in_a_column_that_is_not_used_make_no_row_bad(
    tmp_path: Path, separator: str, title: str
) -> None:
    rows = [["user", "title", "item"], ["a", title, '"b"'], ["c", "plain", '"d""e"']]
    log = read(tmp_path, "log.csv", "\n".join(map(separator.join, rows)))
    assert log.table.select("user", "item").rows() == [("a", "b"), ("c", 'd"e')]
    assert log.report.bad_rows == ()


def test_bad_quotes_in_a_column_that_is_used_make_a_row_bad(tmp_path: Path) -> None:
    text = 'user,title,item\n"a"x,t,b\nc,"t"x,d\n"e"x,"t"x,f\ng,"t",h\n'
    log = read(tmp_path, "log.csv", text, on_bad_row="skip")
    assert [row.line for row in log.report.bad_rows] == [2, 4]
    assert log.table["line"].to_list() == [3, 5]


def test_bad_quotes_that_may_hide_a_separator_make_a_row_bad(tmp_path: Path) -> None:
    text = 'user,title,item\na,"t" x, y,b\nc,"t",d\n'
    log = read(tmp_path, "log.csv", text, on_bad_row="skip")
    assert [row.line for row in log.report.bad_rows] == [2]


@pytest.mark.parametrize("text", ["user,item\na,b\rc\nd,e\n", 'user,item\n"a",b\r,c\nd,e\n',
                                  "user;item\na;b\r \nd;e\n"])  # fmt: skip
def test_a_line_break_within_a_line_is_refused(tmp_path: Path, text: str) -> None:
    log = read(tmp_path, "log.csv", text, on_bad_row="skip")
    assert log.report.bad_rows == ((2, "line break (CR) within the line"),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.txt", "1 2\n3\r4\n"),
        ("log.txt", "1 2\t0\n3 4\r5\t0 1\n"),
        ("log.inter", "user_id:token\titem_id:token\nx\r\ty\na\tb\n"),
    ],
)
def test_a_line_break_within_a_line_is_refused_in_each_format(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(DataError, match=r"1 × line break \(CR\) within the line \(line 2\)"):
        read(tmp_path, name, text)
