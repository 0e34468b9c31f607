"""A finished run, ready to be used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.runs.detection import Detection
from tf_recdenoiser.runs.directory import RunDirectory
from tf_recdenoiser.runs.models import RunError, load_model
from tf_recdenoiser.runs.scoring import Scorer
from tf_recdenoiser.runs.settings import Settings
from tf_recdenoiser.runs.sources import load_dataset, load_split
from tf_recdenoiser.runs.training import check_fingerprint, scorer
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.noise import without_noise


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
    """

    directory: RunDirectory
    settings: Settings
    recommender: Recommender
    item_ids: np.ndarray
    detection: Detection | None

    def codes(self, raw_ids: list[str]) -> np.ndarray:
        """Item codes of raw ids given as text, `[L]`; 0 for unknown ones."""
        code = {str(raw): number for number, raw in enumerate(self.item_ids.tolist(), 1)}
        return np.array([code.get(raw, 0) for raw in raw_ids], np.int32)

    def history_matrix(self, codes: np.ndarray) -> np.ndarray:
        """The newest n known items as a left-padded row, `[1, n]`."""
        length = self.settings.max_length
        known = codes[codes > 0][-length:]
        matrix = np.zeros([1, length], np.int32)
        matrix[0, length - len(known) :] = known
        return matrix

    def noise_scores(self, item_ids: np.ndarray) -> np.ndarray | None:
        """P(noise) of each item of histories `[B, n]`; None if noise was not looked for."""
        return None if self.detection is None else self.detection.scorer(item_ids)

    def cleaned(self, item_ids: np.ndarray) -> np.ndarray:
        """Histories `[B, n]` as the recommender reads them: without what is probably noise."""
        scores = self.noise_scores(item_ids)
        if scores is None:
            return item_ids
        return without_noise(item_ids, scores, self.settings.clean_above)

    def dataset(self) -> Dataset:
        """The data the run was trained on, read again and checked to be the same."""
        dataset = load_dataset(self.settings)
        check_fingerprint(dataset, self.directory)
        return dataset

    def scorer(self, part: str) -> Scorer:
        """What ranks the run's model on one part of its data, `"valid"` or `"test"`."""
        dataset = self.dataset()
        noisy = load_split(self.settings, dataset)
        return scorer(self.settings, dataset, noisy, part, self.detection)


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
            f"`tf-recdenoiser train {settings.data} --out {path} --resume`."
        )
    recommender, item_ids = load_model(directory.best), directory.item_ids()
    if len(item_ids) != recommender.backbone.item_count:
        raise RunError(
            f"{path}/vocabulary.json must have an id for each of the model's "
            f"{recommender.backbone.item_count} items: put back the file that the run wrote. "
            f"Received: {len(item_ids)} ids"
        )
    detection = directory.detection() if directory.has_detection() else None
    return Run(directory, settings, recommender, item_ids, detection)
