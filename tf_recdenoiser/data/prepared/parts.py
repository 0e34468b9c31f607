"""First stage: each file of a log by itself, checked, its rows told apart by shards of users."""

from __future__ import annotations

import dataclasses
import json
import zlib
from pathlib import Path

import polars as pl

from tf_recdenoiser._files import written_whole
from tf_recdenoiser.data.checks import check_times_alike, repeated
from tf_recdenoiser.data.log import PER_SECOND, InteractionLog
from tf_recdenoiser.data.prepared.manifest import sha256_of
from tf_recdenoiser.data.prepared.plan import Plan
from tf_recdenoiser.data.readers import read_log
from tf_recdenoiser.data.times import AS_NUMBERS, in_unit

_COLUMNS = ("user", "item", "time", "disliked")


@dataclasses.dataclass(frozen=True)
class PartRecord:
    """What is known of one file of a log.

    Attributes
    ----------
    source, sha256
        Its name, and the hash of its content.
    rows_read, bad_rows
        Of its report.
    time_unit
        Of its times; None if it has none.
    as_numbers
        Whether its times are numbers that are no seconds since 1970.
    texts
        The columns, of `user` and `item`, in which not all ids are whole numbers.
    has_feedback
        Whether it says what was disliked.
    """

    source: str
    sha256: str
    rows_read: int
    bad_rows: int
    time_unit: str | None
    as_numbers: bool
    texts: list[str]
    has_feedback: bool

    @classmethod
    def of(cls, path: Path, log: InteractionLog) -> PartRecord:
        """That of a file which was read."""
        types = log.table.schema
        return cls(
            source=path.name,
            sha256=sha256_of(path),
            rows_read=log.report.rows_read,
            bad_rows=len(log.report.bad_rows),
            time_unit=log.time_unit if log.has_times else None,
            as_numbers=AS_NUMBERS in log.report.times,
            texts=[name for name in ("user", "item") if types[name] == pl.String],
            has_feedback="disliked" in types,
        )


class Parts:
    """The files of a log as rows of `user`, `item`, `time` and `disliked`, by shards of users.

    Parameters
    ----------
    work
        The folder in which `read_part` left them all.

    Raises
    ------
    DataError
        If the times of the files cannot be compared.
    """

    def __init__(self, work: Path) -> None:
        plan = Plan.read(work)
        self._work, self._drops_repeats = work, plan.reading.get("repeats") == "drop"
        self.records = [
            PartRecord(**json.loads(_record_path(work, number).read_text("utf-8")))
            for number in range(len(plan.sources))
        ]
        self._texts = {name for one in self.records for name in one.texts}
        units = [one.time_unit for one in self.records if one.time_unit is not None]
        self.time_unit = max(units, key=PER_SECOND.__getitem__) if units else None
        check_times_alike(
            {one.time_unit is not None: repr(one.source) for one in self.records},
            {one.as_numbers: repr(one.source) for one in self.records},
        )

    @property
    def has_feedback(self) -> bool:
        """Whether any of the files says what was disliked."""
        return any(one.has_feedback for one in self.records)

    def items(self) -> pl.Series:
        """The ids of all items, rising."""
        found = [
            self._typed(_scan(self._work, number).select("item").unique().collect())
            for number in range(len(self.records))
        ]
        return pl.concat(found)["item"].unique().sort()

    def rows(self, shard: int) -> pl.DataFrame:
        """The rows of a shard's users, in the log's order; `is_repeat` says which repeat others."""
        parts = []
        for number, record in enumerate(self.records):
            part = self._typed(
                _scan(self._work, number).filter(shard=shard).drop("shard").collect()
            )
            if record.time_unit is not None and self.time_unit is not None:
                part = part.with_columns(in_unit(part["time"], record.time_unit, self.time_unit))
            parts.append(part)
        rows = pl.concat(parts, how="diagonal_relaxed")
        return rows.with_columns(is_repeat=repeated(rows))

    def without_repeats(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of a shard without those that repeat others, if they are to be dropped."""
        return rows.filter(~pl.col("is_repeat")) if self._drops_repeats else rows

    def _typed(self, rows: pl.DataFrame) -> pl.DataFrame:
        texts = self._texts.intersection(rows.columns)
        return rows.with_columns(pl.col(name).cast(pl.String) for name in texts)


def read_part(work: Path, number: int) -> None:
    """Read a file of a log, unless that was done before, and keep its rows.

    Parameters
    ----------
    work
        The folder in which the plan lies, and the rows are kept.
    number
        Of the file.

    Raises
    ------
    DataError
        If it cannot be read, or has bad rows that are not to be skipped.
    """
    if _record_path(work, number).exists():
        return
    plan = Plan.read(work)
    path = plan.paths[number]
    log = read_log(path, **{**plan.reading, "repeats": "keep"})
    _write_rows(log.table, _rows_path(work, number), plan.shards)
    with written_whole(_record_path(work, number)) as temporary:
        content = json.dumps(dataclasses.asdict(PartRecord.of(path, log)))
        temporary.write_text(content, encoding="utf-8")


def _write_rows(table: pl.DataFrame, path: Path, shards: int) -> None:
    """Rows by shards, so that those of one lie together and can be read by themselves."""
    kept = table.select(name for name in _COLUMNS if name in table.columns)
    kept = kept.with_columns(shard=_shards_of(table["user"], shards))
    with written_whole(path) as temporary:
        kept.sort("shard", maintain_order=True).write_parquet(
            temporary, row_group_size=max(table.height // shards, 1)
        )


def _shards_of(users: pl.Series, shards: int) -> pl.Series:
    """The shard of each user, by a hash of the id's text that is the same on every machine."""
    ids = users.unique()
    numbers = [zlib.crc32(one.encode()) % shards for one in ids.cast(pl.String)]
    return users.replace_strict(ids, pl.Series(numbers, dtype=pl.Int32))


def _scan(work: Path, number: int) -> pl.LazyFrame:
    return pl.scan_parquet(_rows_path(work, number))


def _rows_path(work: Path, number: int) -> Path:
    return work / f"part-{number:05}.parquet"


def _record_path(work: Path, number: int) -> Path:
    return work / f"part-{number:05}.json"
