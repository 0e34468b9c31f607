"""What a report says to a person."""

from __future__ import annotations

import polars as pl

from tf_recdenoiser.data import BadRow, checked_log
from tf_recdenoiser.data.log import describe_bad_rows
from tf_recdenoiser.data.rows import RawRows


def test_a_report_gives_counts_and_the_first_lines_of_each_fault() -> None:
    rows = pl.DataFrame(
        {"line": range(1, 5), "user": ["a", "a", "a", "b"], "item": ["x", "y", "x", "x"]}
    )
    bad_rows = (BadRow(9, "blank line"), *(BadRow(line, "odd") for line in range(10, 2010)))
    log = checked_log(RawRows(rows, bad_rows), on_bad_row="skip")
    assert log.report.describe().splitlines() == [
        "2,005 rows read, 4 kept: 2 users, 2 items.",
        "Users with fewer than three interactions, trained on but not evaluated: 1 (1 with one).",
        "Rows that repeat an earlier (user, item) pair, kept: 1.",
        "Bad rows, skipped: 2,001.",
        "  2,000 × odd (lines 10, 11, 12, 13, 14, …)",
        "  1 × blank line (line 9)",
    ]


def test_a_report_on_a_log_without_oddities_is_one_line() -> None:
    rows = pl.DataFrame({"line": [1, 2, 3], "user": [1, 1, 1], "item": [1, 2, 3]})
    assert checked_log(rows).report.describe() == "3 rows read, 3 kept: 1 user, 3 items."


def test_how_many_lines_are_shown() -> None:
    bad_rows = [BadRow(line, "odd") for line in (1, 2, 3)]
    assert describe_bad_rows(bad_rows, shown=2) == "  3 × odd (lines 1, 2, …)"
    assert describe_bad_rows(bad_rows, shown=3) == "  3 × odd (lines 1, 2, 3)"
