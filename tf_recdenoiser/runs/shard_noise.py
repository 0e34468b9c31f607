"""What is known of noise in shards that training streams, where some users were searched."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tf_recdenoiser.data import Histories
from tf_recdenoiser.noise.windows import Windows
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.runs.noise_known import NoiseKnown


class ShardNoise:
    """P(noise) of each item of a shard's training sequences, float32 `[N]`.

    Users who were searched have what was found by the detectors that know nothing of them; no
    detector knows the others, whom all of them judge. What was worked out is kept in files as long
    as this lives.

    Parameters
    ----------
    known
        Of the users who were searched.
    """

    def __init__(self, known: NoiseKnown) -> None:
        self._known = known
        self._folder = tempfile.TemporaryDirectory(prefix="shard-noise-")

    def __call__(self, shard: str, train: Histories) -> np.ndarray:
        path = Path(self._folder.name, f"{shard}.npy")
        if not path.exists():
            np.save(path, self._of(train).astype(np.float32))
        found: np.ndarray = np.load(path)
        return found

    def _of(self, train: Histories) -> np.ndarray:
        searched, probability = self._known.noisy.split.train, self._known.probability
        assert searched.user_ids is not None and train.user_ids is not None
        if np.isin(train.user_ids[:1], searched.user_ids).any():
            assert probability is not None
            rows = np.searchsorted(searched.user_ids, train.user_ids)
            known = Histories(searched.offsets, probability.astype(np.float32))
            return known.prefixes(rows, train.lengths).items
        assert self._known.detection is not None
        length = self._known.settings.model.max_length
        windows = Windows.over(train, np.arange(train.row_count), length)
        # The searched users' has none if no use is to be made of it.
        disliked = None if searched.disliked is None else windows.cut_disliked(train)
        found = self._known.detection.scorer(windows.cut(train), disliked)
        return windows.join(finite("P(noise)", found))
