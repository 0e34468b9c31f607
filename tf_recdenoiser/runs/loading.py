"""A finished run, ready to be used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.noise import Detection
from tf_recdenoiser.ops.slots import from_slots, history_inputs
from tf_recdenoiser.runs.build import best_recommender
from tf_recdenoiser.runs.detect import read_detection
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.errors import RunError
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.resolve import backbone_class
from tf_recdenoiser.runs.scoring import Inputs, Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_dataset, load_split
from tf_recdenoiser.training import Explanation, Recommender, explain

RawIds = Iterable[str | int] | np.ndarray
"""Ids as in the log: texts, or whole numbers."""


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
    """

    directory: RunDirectory
    settings: Settings
    recommender: Recommender
    item_ids: np.ndarray
    detection: Detection | None
    user_ids: np.ndarray | None = None

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
            When each interaction happened, `[L]`, in the log's unit.

        Raises
        ------
        RunError
            If the model reads times and there are none, or does not read what is given.
        """
        wanted = self.recommender.backbone.extra_inputs
        for name, needed, given in (("user", "user_ids", user), ("times", "times", times)):
            if given is not None and needed not in wanted:
                raise RunError(
                    f"`{name}` must be left out: {self.settings.model.name} does not read it. "
                    f"Received: {given}"
                )
        if "times" in wanted and (times is None or len(times) != len(codes)):
            raise RunError(
                f"`times` must be given, one for each item: {self.settings.model.name} reads "
                f"when each interaction happened. Received: {times}"
            )
        rows = tf.constant(codes[np.newaxis], tf.int32)
        of_items = None if times is None else tf.constant(times[np.newaxis], tf.float64)
        tensors, _ = history_inputs(rows, self.settings.model.max_length, of_items)
        inputs = {name: values.numpy() for name, values in tensors.items()}
        if "user_ids" in wanted:
            unknown = np.zeros(1, np.int32)
            inputs["user_ids"] = unknown if user is None else _codes(self.user_ids, [user])
        return inputs

    def noise_scores(self, item_ids: np.ndarray) -> np.ndarray | None:
        """P(noise) of each item of histories `[B, n]`; None if noise was not looked for."""
        if self.detection is None:
            return None
        return finite("P(noise)", self.detection.scorer(item_ids))

    def cleaned(self, inputs: Inputs) -> Inputs:
        """Inputs as the recommender reads them: without what is probably noise."""
        scores = self.noise_scores(inputs["item_ids"])
        if scores is None:
            return inputs
        return self.settings.treatment(inputs, scores)

    def scores(self, inputs: Inputs) -> np.ndarray:
        """Scores of all items after histories, `[B, item_count + 1]`; column 0 is of no item."""
        return finite("Scores", self.recommender.score(**self.cleaned(inputs)))

    def explain(self, inputs: Inputs) -> Explanation:
        """What was kept of histories when recommending, in the places where their items stand.

        An item that is left out as noise is not kept, and gets no attention.
        """
        scores = self.noise_scores(inputs["item_ids"])
        if scores is None:
            return explain(self.recommender, **inputs)
        treatment = self.settings.treatment
        found = explain(self.recommender, **treatment(inputs, scores))
        slots = treatment.slots(tf.constant(inputs["item_ids"]), tf.constant(scores))
        in_place = {name: from_slots(part, slots) for name, part in vars(found).items()}
        return Explanation(**{name: part.numpy() for name, part in in_place.items()})

    def dataset(self, dataset: Dataset | None = None) -> Dataset:
        """The data the run was trained on: `dataset`, or read again; checked to be the same.

        What came through a pipe cannot be read again.
        """
        dataset = load_dataset(self.settings) if dataset is None else dataset
        self.directory.check_fingerprint(dataset)
        return dataset

    def scorer(self, part: str, dataset: Dataset | None = None) -> Scorer:
        """What ranks the run's model on one part of its data, `"valid"` or `"test"`.

        `dataset` is the data if they have been read already; see `dataset`.
        """
        dataset = self.dataset(dataset)
        noisy = load_split(self.settings, dataset)
        return NoiseKnown(self.settings, dataset, noisy, self.detection).scorer(part)


def load_run(path: str | Path) -> Run:
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
    return Run(directory, settings, recommender, item_ids, detection, user_ids)


def _check_count(path: Path, what: str, ids: np.ndarray | None, count: int) -> None:
    found = 0 if ids is None else len(ids)
    if found != count:
        raise RunError(
            f"{path} must have an id for each of the model's {count} {what}: put back the file "
            f"that the run wrote. Received: {found} ids"
        )


def _codes(ids: np.ndarray | None, raw_ids: RawIds) -> np.ndarray:
    """The number from 1 of each raw id among `ids`, `[L]`; 0 for unknown ones."""
    for raw in raw_ids:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, np.integer)):
            raise TypeError(f"Ids must be texts or whole numbers. Received: {raw!r}")
    code = {} if ids is None else {str(raw): number for number, raw in enumerate(ids.tolist(), 1)}
    return np.array([code.get(str(raw), 0) for raw in raw_ids], np.int32)
