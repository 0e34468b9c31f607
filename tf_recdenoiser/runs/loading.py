"""A finished run, ready to be used."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import tensorflow as tf

from tf_recdenoiser._settings import default
from tf_recdenoiser.data import Dataset, Histories
from tf_recdenoiser.data.histories import offsets_of
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.ops.slots import from_slots
from tf_recdenoiser.retrieval.export import export_saved_model
from tf_recdenoiser.retrieval.serving_module import ServingModule
from tf_recdenoiser.runs.build import best_recommender
from tf_recdenoiser.runs.detect import read_detection
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.recommending import (
    Wanted,
    as_table,
    best_items,
    inputs_of,
    known_histories,
    similar_items,
)
from tf_recdenoiser.runs.resolve import backbone_class
from tf_recdenoiser.runs.scoring import Inputs, Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_dataset, load_split
from tf_recdenoiser.training import Explanation, Recommender, explain

RawIds = Iterable[str | int] | np.ndarray
"""Ids as in the log: texts, or whole numbers."""


class ScoredItem(NamedTuple):
    """An item by its raw id, its score, and its title if that is known."""

    item: str | int
    score: float
    title: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run's best model with its vocabulary.

    Attributes
    ----------
    directory
        Where it lies.
    settings
        Its settings.
    recommender
        The model of the best epoch.
    item_ids
        Raw item ids, `[item_count]`; code c is `item_ids[c - 1]`.
    detection
        What was found of noise, or None if it was not looked for.
    user_ids
        Raw ids of the users that the model knows, `[user_count]`; code c is
        `user_ids[c - 1]`. None if it knows none.
    titles
        Titles of the items, `[item_count]`, empty where there is none; None if none is known.
    """

    directory: RunDirectory
    settings: Settings
    recommender: Recommender
    item_ids: np.ndarray
    detection: Detection | None
    user_ids: np.ndarray | None = None
    titles: np.ndarray | None = None

    def codes(self, raw_ids: RawIds) -> np.ndarray:
        """Item codes of raw ids, `[L]`; 0 for unknown ones.

        Whole numbers and texts are alike: 7 and "7" are the same item.

        Raises
        ------
        TypeError
            If an id is neither a text nor a whole number.
        """
        return _codes(self.item_ids, raw_ids)

    def inputs(
        self, codes: np.ndarray, user: str | int | None = None, times: np.ndarray | None = None
    ) -> Inputs:
        """What the model reads of one history.

        Parameters
        ----------
        codes
            Item codes `[L]`, oldest first.
        user
            Raw id of the user; None (default) for one who is not known.
        times
            When each interaction happened, `[L]`, in seconds as `Dataset.times`.

        Raises
        ------
        RunError
            If the model reads times and there are none, or does not read what is given.
        """
        return inputs_of(self, self._history(codes, times), self._users(user), np.arange(1))

    def history(
        self,
        item_ids: RawIds,
        times: np.ndarray | None = None,
        disliked: np.ndarray | None = None,
    ) -> Histories:
        """One history as the run reads it: its known items, with what is known of each.

        Parameters
        ----------
        item_ids
            Raw item ids, oldest first; unknown ones are passed over.
        times
            When each interaction happened, `[L]`, in seconds as `Dataset.times`.
        disliked
            What is known of how the user liked each item, `[L]`, as `Dataset.disliked`: 1 where
            they disliked it, 0 where they liked it, 0.5 for neither, NaN where nothing is known.
            None (default): nothing is.

        Raises
        ------
        RunError
            If the model reads times and there are none, or the run does not read what is given.
        """
        return self._history(self.codes(item_ids), times, disliked)

    def _history(
        self,
        codes: np.ndarray,
        times: np.ndarray | None,
        disliked: np.ndarray | None = None,
    ) -> Histories:
        """The history of these codes, 0 for unknown items."""
        self._check_times(times, len(codes))
        if disliked is not None:
            self._check_disliked(disliked, len(codes))
        return Histories(
            offsets_of([len(codes)]),
            np.asarray(codes, np.int32),
            None if times is None else np.asarray(times, np.float64),
            disliked=None if disliked is None else np.asarray(disliked, np.float32),
        ).keep(codes > 0)

    def _check_times(self, times: np.ndarray | None, count: int) -> None:
        is_read, model = "times" in self.recommender.backbone.extra_inputs, self.settings.model.name
        if times is not None and not is_read:
            raise _unread("times", f"{model} does not read it", times)
        if is_read and (times is None or len(times) != count):
            raise RunError(
                f"`times` must be given, one for each item: {model} reads when each interaction "
                f"happened. Received: {times}"
            )

    def _check_disliked(self, disliked: np.ndarray, count: int) -> None:
        if self.detection is None:
            why = "the run did not look for noise, so that likes and dislikes have no effect"
            raise _unread("disliked", why, disliked)
        values = np.asarray(disliked, np.float32)
        if values.shape != (count,) or ((values < 0) | (values > 1)).any():
            raise RunError(
                "`disliked` must have a number for each item: 1 where it was disliked, 0 where it "
                f"was liked, 0.5 for neither, NaN where nothing is known. Received: {disliked}"
            )

    def _users(self, user: str | int | None) -> np.ndarray | None:
        """The code of one user, `[1]`; None for one who is not known."""
        if user is None:
            return None
        if "user_ids" not in self.recommender.backbone.extra_inputs:
            raise _unread("user", f"{self.settings.model.name} does not read it", user)
        return _codes(self.user_ids, [user])

    def noise_scores(
        self, item_ids: np.ndarray, disliked: np.ndarray | None = None
    ) -> np.ndarray | None:
        """P(noise) of each item of histories; None if noise was not looked for.

        Parameters
        ----------
        item_ids
            Codes `[B, n]`, left-padded with 0.
        disliked
            What is known of how the items were liked, `[B, n]`, as `Histories.last_disliked` has
            it: what was disliked is noise for certain, and what was not is none. None (default):
            nothing is known.
        """
        if self.detection is None:
            return None
        told = disliked if self.settings.noise.feedback else None
        return finite("P(noise)", self.detection.scorer(item_ids, told))

    def cleaned(self, inputs: Inputs, disliked: np.ndarray | None = None) -> Inputs:
        """Inputs as the recommender reads them: without what is probably noise.

        `disliked` is what is known of it, as `noise_scores` has it.
        """
        scores = self.noise_scores(inputs["item_ids"], disliked)
        if scores is None:
            return inputs
        return self.settings.treatment(inputs, scores)

    def explain(self, inputs: Inputs, disliked: np.ndarray | None = None) -> Explanation:
        """What was kept of histories when recommending, in the places where their items stand.

        An item that is left out as noise is not kept, and gets no attention. `disliked` is what is
        known of it, as `noise_scores` has it.
        """
        scores = self.noise_scores(inputs["item_ids"], disliked)
        if scores is None:
            return explain(self.recommender, **inputs)
        treatment = self.settings.treatment
        found = explain(self.recommender, **treatment(inputs, scores))
        slots = treatment.slots(tf.constant(inputs["item_ids"]), tf.constant(scores))
        in_place = {name: from_slots(part, slots) for name, part in vars(found).items()}
        return Explanation(**{name: part.numpy() for name, part in in_place.items()})

    def recommend(
        self,
        history: RawIds,
        k: int = Wanted.k,
        user: str | int | None = None,
        times: np.ndarray | None = None,
        exclude_seen: bool = Wanted.exclude_seen,
        allow: RawIds | None = None,
        deny: RawIds | None = None,
        disliked: np.ndarray | None = None,
    ) -> list[ScoredItem]:
        """The next items after a history, the best first.

        Parameters
        ----------
        history
            Raw item ids, oldest first; unknown ones are passed over.
        k
            How many items, at least 1; 10 by default.
        user, times
            Raw id of the user, and when each interaction happened, `[L]`, if the model reads
            them; None by default.
        exclude_seen
            Whether to leave out the items of the history; true by default.
        allow, deny
            Raw ids of the items that may be recommended, and of those that may not; None
            (default): all may.
        disliked
            What is known of how the user liked each item of the history, `[L]`, if the run looked
            for noise; see `Run.history`. None (default): nothing.

        Raises
        ------
        RunError
            If the model reads times and there are none, or the run does not read what is given.
        """
        row, users = self.history(history, times, disliked), self._users(user)
        wanted = self.wanted(k, exclude_seen, allow, deny)
        found, scores = best_items(self, row, users, wanted)
        return self._scored(found[0], scores[0])

    def wanted(
        self,
        k: int = Wanted.k,
        exclude_seen: bool = Wanted.exclude_seen,
        allow: RawIds | None = None,
        deny: RawIds | None = None,
    ) -> Wanted:
        """What is wanted of recommendations, with raw ids as codes; unknown ones have no effect."""
        codes = [None if ids is None else self.codes(ids) for ids in (allow, deny)]
        return Wanted(k, exclude_seen, *(None if one is None else one[one > 0] for one in codes))

    def recommend_all(
        self,
        dataset: Dataset | None = None,
        wanted: Wanted | None = None,
        advance: Callable[[int], None] = lambda rows: None,
    ) -> pl.DataFrame:
        """The next items for all users of some data.

        Parameters
        ----------
        dataset
            The users' histories; None (default): the data that the run was trained on, read again.
        wanted
            How many items, and which; None (default): ten that are not in the history. See
            `Run.wanted`.
        advance
            Called with the number of users that were done.

        Returns
        -------
        Rows of `user`, `rank` (from 1), `item`, `score` and, if they are known, `title`, in the
        order of the users. Those of whom no item is known have none.
        """
        dataset = self.dataset() if dataset is None else dataset
        histories, users = known_histories(self, dataset)
        ids = dataset.user_ids[users]
        codes = None if self.user_ids is None else _codes(self.user_ids, ids)
        found = best_items(self, histories, codes, wanted, advance)
        return as_table(ids, self.item_ids, *found, self.titles)

    def similar(self, item: str | int, k: int = 10) -> list[ScoredItem]:
        """The items most like one, with the cosine of their vectors; see `similar_items`.

        Parameters
        ----------
        item
            Its raw id.
        k
            How many, at least 1; 10 by default.

        Raises
        ------
        RunError
            If the item is not known, or the model has no vectors to compare.
        """
        (code,) = self.codes([item])
        if code == 0:
            some = ", ".join(map(str, self.item_ids[:3].tolist()))
            raise RunError(f"The item must be one of the log, such as {some}. Received: {item!r}")
        return self._scored(*similar_items(self, code, k))

    def _scored(self, codes: np.ndarray, scores: np.ndarray) -> list[ScoredItem]:
        codes = codes[codes > 0]
        columns = [self.item_ids[codes - 1].tolist(), scores[: len(codes)].tolist()]
        if self.titles is not None:
            columns.append(self.titles[codes - 1].tolist())
        return [ScoredItem(*one) for one in zip(*columns, strict=True)]

    def save(self, path: str | Path) -> None:
        """Save the recommender as Keras does, `.keras`: from item codes to scores of codes."""
        self.recommender.save(path)

    def export(
        self,
        directory: str | Path,
        version: int | None = None,
        max_k: int = default(export_saved_model, "max_k"),
    ) -> Path:
        """Write a SavedModel for TensorFlow Serving, from raw ids to raw ids.

        See `export_saved_model`, which it calls with all that the run knows.
        """
        return export_saved_model(
            self.recommender, self.item_ids, directory, version, max_k, **self._served
        )

    def serving_module(self, max_k: int = default(export_saved_model, "max_k")) -> ServingModule:
        """What `export` writes."""
        return ServingModule(self.recommender, self.item_ids, max_k, **self._served)

    @property
    def _served(self) -> dict[str, Any]:
        """What a served model knows beside its vocabulary."""
        return {
            "noise": self.detection.scorer if self.detection else None,
            "cleaning": self.settings.treatment,
            "user_ids": self.user_ids,
            "titles": self.titles,
        }

    def dataset(self, dataset: Dataset | None = None) -> Dataset:
        """The data the run was trained on: `dataset`, or read again; checked to be the same.

        What came through a pipe cannot be read again.
        """
        if dataset is None:
            warm = self.settings.fit.warm_start is not None
            dataset = load_dataset(self.settings, item_ids=self.item_ids if warm else None)
        self.directory.check_fingerprint(dataset)
        return dataset

    def scorer(self, part: str, dataset: Dataset | None = None) -> Scorer:
        """What ranks the run's model on one part of its data, `"valid"` or `"test"`.

        `dataset` is the data if they have been read already; see `dataset`.
        """
        dataset = self.dataset(dataset)
        noisy = load_split(self.settings, dataset)
        return NoiseKnown(self.settings, dataset, noisy, self.detection).scorer(part)


def load_run(path: str | os.PathLike[str]) -> Run:
    """The run recorded at `path`.

    Raises
    ------
    RunError
        If there is none, it has no checkpoint yet, it is damaged, or it was made by the other
        Keras.
    """
    directory = RunDirectory(Path(path))
    settings = directory.settings()
    directory.check_keras()
    if not directory.best.exists():
        raise RunError(
            f"{path} has no validated epoch yet. Go on with "
            f"`tf-recdenoiser train {settings.source} --out {path} --resume`."
        )
    record = directory.model_record()
    item_ids, user_ids = directory.item_ids(), directory.user_ids()
    _check_count(directory.path / "vocabulary.json", "items", item_ids, record.item_count)
    if "user_ids" in backbone_class(settings).extra_inputs:
        _check_count(directory.path / "users.json", "users", user_ids, record.user_count)
    directory.verify()
    recommender = best_recommender(directory)
    detection = read_detection(directory) if settings.looks_for_noise else None
    titles = directory.titles()
    return Run(directory, settings, recommender, item_ids, detection, user_ids, titles)


def _check_count(path: Path, what: str, ids: np.ndarray | None, count: int) -> None:
    found = 0 if ids is None else len(ids)
    if found != count:
        raise RunError(
            f"{path} must have an id for each of the model's {count} {what}: put back the file "
            f"that the run wrote. Received: {found} ids"
        )


def _unread(name: str, why: str, given: object) -> RunError:
    return RunError(f"`{name}` must be left out: {why}. Received: {given}")


def _codes(ids: np.ndarray | None, raw_ids: RawIds) -> np.ndarray:
    """The number from 1 of each raw id among `ids`, `[L]`; 0 for unknown ones."""
    for raw in raw_ids:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, np.integer)):
            raise TypeError(f"Ids must be texts or whole numbers. Received: {raw!r}")
    code = {} if ids is None else {str(raw): number for number, raw in enumerate(ids.tolist(), 1)}
    return np.array([code.get(str(raw), 0) for raw in raw_ids], np.int32)
