"""The users' sequences as integer codes, and the ids that the codes stand for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tf_recdenoiser.data.histories import Histories


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a data set: equal data give equal fingerprints, on every machine.

    Attributes
    ----------
    sha256
        Of the ids, the sequences, the times and the feedback, as 64 hexadecimal digits.
    users
        Number of users.
    items
        Number of items.
    interactions
        Number of interactions.
    """

    sha256: str
    users: int
    items: int
    interactions: int


@dataclass(frozen=True, eq=False)
class Dataset:
    """Every user's interactions, oldest first, with U users, I items and R interactions.

    Attributes
    ----------
    user_ids
        [U], the log's user ids in increasing order, int64 or objects of str.
    item_ids
        [I], the log's item ids in increasing order, int64 or objects of str. The item with
        the code c in 1 … I has the id `item_ids[c - 1]`; the code 0 is padding.
    items
        int32 [R], item codes, the users' sequences one after the other.
    times
        float64 [R], in seconds if the log says when things happened; None if it has no times.
    offsets
        int64 [U+1]; user u's items are `items[offsets[u]:offsets[u + 1]]`.
    disliked
        float32 [R], what the log says of how users liked the items: 1 where they disliked them,
        0 where they liked them, 0.5 for neither, NaN where it says nothing; None if it has no
        feedback.
    """

    user_ids: npt.NDArray[Any]
    item_ids: npt.NDArray[Any]
    items: npt.NDArray[np.int32]
    times: npt.NDArray[np.float64] | None
    offsets: npt.NDArray[np.int64]
    disliked: npt.NDArray[np.float32] | None = None

    @property
    def user_count(self) -> int:
        """U, the number of users."""
        return len(self.user_ids)

    @property
    def item_count(self) -> int:
        """I, the number of items; padding is not one."""
        return len(self.item_ids)

    @property
    def histories(self) -> Histories:
        """All sequences, one row a user."""
        return Histories(self.offsets, self.items, self.times, self.user_ids, self.disliked)

    def sequence(self, user: int) -> npt.NDArray[np.int32]:
        """int32 [length], the item codes of user number `user`, oldest first."""
        return self.histories.row(user)

    def with_items(self, item_ids: npt.NDArray[Any]) -> Dataset:
        """The same interactions, with other codes.

        Parameters
        ----------
        item_ids
            [I'], the ids by their new codes: all those of this data set, and any others. Whole
            numbers and texts are alike.

        Raises
        ------
        ValueError
            If an id is missing.

        Examples
        --------
        >>> ids, none = np.array([3, 7]), np.array([0])
        >>> dataset = Dataset(none, ids, np.array([1, 2], np.int32), None, np.array([0, 2]))
        >>> dataset.with_items(np.array([9, 7, 3])).items
        array([3, 2], dtype=int32)
        """
        code = {str(raw): number for number, raw in enumerate(item_ids.tolist(), 1)}
        own = [str(raw) for raw in self.item_ids.tolist()]
        if missing := [raw for raw in own if raw not in code]:
            raise ValueError(f"`item_ids` must hold every item's id. Received: no {missing[0]!r}")
        codes = np.array([code[raw] for raw in own], np.int32)
        return replace(self, item_ids=item_ids, items=codes[self.items - 1])

    def fingerprint(self) -> Fingerprint:
        """The hash of ids, sequences, times and feedback, and the counts."""
        digest = hashlib.sha256()
        digest.update(json.dumps([self.user_ids.tolist(), self.item_ids.tolist()]).encode())
        digest.update(self.offsets.astype("<i8").tobytes())
        digest.update(self.items.astype("<i4").tobytes())
        if self.times is not None:
            digest.update(self.times.astype("<f8").tobytes())
        if self.disliked is not None:
            digest.update(b"disliked" + self.disliked.astype("<f4").tobytes())
        return Fingerprint(digest.hexdigest(), self.user_count, self.item_count, len(self.items))
