"""Damaged files: each is read or refused by its line, and no row is lost without being counted.

What must come of a file is worked out here by a parser that goes through its characters.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import polars as pl
import pytest

from tf_recdenoiser.data import DataError, read_log
from tf_recdenoiser.data.checks import NULL_VALUES
from tf_recdenoiser.data.readers._columns import NAMES, TIERS

ROWS = [(f"u{n % 4}", f"i{n * 7 % 11}", 100 + 10 * n) for n in range(12)]
TITLES = ["tea", '"red, tea"', "12 inch", '"a ""b"" c"', "", '"two\nlines"', "it's", '"x"']
SPACE = " \t\n\v\f\r\x85\xa0\u1680\u2000\u2028\u2029\u202f\u205f\u3000"
SPICE = [*b" ,;|\t\"'\r\n\0-.:0aZ", b"\r\n", b"\n\n", b'""', b'",', b'"\n', "٣".encode(),
         "é".encode(), b"\xff", b"\xef\xbb\xbf", b"\xc2\xa0", b"NULL", b"nan", b"user item",
         b"1e999", b"9" * 25, b"2024-05-17"]  # fmt: skip
FIELDS = ["", " ", "nan", "NULL", "٣", "7", "-0", "1e3", "2024-05-17", "user_id", "item", '"',
          '"odd', 'odd"', '"o"d', '"o""d"', '"o"', "o\rd", '"o\nd"', '"o\rd"']  # fmt: skip
BROKEN = "\uffff"
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


# --- Files, and damage to them ----------------------------------------------------------------


def pairs() -> bytes:
    return "".join(f"{user} {item}\n" for user, item, _ in ROWS).encode()


def numbers() -> bytes:
    return "".join(f"{user[1:]}\t{item[1:]}\r\n" for user, item, _ in ROWS).encode()


def recbole() -> bytes:
    head = "user_id:token\ttitle:token_seq\titem_id:token\ttimestamp:float\n"
    return (head + "".join(f"{u}\t{t}\t{i}\t{at}\n" for (u, i, at), t in titled())).encode()


def titled() -> Iterator[tuple[tuple[str, str, int], str]]:
    for number, row in enumerate(ROWS):
        yield row, TITLES[number % len(TITLES)].replace("\n", " ").strip('"')


def csv_of(separator: str) -> bytes:
    lines = [["user", "title", "item", "time", "rating"]]
    for number, (user, item, time) in enumerate(ROWS):
        title = TITLES[number % len(TITLES)].replace(",", separator)
        lines.append([user, title, f'"{item}"', str(time), str(number % 5)])
    return "".join(separator.join(line) + "\n" for line in lines).encode()


def plain_csv(separator: str) -> bytes:
    head = separator.join(["user", "title", "item", "time"]) + "\n"
    body = "".join(separator.join([u, t, i, str(at)]) + "\n" for (u, i, at), t in titled())
    return (head + body.replace('"', "")).encode()


def gaps() -> bytes:
    lines = []
    for user in range(6):
        items = [item for _, item, _ in ROWS[user : user + 4]]
        lines.append(f"{user} {' '.join(items)}\t0 {' '.join(map(str, range(1, len(items))))}\n")
    return "".join(lines).encode()


def jsonl() -> bytes:
    lines = []
    for (user, item, time), title in titled():
        one = {"user_id": user, "title": title, "item": {"id": item}, "time": time}
        lines.append(json.dumps(one if time % 20 else {"rating": 4.5, **one}) + "\n")
    return "".join(lines).encode()


def bare_csv() -> bytes:
    return csv_of(",").partition(b"\n")[2]


def spaced() -> bytes:
    rows = "".join(f"{user}  {title}x {item} {time}\n" for (user, item, time), title in single())
    return f"user title item time\n{rows}".encode()


def single() -> Iterator[tuple[tuple[str, str, int], str]]:
    for row, title in titled():
        yield row, "".join(title.split())


def ratings_dat() -> bytes:
    rows = ((u[1:], i[1:], 1 + at // 10 % 5, 978300760 + at) for u, i, at in ROWS)
    return "".join("::".join(map(str, row)) + "\n" for row in rows).encode()


def parquet() -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame(ROWS, schema=["user", "item", "time"], orient="row")
    frame.with_columns(title=pl.lit("x")).write_parquet(out)
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", plain_csv(";"))
    return out.getvalue()


def damaged(content: bytes, random: Random) -> bytes:
    """The content after one to three blows."""
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        content = random.choice([bytes_hit, bytes_hit, field_hit, line_hit])(content, random)
    return content


def bytes_hit(content: bytes, random: Random) -> bytes:
    at, length = random.randrange(len(content) + 1), random.choice([1, 1, 2, 8, 60])
    spice = random.choice([*SPICE, bytes([random.randrange(256)])])
    spice = bytes([spice]) if isinstance(spice, int) else spice
    return random.choice(
        [
            content[:at] + spice + content[at:],
            content[:at] + spice + content[at + 1 :],
            content[:at] + content[at + length :],
            content[:at] + content[max(0, at - length) : at] + content[at:],
            content[:at],
        ]
    )


def field_hit(content: bytes, random: Random) -> bytes:
    """Another field in the place of one."""
    parts = re.split(rb"([,;|\t\n ])", content)
    parts[random.randrange(0, len(parts), 2)] = random.choice(FIELDS).encode()
    return b"".join(parts)


def line_hit(content: bytes, random: Random) -> bytes:
    """A line once more, often the first, or a line less."""
    lines = content.splitlines(keepends=True) or [b""]
    again = random.choice([lines[0], random.choice(lines), b"user_id item_id\n", b"\n"])
    lines[random.randrange(len(lines))] = random.choice([b"", again])
    lines.insert(random.randrange(len(lines) + 1), again)
    return b"".join(lines)


# --- What must come of them -------------------------------------------------------------------


@dataclass
class Expected:
    """Rows by line, users and items; and the lines of bad rows, one for each row."""

    rows: list[tuple[int, str, str]] = field(default_factory=list)
    bad: Counter[int] = field(default_factory=Counter)

    def add(self, line: int, user: str, item: str, time: str | None = None) -> None:
        self.add_values(line, user.strip(SPACE), item.strip(SPACE), time)

    def add_values(
        self, line: int, user: str, item: str, time: str | None = None, headers: bool = True
    ) -> None:
        is_bad = any(
            one.strip(SPACE) == ""
            or one in NULL_VALUES.split(",")
            or set(one) & {"\n", "\r", BROKEN}
            for one in (user, item)
        ) or (headers and known_name(user) and known_name(item))
        if is_bad or (time is not None and seconds(time.strip(SPACE)) is None):
            self.bad[line] += 1
        else:
            self.rows.append((line, user, item))


class Refused(Exception):
    """Nothing can come of the file."""


def known_name(text: str) -> bool:
    plain = "".join(filter(str.isalnum, text)).lower()
    return plain in (*NAMES["user"], *NAMES["item"])


def seconds(text: str) -> float | None:
    if text == "2024-05-17":
        return 1715904000.0
    number = float(text) if NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) != float("inf") else None


def lines_of(content: bytes) -> list[str]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Refused
    # What is no UTF-8 comes as half of a pair, byte by byte.
    text = re.sub("[\udc80-\udcff]", BROKEN, content.decode(errors="surrogateescape"))
    lines = [line.removeprefix("\ufeff").rstrip("\r") for line in text.split("\n")]
    lines[0] = lines[0].removeprefix("\ufeff")
    while lines and not lines[-1].strip(SPACE):
        lines.pop()
    if "\0" in text or not lines:
        raise Refused
    return lines


def words(text: str) -> list[str]:
    return [word for word in re.split(f"[{SPACE}]+", text) if word]


def expected_pairs(content: bytes) -> Expected:
    expected, lines = Expected(), lines_of(content)
    found = {n: words(line) for n, line in enumerate(lines, 1) if "\r" not in line}
    good = {n: pair for n, pair in found.items() if len(pair) == 2}
    integers = {n: [bool(re.fullmatch("-?[0-9]+", id)) for id in pair] for n, pair in good.items()}
    alone = integers.get(1) == [False, False] and len(good) > 1
    alone = alone and all(all(both) for n, both in integers.items() if n > 1)
    for line in range(1, len(lines) + 1):
        if line not in good or (line == 1 and alone):
            expected.bad[line] += 1
        else:
            expected.add(line, *good[line])
    return expected


def expected_gaps(content: bytes) -> Expected:
    expected = Expected()
    for number, line in enumerate(lines_of(content), 1):
        parts = line.split("\t")
        user, *items = words(parts[0]) or [""]
        steps = words(parts[1]) if len(parts) == 2 else []
        good = all(re.fullmatch(r"[0-9]+(\.[0-9]*)?", step) for step in steps)
        if "\r" in line or not items or len(steps) != len(items) or not good:
            expected.bad[number] += 1
            continue
        time = 0.0
        for item, step in zip(items, steps, strict=True):
            time += float(step)
            expected.add(number, user, item, repr(time))
    return expected


def expected_recbole(content: bytes) -> Expected:
    lines = lines_of(content)
    header = [name.strip(SPACE) for name in lines[0].split("\t")]
    types = {name.rpartition(":")[2].strip(SPACE) for name in header}
    if not types <= {"token", "token_seq", "float", "float_seq"}:
        raise Refused
    names = [name.rpartition(":")[0].strip(SPACE) for name in header]
    records = [
        Record(n, n, None if "\r" in line else line.split("\t"))
        for n, line in enumerate(lines[1:], 2)
    ]
    return under_header(names, header, records)


@dataclass
class Record:
    """Its first and last line and its fields; None if it cannot be read."""

    first: int
    last: int
    fields: list[str] | None


def under_header(names: list[str], written: list[str], records: list[Record]) -> Expected:
    found = columns(names)
    expected = Expected()
    for record in records:
        fields = record.fields
        if fields is None:
            expected.bad += Counter(range(record.first, record.last + 1))
            continue
        if len(fields) == len(names):
            values = {role: fields[at].strip(SPACE) for role, at in found.items()}
            if [one.strip(SPACE) for one in fields] == written:
                continue  # the header once more
            if all(values[role] == written[found[role]] for role in ("user", "item")):
                expected.bad[record.first] += 1
            else:
                expected.add(record.first, values["user"], values["item"], values.get("time"))
        else:
            expected.bad[record.first] += 1
    return expected


def columns(names: list[str]) -> dict[str, int]:
    plain = ["".join(filter(str.isalnum, name)).lower() for name in names]
    found = {}
    for role in ("user", "item", "time"):
        fitting = [[at for at, name in enumerate(plain) if name in tier] for tier in TIERS[role]]
        first = next(filter(None, fitting), [])
        if len(first) > 1 or (not first and role != "time"):
            raise Refused
        if first:
            found[role] = first[0]
    return found


def expected_csv(content: bytes, told: list[str] | None = None) -> Expected:
    lines = lines_of(content)
    separator = max((",", "\t", ";", "|", "::"), key=lines[0].count)
    separator = separator if separator in lines[0] else " "
    cut = str.split if separator == " " else lambda line: line.split(separator)
    quoted = any(
        len(name.strip(SPACE)) > 1 and name.strip(SPACE)[0] == name.strip(SPACE)[-1] == '"'
        for name in cut(lines[0])
    )
    if separator == "::" or (separator in "\t " and not quoted):
        split = words if separator == " " else cut
        records = [
            Record(n, n, None if "\r" in line else split(line)) for n, line in enumerate(lines, 1)
        ]
    else:
        records = list(quoted_records(lines, separator, told))
    if told is not None:
        return under_header(told, told, records)
    first = records[0]
    if first.fields is None:
        raise Refused
    names = [name.strip(SPACE) for name in first.fields]
    return under_header(names, names, records[1:])


def expected_ratings(content: bytes) -> Expected:
    """A refusal if the first lines are no ratings any more."""
    head = [line.split("::") for line in lines_of(content)]
    head = [[one.strip(SPACE) for one in row] for row in head if len(row) == len(head[0])]
    number = re.compile(r"-?[0-9]+([.][0-9]+)?")
    for user, item, rating, time in head if len(head[0]) == 4 else [[""] * 4]:
        whole = re.fullmatch("[0-9]+", user) and re.fullmatch("[0-9]+", item)
        rated = rating in ("0.5", "5", "5.0", *(f"{n}{half}" for n in "1234" for half in HALVES))
        if not (whole and rated and number.fullmatch(time)):
            raise Refused
    # 1990 to 2099, in any unit.
    units = [10**power for power in (0, 3, 6, 9)]
    known = [any(631152000 <= float(row[3]) / one < 4102444800 for one in units) for row in head]
    if sum(known) * 2 <= len(known):
        raise Refused
    expected = expected_csv(content, ["user", "item", "rating", "time"])
    for row in list(expected.rows):  # a time is bad if it looks like one in another unit than most
        number = seconds(lines_of(content)[row[0] - 1].split("::")[3].strip(SPACE)) or 0
        if any(631152000 <= number / one < 4102444800 for one in units[1:]):
            expected.rows.remove(row)
            expected.bad[row[0]] += 1
    return expected


def expected_jsonl(content: bytes) -> Expected:
    lines = lines_of(content)
    objects = {n: one for n, one in enumerate(map(json_object, lines), 1) if one is not None}
    names = list(dict.fromkeys(name for one in objects.values() for name in one))
    found = {role: names[at] for role, at in columns(names).items()}
    expected = Expected()
    for line in range(1, len(lines) + 1):
        values = {role: objects.get(line, {}).get(name) for role, name in found.items()}
        kinds = {"user": (str, int), "item": (str, int), "time": (str, int, float)}
        good = line in objects and all(
            value is None or type(value) in kinds[role] for role, value in values.items()
        )
        texts = {role: "" if value is None else str(value) for role, value in values.items()}
        if not good or any("\ud800" <= sign <= "\udfff" for sign in "".join(texts.values())):
            expected.bad[line] += 1
        else:
            expected.add_values(line, **texts, headers=False)
    return expected


def json_object(line: str) -> dict[str, object] | None:
    """The values by their names, those of an object within by both."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    flat = {}
    for name, value in found.items():
        inner = value.items() if isinstance(value, dict) else [(None, value)]
        flat.update({name if below is None else f"{name}.{below}": one for below, one in inner})
    return flat


def quoted_records(lines: list[str], separator: str, told: list[str] | None) -> Iterator[Record]:
    """By the characters: a field is quoted whole, or the quotes in it are text."""
    at, used = 0, None if told is None else set(columns(told).values())
    while at < len(lines):
        start = at
        fields, at = quoted_record(lines, at, separator)
        if fields is None and at - start == 1 and used is not None:
            fields = misquoted(lines[start], separator, used)
        if start == 0 and fields is not None and told is None:
            used = set(columns([name.strip(SPACE) for name in fields]).values())
        yield Record(start + 1, at, fields)


def quoted_record(lines: list[str], at: int, separator: str) -> tuple[list[str] | None, int]:
    """The fields of the record that begins in line `at`, from 0, and the line after it."""
    fields, text, place = [], lines[at], 0
    while True:
        while text[place : place + 1] == " ":
            place += 1
        value = ""
        if text[place : place + 1] == '"':
            place += 1
            while True:
                if place == len(text):
                    at, place, value = at + 1, 0, value + "\n"
                    if at == len(lines):
                        return None, at
                    text = lines[at]
                elif text[place : place + 2] == '""':
                    value, place = value + '"', place + 2
                elif text[place] == '"':
                    place += 1
                    break
                else:
                    value, place = value + text[place], place + 1
            if place < len(text) and text[place] != separator:
                return None, at + 1
        else:
            end = text.find(separator, place)
            end = len(text) if end < 0 else end
            value, place = text[place:end], end
            if "\r" in value:
                return None, at + 1
        fields.append(value)
        if place == len(text):
            return fields, at + 1
        place += 1


def misquoted(text: str, separator: str, used: set[int]) -> list[str] | None:
    """Fields of a line with text after a closing quote, or none, in columns that are not used."""
    fields, place = [], 0
    while place <= len(text) and "\r" not in text:
        begin = place
        while text[place : place + 1] == " ":
            place += 1
        good = False
        if text[place : place + 1] == '"':
            end = place + 1
            while end < len(text) and (text[end] != '"' or text[end : end + 2] == '""'):
                end += 2 if text[end] == '"' else 1
            if end < len(text):
                good = end + 1 == len(text) or text[end + 1] == separator
                inside, place = text[place + 1 : end], end + 1
            if not good and len(fields) in used:
                return None
        end = text.find(separator, place)
        end = len(text) if end < 0 else end
        fields.append(inside.replace('""', '"') if good else text[begin:end])
        place = end + 1
    return fields if "\r" not in text else None


@dataclass(frozen=True)
class Kind:
    """A file, the reader it is for, and what must come of it."""

    make: Callable[[], bytes]
    format: str
    expected: Callable[[bytes], Expected]
    columns: str | None = None


HALVES = ("", ".0", ".5")
COLUMNS = "user,title,item,time,rating"
KINDS = {
    "pairs": Kind(pairs, "pairs", expected_pairs),
    "pairs of numbers": Kind(numbers, "pairs", expected_pairs),
    "gaps": Kind(gaps, "gaps", expected_gaps),
    "recbole": Kind(recbole, "recbole", expected_recbole),
    "csv": Kind(lambda: csv_of(","), "csv", expected_csv),
    "csv with semicolons": Kind(lambda: csv_of(";"), "csv", expected_csv),
    "csv without quotes": Kind(lambda: plain_csv(";"), "csv", expected_csv),
    "tsv": Kind(lambda: plain_csv("\t"), "csv", expected_csv),
    "csv without a header": Kind(
        bare_csv, "csv", lambda content: expected_csv(content, COLUMNS.split(",")), COLUMNS
    ),
    "spaces": Kind(spaced, "csv", expected_csv),
    "ratings.dat": Kind(ratings_dat, "csv", expected_ratings),
    "jsonl": Kind(jsonl, "jsonl", expected_jsonl),
}
# What a message says of the whole file, where no single line is at fault.
OF_THE_FILE = re.compile(r"line|column|is empty|none of them usable|format of the log|UTF-16")
FEW, MANY = range(45), range(45, 600)


def seeds(numbers: range) -> list[object]:
    few = [pytest.param(FEW, id="few")]
    return [*few, pytest.param(MANY, id="many", marks=pytest.mark.slow)]


# --- Tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", seeds(FEW))
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_a_damaged_text_is_read_or_counted(
    tmp_path: Path, kind: str, numbers: range
) -> None:
    one = KINDS[kind]
    read = 0
    for seed in numbers:
        content = damaged(one.make(), Random(f"{kind} {seed}"))
        path = tmp_path / "log"
        path.write_bytes(content)
        try:
            expected = one.expected(content)
        except Refused:
            expected = Expected()
        try:
            log = read_log(path, one.format, on_bad_row="skip", columns=one.columns)
        except DataError as error:
            assert not expected.rows, (seed, content, error)
            assert OF_THE_FILE.search(str(error)), (seed, content, error)
            continue
        read += 1
        rows = log.table.select("line", pl.col("user", "item").cast(pl.String)).rows()
        assert rows == expected.rows, (seed, content)
        assert Counter(row.line for row in log.report.bad_rows) == expected.bad, (seed, content)
        if expected.bad:
            with pytest.raises(DataError, match=r"\(lines? \d"):
                read_log(path, one.format, columns=one.columns)
    assert read > len(numbers) / 3


@pytest.mark.parametrize("numbers", seeds(FEW))
def test_any_damaged_file_is_read_or_refused(tmp_path: Path, numbers: range) -> None:
    """Whatever its format is taken for."""
    makers = [one.make for one in KINDS.values()]
    for seed in numbers:
        random = Random(f"any {seed}")
        path = tmp_path / f"log{random.choice(['', '.csv', '.inter', '.tsv'])}"
        path.write_bytes(damaged(random.choice(makers)(), random))
        try:
            report = read_log(path, on_bad_row="skip").report
        except DataError as error:
            assert OF_THE_FILE.search(str(error)), (seed, error)
        else:
            assert report.rows_kept > 0


READ_ALL = """
import json, sys
from pathlib import Path
from tf_recdenoiser.data import DataError, read_log
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        said = read_log(path, on_bad_row="skip").report.rows_read
    except DataError as error:
        said = str(error)
    print(json.dumps([path.stem, said]))
"""


@pytest.mark.parametrize("numbers", seeds(FEW))
def test_a_damaged_parquet_file_is_read_or_refused(tmp_path: Path, numbers: range) -> None:
    """In a process of its own, since there is damage at which Polars ends the process."""
    content = parquet()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    places = {}
    for seed in range(numbers.start * 4, numbers.stop * 4):
        random = Random(f"parquet {seed}")
        at = places[f"{seed:06}"] = random.randrange(len(content) if seed % 2 else footer)
        blow = bytes([random.randrange(256)])
        path = tmp_path / f"{seed:06}.parquet"
        path.write_bytes(content[:at] + blow + content[at + 1 :])
    command = [sys.executable, "-c", READ_ALL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found = dict(map(json.loads, done.stdout.splitlines()))
    assert found.keys() == places.keys()
    refused = re.compile("Parquet|column|none of them usable|type")
    for seed, said in found.items():
        if isinstance(said, int):
            assert said == len(ROWS) or places[seed] >= footer, seed
        else:
            assert refused.search(said), (seed, said)


@pytest.mark.parametrize("numbers", seeds(FEW))
@pytest.mark.parametrize(
    ("suffix", "make"), [(".gz", lambda: gzip.compress(plain_csv(";"))), (".zip", zipped)]
)
def test_a_damaged_packed_file_is_read_whole_or_refused(
    tmp_path: Path, suffix: str, make: Callable[[], bytes], numbers: range
) -> None:
    path = tmp_path / f"log.csv{suffix}"
    for seed in numbers:
        path.write_bytes(damaged(make(), Random(f"{suffix} {seed}")))
        try:
            report = read_log(path).report
        except DataError as error:
            assert re.search("packed log|one file|read", str(error)), (seed, error)
        else:
            assert report.rows_kept == len(ROWS), seed
