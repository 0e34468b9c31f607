"""What a run knows of the noise in its data."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_recdenoiser.data import Dataset, user_codes
from tf_recdenoiser.noise import Detection, NoisySplit, with_feedback
from tf_recdenoiser.noise.settings import ORACLE
from tf_recdenoiser.runs.finite import finite
from tf_recdenoiser.runs.resolve import backbone_class
from tf_recdenoiser.runs.scoring import Inputs, Scorer, evaluation_set
from tf_recdenoiser.runs.settings import Settings


@dataclasses.dataclass(frozen=True, eq=False)
class NoiseKnown:
    """The split of a run's data, and what is known of its noise.

    Attributes
    ----------
    settings
        Resolved, with the detector decided.
    dataset, noisy
        The data, and their split with the noise that is known to be in it.
    detection
        What was found; None if noise was not looked for.
    """

    settings: Settings
    dataset: Dataset
    noisy: NoisySplit
    detection: Detection | None

    @property
    def probability(self) -> np.ndarray | None:
        """P(noise) of each item of the training sequences, float [N]; None if nothing is known.

        What users said they disliked is noise for certain, and what they did not is none.
        """
        if self.settings.detector == ORACLE:
            return self.noisy.train.items.astype(np.float32)
        if self.detection is None:
            return None
        disliked = self.noisy.split.train.disliked
        found = self.detection.probability
        return found if disliked is None else with_feedback(found, disliked)

    @property
    def user_count(self) -> int:
        """Of how many users something can be learned."""
        return int(user_codes(self.noisy.split.train).max())

    @property
    def user_ids(self) -> np.ndarray:
        """Raw ids of the users of whom something can be learned, `[user_count]`."""
        return self.dataset.user_ids[user_codes(self.noisy.split.train) > 0]

    @property
    def mixture_rate(self) -> float:
        """How much of the targets the objective is to take for noise."""
        if self.probability is None or not self.settings.noise.corrects.mixes_noise:
            return 0.0
        if self.detection is None:
            return float(self.probability.mean())
        return self.detection.scorer.rate

    def scorer(self, part: str) -> Scorer:
        """What ranks a recommender on one part of the data, histories treated as in life."""
        extra_inputs = backbone_class(self.settings).extra_inputs
        length = self.settings.model.max_length

        def treat(inputs: Inputs) -> Inputs:
            if self.settings.detector == ORACLE:
                marks = {"valid": self.noisy.valid, "test": self.noisy.test}[part]
                probability = marks.last(length).astype(np.float32)
            elif self.detection is not None:
                histories = evaluation_set(self.noisy.split, part).histories
                disliked = histories.last_disliked(length)
                found = self.detection.scorer(inputs["item_ids"], disliked)
                probability = finite("P(noise)", found)
            else:
                return inputs
            return self.settings.treatment(inputs, probability)

        return Scorer(self.dataset, self.noisy.split, part, length, treat, extra_inputs)
