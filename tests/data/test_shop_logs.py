"""Files as shops, sites and data sets have them: each gives the events that it was made of.

No option is used but one that the refusal has named.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tf_recdenoiser.data import DataError, InteractionLog, read_log

Event = tuple[int, int, int]  # user, item, Unix seconds
# On whole minutes, in the order of a shop that is busy at night.
EVENTS: list[Event] = [
    (3 + n * 5 % 4, 17 + n * 7 % 6, 1_714_510_800 + 60 * (n * 977 % 60_000)) for n in range(24)
]
DAY = 86_400
TITLES = ["Tea", 'The "best" tea, 100 g', "Two\nlines; and more", "Crème brûlée", "", '12" disc']


def email(user: int) -> str:
    return f"p{user}@example.org"


def sku(item: int) -> str:
    return f"SKU-{item:04}"


def reviewer(user: int) -> str:
    return f"A{user:013}"


def asin(item: int) -> str:
    return f"B{item:09}"


def moment(seconds: int, format: str = "%Y-%m-%d %H:%M:%S", hours: int = 0) -> str:
    zone = datetime.timezone(datetime.timedelta(hours=hours))
    return datetime.datetime.fromtimestamp(seconds, zone).strftime(format)


def date(seconds: int) -> str:
    return moment(seconds, "%Y-%m-%d")


def title(number: int) -> str:
    return TITLES[number % len(TITLES)]


def table(header: Sequence[str] | None, rows: Iterable[Sequence[Any]], **dialect: Any) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, **dialect)
    writer.writerows([header] if header is not None else [])
    writer.writerows(rows)
    return out.getvalue().encode()


def objects(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(columns).write_parquet(out)
    return out.getvalue()


def zipped(content: bytes, name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def columns() -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    users, items, times = zip(*EVENTS, strict=True)
    return users, items, times


# --- The files --------------------------------------------------------------------------------


def shopify() -> bytes:
    head = ["Name", "Email", "Financial Status", "Paid at", "Currency", "Created at", "Notes",
            "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku"]  # fmt: skip
    return table(
        head,
        ([f"#{1000 + n}", email(user), "paid" if n % 3 else "", "", "EUR",
          moment(at, "%Y-%m-%d %H:%M:%S +0200", 2), title(n + 1), 1, title(n), "19.90", sku(item)]
         for n, (user, item, at) in enumerate(EVENTS)),
    )  # fmt: skip


def woocommerce() -> bytes:
    head = ["Order Number", "Order Status", "Order Date", "Customer ID", "Customer Note",
            "Email (Billing)", "SKU", "Item Name", "Quantity", "Item Cost"]  # fmt: skip
    return table(
        head,
        ([900 + n, "completed", moment(at, "%Y-%m-%d %H:%M"), user, title(n), email(user),
          sku(item), title(n + 2), 1, 4.5] for n, (user, item, at) in enumerate(EVENTS)),
        quoting=csv.QUOTE_ALL,
    )  # fmt: skip


def magento() -> bytes:
    return table(
        ["increment_id", "customer_email", "created_at", "sku", "price", "name"],
        ([f"{n:09}", email(user), moment(at), sku(item), f"{n},90", title(n)]
         for n, (user, item, at) in enumerate(EVENTS)),
        delimiter=";",
        quoting=csv.QUOTE_NONNUMERIC,
    )  # fmt: skip


def analytics() -> bytes:
    return objects(
        {
            "event_date": moment(at, "%Y%m%d"),
            "event_timestamp": at * 10**6,
            "event_name": "view_item",
            "user_pseudo_id": f"{user}.17",
            "item_id": sku(item),
            "geo": {"country": "DE", "cities": ["Köln", title(user)]},
            **({"campaign": None} if item % 2 else {}),
        }
        for user, item, at in EVENTS
    )


def dump() -> bytes:
    rows = (f"{user}\t{item}\t{moment(at, '%Y-%m-%dT%H:%M:%S', at % 7)}+0{at % 7}:00\n"
            for user, item, at in EVENTS)  # fmt: skip
    return ("user_id\titem_id\tevent_time\n" + "".join(rows)).encode()


def warehouse() -> bytes:
    return table(
        ["client", "article", "event_time"],
        ([user, item, moment(at, "%Y-%m-%d %H:%M:%S.%f UTC")] for user, item, at in EVENTS),
    )


def simple(time: Callable[[int], Any], **dialect: Any) -> bytes:
    rows = ([user, item, time(at)] for user, item, at in EVENTS)
    return table(["userId", "itemId", "timestamp"], rows, **dialect)


def noted() -> bytes:
    rows = ([user, f"one\ntwo,\n{title(n)}", item, at] for n, (user, item, at) in enumerate(EVENTS))
    return table(["member", "note", "product", "time"], rows)


def ratings_dat() -> bytes:
    return "".join(f"{u}::{i}::{1 + (u * i) % 5}::{at}\n" for u, i, at in EVENTS).encode()


def ratings_csv() -> bytes:
    rows = ([u, i, 0.5 * (1 + u * i % 10), at] for u, i, at in EVENTS)
    return table(["userId", "movieId", "rating", "timestamp"], rows)


def u_data() -> bytes:
    return "".join(f"{u}\t{i}\t{1 + u * i % 5}\t{at}\n" for u, i, at in EVENTS).encode()


def amazon_reviews() -> bytes:
    return objects(
        {"overall": 5.0, "verified": True, "reviewTime": moment(at, "%m %d, %Y"),
         "reviewerID": reviewer(user), "asin": asin(item), "reviewerName": title(n),
         "style": {"Size:": title(n)}, "reviewText": title(n + 1), "unixReviewTime": at}
        for n, (user, item, at) in enumerate(EVENTS)
    )  # fmt: skip


def amazon_reviews_2023() -> bytes:
    return objects(
        {"rating": 5.0, "title": title(n), "images": [], "asin": "B00", "parent_asin": asin(item),
         "user_id": f"{reviewer(user)}XYZ", "timestamp": at * 1000, "helpful_vote": 0}
        for n, (user, item, at) in enumerate(EVENTS)
    )  # fmt: skip


def amazon_ratings(item_first: bool) -> bytes:
    ids = ((reviewer(user), asin(item), at) for user, item, at in EVENTS)
    return table(None, ([i, u, 5.0, at] if item_first else [u, i, 5.0, at] for u, i, at in ids))


def recbole() -> bytes:
    rows = "".join(f"{user}\t{item}\t4.0\t{at}.0\n" for user, item, at in EVENTS)
    return f"user_id:token\titem_id:token\trating:float\ttimestamp:float\n{rows}".encode()


def retail_rocket() -> bytes:
    return table(
        ["timestamp", "visitorid", "event", "itemid", "transactionid"],
        ([at * 1000, user, "view", item, ""] for user, item, at in EVENTS),
    )


def yelp() -> bytes:
    return objects(
        {"review_id": f"r{n}", "user_id": email(user), "business_id": sku(item), "stars": 4.0,
         "date": moment(at), "text": title(n)}
        for n, (user, item, at) in enumerate(EVENTS)
    )  # fmt: skip


def parquet_moments() -> bytes:
    users, items, times = columns()
    at = pl.Series(times).cast(pl.Int64) * 10**6
    zoned = at.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone("Asia/Tokyo")
    return parquet(CustomerID=[float(user) for user in users], sku=items, created_at=zoned)


def parquet_nanoseconds() -> bytes:
    users, items, times = columns()
    return parquet(user_id=users, item_id=items, ts=[at * 10**9 for at in times])


def joined() -> bytes:
    head, *rows = [
        table(None, [row]).decode()
        for row in [["buyer", "preis", "sku", "when"],
                    *([email(u), f"{n}€", sku(i), at] for n, (u, i, at) in enumerate(EVENTS))]
    ]  # fmt: skip
    return "".join([head, *rows[:9], head, *rows[9:]]).encode()


def latin() -> bytes:
    rows = (f"{u};Crème {n};{i};{moment(at)}\r\n" for n, (u, i, at) in enumerate(EVENTS))
    return ("Kunde;Prénom;Article-ID;Order Date\r\n" + "".join(rows)).encode("latin-1")


def spaced() -> bytes:
    rows = "".join(f"{u:5} {i:5} {at}\n" for u, i, at in EVENTS)
    return f" user  item       time\n{rows}".encode()


def bare(separator: str) -> bytes:
    rows = (separator.join(map(str, [u, i, 1 + u * i % 5, at])) for u, i, at in EVENTS)
    return ("\n".join(rows) + "\n").encode()


def quoted() -> bytes:
    return table(None, EVENTS, quoting=csv.QUOTE_ALL)


def quantities(separator: str) -> bytes:
    """Not quite the ratings that they look like."""
    rows = (separator.join(map(str, [u, i, u * i % 7, at])) for u, i, at in EVENTS)
    return ("\n".join(rows) + "\n").encode()


def both_products() -> bytes:
    rows = ([u, i, f"V{i % 2}", at] for u, i, at in EVENTS)
    return table(["customer_id", "product_id", "sku", "created_at"], rows)


# --- What comes of them -----------------------------------------------------------------------


@dataclass(frozen=True)
class File:
    """A file, and how it writes ids and times."""

    name: str
    content: Callable[[], bytes]
    user: Callable[[int], Any] = int
    item: Callable[[int], Any] = int
    resolution: int = 1
    asks: str = ""
    answer: str = ""


READ = [
    File("orders_export.csv", shopify, email, sku),
    File("woocommerce.csv", woocommerce, int, sku),
    File("magento.csv", magento, email, sku),
    File("events.jsonl", analytics, lambda user: f"{user}.17", sku),
    File("events.ndjson.gz", lambda: gzip.compress(analytics()), lambda u: f"{u}.17", sku),
    File("events.json", analytics, lambda user: f"{user}.17", sku),
    File("export", analytics, lambda user: f"{user}.17", sku),
    File("dump.tsv", dump),
    File("bq-results.csv", warehouse),
    File("excel.csv", lambda: simple(lambda at: moment(at, "%Y-%m-%d %H:%M"), delimiter=";")),
    File("slashes.csv", lambda: simple(lambda at: moment(at, "%Y/%m/%d %H:%M"))),
    File("zulu.csv", lambda: simple(lambda at: moment(at, "%Y-%m-%dT%H:%M:%S.000Z"))),
    File("seconds.csv", lambda: simple(int)),
    File("fractions.csv", lambda: simple(lambda at: f"{at}.0")),
    File("milliseconds.csv", lambda: simple(lambda at: at * 1000)),
    File("microseconds.tsv", lambda: simple(lambda at: at * 10**6, delimiter="\t")),
    File("nanoseconds.txt", lambda: simple(lambda at: at * 10**9, delimiter="|")),
    File("dates.csv", lambda: simple(date), resolution=DAY),
    File("plain_dates.csv", lambda: simple(lambda at: moment(at, "%Y%m%d")), resolution=DAY),
    File("windows.csv", lambda: b"\xef\xbb\xbf" + simple(int, lineterminator="\r\n")),
    File("notes.csv", noted),
    File("ratings.dat", ratings_dat),
    File("ratings.csv", ratings_csv),
    File("u.data", u_data),
    File("Video_Games_5.json.gz", lambda: gzip.compress(amazon_reviews()), reviewer, asin),
    File("Games.jsonl", amazon_reviews_2023, lambda u: f"{reviewer(u)}XYZ", asin),
    File("ratings_Beauty.csv", lambda: amazon_ratings(False), reviewer, asin),
    File("Beauty.csv", lambda: amazon_ratings(True), reviewer, asin),
    File("shop.inter", recbole),
    File("rocket.csv", retail_rocket),
    File("yelp_reviews.json", yelp, email, sku),
    File("moments.parquet", parquet_moments),
    File("nanoseconds.parquet", parquet_nanoseconds),
    File("log.csv.gz", lambda: gzip.compress(noted())),
    File("archive.zip", lambda: zipped(magento(), "2024/orders.csv"), email, sku),
    File("archive.zip", lambda: zipped(analytics(), "e.jsonl"), lambda u: f"{u}.17", sku),
    File("joined.csv", joined, email, sku),
    File("spaced.txt", spaced),
]  # fmt: skip
ASKED = [
    File("bare.csv", lambda: bare(","), asks="--columns"),
    File("bare.txt", lambda: bare(";"), asks="--columns"),
    File("bare.log", lambda: bare(" "), asks="--columns"),
    File("products.csv", both_products, asks="--item-column", answer="product_id"),
    File("quoted.csv", quoted, asks="--columns"),
    File("quantities", lambda: quantities("\t"), asks="--columns"),
    File("quantities.dat", lambda: quantities("::"), asks="--columns"),
    File("latin.csv", latin, asks="--user-column", answer="Kunde"),
]


def triples(log: InteractionLog) -> list[tuple[Any, ...]]:
    assert log.seconds is not None
    return list(zip(log.table["user"], log.table["item"], log.seconds, strict=True))


def expected(file: File) -> list[tuple[Any, ...]]:
    step = file.resolution
    return [(file.user(u), file.item(i), float(at // step * step)) for u, i, at in EVENTS]


@pytest.mark.parametrize("file", READ, ids=lambda file: file.name)
def test_a_file_is_read_with_no_option(tmp_path: Path, file: File) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.content())
    log = read_log(path)
    assert triples(log) == expected(file)
    assert log.report.rows_read == log.report.rows_kept == len(EVENTS)


@pytest.mark.parametrize("file", ASKED, ids=lambda file: file.name)
def test_a_file_is_read_with_the_option_that_its_refusal_names(tmp_path: Path, file: File) -> None:
    path = tmp_path / file.name
    path.write_bytes(file.content())
    with pytest.raises(DataError) as error:
        read_log(path)
    options = re.findall(r"(--[a-z-]+?)(?: ([a-z,_]+))? \(in Python: ([a-z_]+)", str(error.value))
    assert [option for option, *_ in options] == [file.asks]
    _, example, argument = options[0]
    assert triples(read_log(path, **{argument: file.answer or example})) == expected(file)


def test_utf_16_is_refused_and_read_once_it_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "unicode.csv"
    path.write_bytes(simple(int).decode().encode("utf-16"))
    with pytest.raises(DataError, match=r"iconv -f UTF-16 -t UTF-8"):
        read_log(path)
    path.write_bytes(path.read_bytes().decode("utf-16").encode("utf-8"))
    assert triples(read_log(path)) == expected(File("", bytes))


# --- Several files ----------------------------------------------------------------------------


def months(folder: Path) -> None:
    """Each month by another system: with other columns, a pack, and times in another unit."""
    files: dict[str, Callable[[list[Event]], bytes]] = {
        "2024-01.csv": lambda rows: table(["user", "item", "time"], rows),
        "2024-02.csv.gz": lambda rows: gzip.compress(
            table(["date", "customer", "x", "sku"], ([at * 1000, u, "", i] for u, i, at in rows))
        ),
        "2024-03.jsonl": lambda rows: objects(
            {"user_id": user, "when": moment(at), "item_id": item} for user, item, at in rows
        ),
        "2024-04.parquet": lambda rows: parquet(
            user=[user for user, _, _ in rows],
            item=[item for _, item, _ in rows],
            time=[datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for *_, at in rows],
        ),
    }
    for number, (name, write) in enumerate(files.items()):
        (folder / name).write_bytes(write(EVENTS[6 * number : 6 * number + 6]))


@pytest.mark.parametrize("way", ["pattern", "list", "list of patterns"])
def test_several_files_are_one_log(tmp_path: Path, way: str) -> None:
    months(tmp_path)
    given: Any = {
        "pattern": tmp_path / "2024-*",
        "list": sorted(tmp_path.iterdir()),
        "list of patterns": [str(tmp_path / "*-01.csv"), str(tmp_path / "*-0[2-4].*")],
    }[way]
    log = read_log(given)
    assert triples(log) == expected(File("", bytes))
    assert log.report.rows_read == 24
    assert log.time_unit == "us"


def test_a_bad_row_is_named_by_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n1,2\n\n3,4\n")
    (tmp_path / "b.csv").write_text('sku,user,note\n2,,x\n9,8,"1\n2"\nuser,item,y\n')
    with pytest.raises(DataError) as error:
        read_log(tmp_path / "*.csv")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    assert "3 bad of 6 rows in 2 files:" in str(error.value)
    assert f"1 × blank line (line {a}:3)" in str(error.value)
    assert f"1 × empty user id (line {b}:2)" in str(error.value)
    assert f"in the place of a user and an item (line {b}:5)" in str(error.value)
    assert f"several lines each: 1 (lines {b}:3–4)" in str(error.value)
    log = read_log(tmp_path / "*.csv", on_bad_row="skip")
    assert log.table.select("user", "item").rows() == [(1, 2), (3, 4), (8, 9)]
    assert len(set(log.table["line"]) | {row.line for row in log.report.bad_rows}) == 6
    assert f"(line {b}:2)" in log.report.describe()


def test_several_files_that_do_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item,time\n1,2,1714510800\n")
    (tmp_path / "b.csv").write_text("user,item,hour\n1,2,3\n")
    with pytest.raises(
        DataError, match=r"times, or none.*a\.csv' with times and .*b\.csv' without"
    ):
        read_log(tmp_path / "?.csv")
    (tmp_path / "b.csv").write_text("user,item,time\n1,2,3\n")
    with pytest.raises(DataError, match=r"--time-unit.*a\.csv', which says.*b\.csv', whose times"):
        read_log(tmp_path / "?.csv")
    assert read_log(tmp_path / "?.csv", time_unit="s").table["time"].to_list() == [1714510800, 3]
    with pytest.raises(DataError, match=r"The columns are 'kunde', 'item'.*in .*c\.csv'"):
        (tmp_path / "c.csv").write_text("kunde,item\n1,2\n")
        read_log(tmp_path / "[ac].csv")
    with pytest.raises(DataError, match=r"must fit one at least.*\*\.tsv', which fits none"):
        read_log(tmp_path / "*.tsv")
    with pytest.raises(DataError, match=r"given once.*a\.csv', .*a\.csv'\]"):
        read_log([tmp_path / "a.csv", tmp_path / ".." / tmp_path.name / "[ab].csv"])
    with pytest.raises(DataError, match="must name one at least"):
        read_log([])


def test_what_exists_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "log[1].csv").write_text("user,item\n1,2\n")
    (tmp_path / "log1.csv").write_text("user,item\n3,4\n")
    assert read_log(tmp_path / "log[1].csv").table["user"].to_list() == [1]
    assert read_log(tmp_path / "log?1].csv").table["user"].to_list() == [1]


# --- What is said -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            lambda: simple(lambda at: at * 1000),
            "Times: Unix milliseconds, 2024-04-30 to 2024-05",
        ),
        (lambda: simple(int), "Times: Unix seconds, 2024-04-30 to 2024-05-16"),
        (lambda: simple(date), "Times: dates in ISO 8601, 2024-04-30 to 2024-05-16"),
        (lambda: simple(lambda at: at % 1000), "Times: numbers as they stand, 0 to 960 (--time-"),
        (retail_rocket, "Columns: users from 'visitorid', items from 'itemid', times from 'times"),
        (u_data, "Columns: no header, taken for user,item,rating,time.\nTimes: Unix seconds, "),
        (lambda: b"user,item,zeit\n1,2,3\n", "no times (other columns: 'zeit'; --time-column nam"),
    ],
)
def test_what_was_found_is_said(tmp_path: Path, content: Callable[[], bytes], said: str) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content())
    assert said in read_log(path).report.describe()


def test_exact_repeats_are_kept_or_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n1,2,7\n1,3,7\n1,2,7\n1,2,8\n1,2,7\n")
    kept, dropped = read_log(path), read_log(path, repeats="drop")
    assert (kept.table.height, kept.report.rows_kept) == (5, 5)
    assert dropped.table["line"].to_list() == [2, 3, 5]
    for log in (kept, dropped):
        assert log.report.repeated_rows == (4, 6)
        assert log.report.rows_read == 5
    assert dropped.report.rows_kept == 3
    assert "time of an earlier one, kept (--repeats drop leaves them out): 2 (lines 4, 6)." in (
        kept.report.describe()
    )
    assert "time of an earlier one, left out: 2 (lines 4, 6)." in dropped.report.describe()
    path.write_text("user,item\n1,2\n1,2\n")
    assert read_log(path, repeats="drop").report.repeated_rows == ()


# --- Times ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unit", "per"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_the_unit_can_be_given(tmp_path: Path, unit: Any, per: int) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"user,item,time\n1,2,{5 * per}\n1,3,{7 * per}\n1,4,1970-01-01 00:00:06\n")
    log = read_log(path, time_unit=unit)
    assert log.seconds is not None and log.seconds.to_list() == [5.0, 7.0, 6.0]
    assert log.table["time"].to_list() == [5 * per, 7 * per, 6 * per]


def test_a_time_in_another_unit_than_most_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n1,2,1714510800000\n1,3,1714510801\n1,4,1714510802500\n1,5,0\n")
    with pytest.raises(
        DataError, match=r"looks like Unix seconds, where most are Unix milli.*\(line 3\)"
    ):
        read_log(path)
    log = read_log(path, on_bad_row="skip")
    assert log.seconds is not None and log.seconds.to_list() == [1714510800.0, 1714510802.5, 0.0]
    as_given = read_log(path, time_unit="ms").seconds
    assert as_given is not None and as_given.to_list()[1] == 1714510.801


def test_nanoseconds_are_compared_exactly(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    start = 1_714_510_800 * 10**9
    path.write_text(f"user,item,time\n1,2,{start + 2}\n1,3,{start + 1}\n1,4,{start}\n1,4,{start}\n")
    log = read_log(path, repeats="drop")
    assert log.table.sort("time")["item"].to_list() == [4, 3, 2]
    assert log.time_unit == "ns"
