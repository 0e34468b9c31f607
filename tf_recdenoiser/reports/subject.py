"""A run, and all that its report is made of; each thing is worked out once."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from tf_recdenoiser.data import Dataset, Histories
from tf_recdenoiser.evaluation import Result
from tf_recdenoiser.noise import NoisySplit
from tf_recdenoiser.runs import Run, load_split
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.scoring import Inputs, Scorer

_BATCH = 512


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What a report is about: a run, its data, and what it makes of its test users.

    E users are tested; n is how many of their newest items the model reads.

    Attributes
    ----------
    run
        The run.
    dataset
        The data it was trained on.
    """

    run: Run
    dataset: Dataset

    @functools.cached_property
    def noisy(self) -> NoisySplit:
        """The split of the data, with the noise that is known to be in it."""
        return load_split(self.run.settings, self.dataset)

    @property
    def histories(self) -> Histories:
        """What recommendations to the E users start from, as it was logged."""
        return self.noisy.split.test.histories

    @property
    def targets(self) -> np.ndarray:
        """The item that each of the E users took next, `[E]`."""
        return self.noisy.split.test.targets

    @property
    def item_count(self) -> int:
        """Number of items."""
        return len(self.run.item_ids)

    @property
    def length(self) -> int:
        """How many of the newest items the model reads, n."""
        length: int = self.run.settings.model.max_length
        return length

    @functools.cached_property
    def scorer(self) -> Scorer:
        """What ranks the model by the test items."""
        known = NoiseKnown(self.run.settings, self.dataset, self.noisy, self.run.detection)
        return known.scorer("test")

    @functools.cached_property
    def inputs(self) -> Inputs:
        """What the model reads of the E users, cleaned or softened as in life."""
        return self.scorer.some_inputs(len(self.targets))

    @functools.cached_property
    def result(self) -> Result:
        """The ranks of the targets in the whole catalogue."""
        return self.scorer.result(self.run.recommender, "full")

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """How often each item was taken in training, `[item_count + 1]`, by code."""
        return np.bincount(self.noisy.split.train.items, minlength=self.item_count + 1)

    @functools.cached_property
    def item_ids(self) -> np.ndarray:
        """The items that the model may read, as they were logged, `[E, n]`; 0 is padding."""
        return self.histories.last(self.length)

    @functools.cached_property
    def noise(self) -> np.ndarray | None:
        """P(noise) of `item_ids`, `[E, n]`, 0 at padding; None if noise was not looked for.

        What users said they disliked has 1, and what they did not has 0, as in life.
        """
        return self._noise(self.histories.last_disliked(self.length))

    @functools.cached_property
    def noise_untold(self) -> np.ndarray | None:
        """The same, judged as if nobody had said what they liked."""
        return self._noise(None)

    def _noise(self, disliked: np.ndarray | None) -> np.ndarray | None:
        if self.run.detection is None:
            return None
        parts = [
            self.run.noise_scores(self.item_ids[rows], None if disliked is None else disliked[rows])
            for rows in self.batches()
        ]
        return np.concatenate(parts)  # type: ignore[arg-type]  # one has scores, so all have

    def batches(self) -> list[np.ndarray]:
        """The numbers of the E users, some hundred at a time."""
        users = np.arange(len(self.targets))
        return np.split(users, np.arange(_BATCH, len(users), _BATCH))

    def names(self, codes: np.ndarray) -> list[str]:
        """Titles of items by their codes, or raw ids where there is none."""
        ids = [str(raw) for raw in self.run.item_ids[codes - 1].tolist()]
        if self.run.titles is None:
            return ids
        titles = self.run.titles[codes - 1].tolist()
        return [title or raw for title, raw in zip(titles, ids, strict=True)]

    def user(self, row: int) -> str:
        """The raw id of one of the E users."""
        return str(self.dataset.user_ids[self.noisy.split.test.users[row]])
