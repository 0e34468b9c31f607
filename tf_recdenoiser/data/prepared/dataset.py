"""A prepared data set, read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tf_recdenoiser.data.dataset import Dataset
from tf_recdenoiser.data.histories import Histories, offsets_of
from tf_recdenoiser.data.log import DataError, counted
from tf_recdenoiser.data.prepared.manifest import Manifest
from tf_recdenoiser.data.prepared.shards import ITEMS


class PreparedDataset:
    r"""The sequences that `prepare_files` wrote: all of them, or a shard of users at a time.

    Parameters
    ----------
    folder
        Where they lie.

    Attributes
    ----------
    folder
        As given.
    manifest
        What there is, and how it was made.

    Raises
    ------
    DataError
        If it has no manifest; later on, if a file is missing or not as it was written.

    Examples
    --------
    >>> import tempfile
    >>> from tf_recdenoiser.data.prepared import prepare_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = Path(folder, "log.csv")
    ...     _ = log.write_text("user,item\nann,tea\nbob,pot\nann,pot\n")
    ...     _ = prepare_files(log, Path(folder, "prepared"), shards=2)
    ...     prepared = PreparedDataset(Path(folder, "prepared"))
    ...     dataset = prepared.dataset()
    >>> dataset.user_ids, dataset.sequence(0)
    (array(['ann', 'bob'], dtype=object), array([2, 1], dtype=int32))
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self.manifest = Manifest.read(self.folder)

    @cached_property
    def item_ids(self) -> npt.NDArray[Any]:
        """The ids of all items by code, from code 1 on."""
        return self._read(ITEMS)["item"].to_numpy()

    @property
    def shards(self) -> list[str]:
        """The names of the shards' files."""
        return [name for name in self.manifest.files if name != ITEMS]

    def dataset(self, shards: Collection[str] | None = None) -> Dataset:
        """The sequences of the users of some shards, as `prepare` has them.

        Parameters
        ----------
        shards
            Their names; None (default) for all.
        """
        names = self.shards if shards is None else shards
        table = pl.concat([self._read(name) for name in names]).sort("user")
        all_users = _histories(table)
        return Dataset(
            user_ids=table["user"].to_numpy(),
            item_ids=self.item_ids,
            items=all_users.items,
            times=all_users.times,
            offsets=all_users.offsets,
            disliked=all_users.disliked,
        )

    def sample(self, users: int) -> list[str]:
        """The first shards, with so many users or more of whom something can be learned."""
        learned = self.manifest.learned
        so_far = np.cumsum([learned[name] for name in self.shards])
        return self.shards[: int(np.searchsorted(so_far, users)) + 1]

    def describe(self) -> str:
        """What there is, for a person."""
        found = self.manifest
        said = [
            f"Prepared: {counted(found.interactions, 'interaction')} of "
            f"{counted(found.users, 'user')} with {counted(found.items, 'item')}, "
            f"in {counted(len(self.shards), 'shard')}."
        ]
        if found.bad_rows:
            said.append(f"Bad rows of the log, which were skipped: {found.bad_rows:,}.")
        return "\n".join(said)

    def _read(self, name: str) -> pl.DataFrame:
        """A file, whose content is what was written."""
        path = self.folder / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise self._damaged(path, error.strerror) from error
        if hashlib.sha256(content).hexdigest() != self.manifest.files[name]:
            raise self._damaged(path, "not what was written")
        return pl.read_parquet(io.BytesIO(content))

    def _damaged(self, path: Path, why: object) -> DataError:
        return DataError(
            "The files of a prepared data set must be as they were written; put them back, or "
            f"prepare it anew. Received: {str(path)!r} ({why})"
        )


def _histories(table: pl.DataFrame) -> Histories:
    lengths = table["items"].list.len().to_numpy()

    def flat(name: str) -> npt.NDArray[Any] | None:
        return table[name].explode().to_numpy() if name in table.columns else None

    items = flat("items")
    assert items is not None
    return Histories(
        offsets_of(lengths), items, flat("times"), table["user"].to_numpy(), flat("disliked")
    )
