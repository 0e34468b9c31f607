"""Logs of a line a user, with the time before each item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tf_recdenoiser.data import DataError, InteractionLog, prepare, read_log

TEXT = "7 tea milk tea\t0 60 3.5\nbob  milk \t 0\n"


def read(tmp_path: Path, text: str, **options: object) -> InteractionLog:
    path = tmp_path / "log.txt"
    path.write_text(text)
    return read_log(path, **options)


@pytest.mark.parametrize("options", [{}, {"format": "gaps"}])
def test_times_are_the_sums_of_the_gaps(tmp_path: Path, options: dict[str, str]) -> None:
    log = read(tmp_path, TEXT, **options)
    assert log.table.select("user", "item", "time", "line").rows() == [
        ("7", "tea", 0.0, 1),
        ("7", "milk", 60.0, 1),
        ("7", "tea", 63.5, 1),
        ("bob", "milk", 0.0, 2),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("8 a b\t0", "not a user, items, a tab and as many gaps as items"),
        ("8 a\t0 1", "not a user, items, a tab and as many gaps as items"),
        ("8\t", "a user without items"),
        ("8", "not a user, items, a tab and as many gaps as items"),
        ("8 a", "not a user, items, a tab and as many gaps as items"),
        ("8 a\t0\t0", "not a user, items, a tab and as many gaps as items"),
        ("8 a b\t0 -1", "a gap is not a number of at least 0"),
        ("8 a b\t0 soon", "a gap is not a number of at least 0"),
        ("   ", "blank line"),
    ],
)
def test_a_bad_line_is_refused_or_skipped_by_its_number(
    tmp_path: Path, line: str, reason: str
) -> None:
    text = f"1 a b\t0 5\n{line}\n2 b a\t0 0\n"
    with pytest.raises(DataError, match=rf"1 × {reason} \(line 2\)"):
        read(tmp_path, text)
    log = read(tmp_path, text, on_bad_row="skip")
    assert log.report.bad_rows == ((2, reason),)
    assert log.table["line"].to_list() == [1, 1, 3, 3]


@pytest.mark.parametrize("text", ["user\titem\n1\t2\n", "1 2\n3 4\n", "a,b\n1,2\n"])
def test_other_formats_are_not_taken_for_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="not a user, items"):
        read(tmp_path, text, format="gaps")
    if "," not in text:
        assert not read(tmp_path, text).has_times


def test_named_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no named columns.*Received: {'time': 'when'}"):
        read(tmp_path, TEXT, format="gaps", time_column="when")


def test_the_published_log_is_read_whole(shared_data: Path) -> None:
    """As the README beside the file counts it; the gaps of its second line are known."""
    log = read_log(shared_data / "beauty-5core-time.txt", on_bad_row="skip")
    assert (log.report.user_count, log.report.item_count) == (22_363, 12_101)
    dataset = prepare(log)
    assert log.report.rows_read == 198_502
    second = dataset.histories.prefixes([dataset.user_ids.tolist().index(2)], [7])
    assert second.times is not None
    np.testing.assert_array_equal(
        np.diff(second.times), [3_801_600, 0, 604_800, 864_000, 86_400, 0]
    )
