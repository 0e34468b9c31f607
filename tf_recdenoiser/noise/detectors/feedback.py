"""Detection by feedback: which items a user disliked, learned from what others said, and they."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from tf_recdenoiser._keras import generators_kept, keras
from tf_recdenoiser._settings import default
from tf_recdenoiser.data import DataError, Histories, counted, item_vectors
from tf_recdenoiser.data.vectors import VIEWS
from tf_recdenoiser.layers.feedback import FeedbackFeatures, LogRatioOfLogit
from tf_recdenoiser.noise.cross_fitting import Detection
from tf_recdenoiser.noise.detectors.base import NoiseModel
from tf_recdenoiser.noise.metrics import roc_auc
from tf_recdenoiser.noise.network import in_batches, log_ratios
from tf_recdenoiser.noise.scorer import NoiseScorer
from tf_recdenoiser.noise.windows import Windows, of_each_item

_RIDGE = 10.0
# Floats in the pairwise tables of one batch.
_BATCH_FLOATS = 2**23


def build_feedback_detector(vectors: np.ndarray) -> Any:
    """An untrained detector of dislikes, a Keras model.

    It takes `item_ids` int32 `[B, n]` and `disliked` float32 `[B, n]`, what is known of how they
    were liked, and gives log(ρ / P) `[B, n]` of P(disliked): a logistic regression on
    `FeedbackFeatures`, fitted by `FeedbackModel`. n may differ from call to call.

    Parameters
    ----------
    vectors
        Of items, `[I + 1, views, width]`; see `data.item_vectors`.
    """
    item_ids = keras.Input([None], dtype="int32", name="item_ids")
    disliked = keras.Input([None], dtype="float32", name="disliked")
    features = FeedbackFeatures(len(vectors) - 1, vectors.shape[1:], name="features")
    logits = keras.layers.Dense(1, dtype="float32", name="network")
    log_ratio = LogRatioOfLogit(name="log_ratio")(logits(features(item_ids, disliked)))
    return keras.Model({"item_ids": item_ids, "disliked": disliked}, log_ratio, name="detector")


class FeedbackModel(NoiseModel):
    """Judges an item by what is known of dislikes: of this item, of items like it, of this user.

    A logistic regression on `FeedbackFeatures` learns from the items of which it is known whether
    they were liked or disliked. Their features are made from the answers of other users, an eighth
    of the users at a time left out, and from what the user said of other items, so that no answer
    is learned from itself. It is calibrated where the answers that are known are as the others.
    """

    folds = 8
    detectors = 1

    def empty(self) -> Any:
        return build_feedback_detector(
            np.zeros([self.item_count + 1, VIEWS, self.hidden_dim], np.float32)
        )

    @classmethod
    def can_learn(cls, train: Histories) -> bool:
        """Whether as many items as there are folds are known to be disliked, and as many liked."""
        return min(_known(train)) >= cls.folds

    @generators_kept()
    def cross_fit(
        self,
        train: Histories,
        distribution: str = default(NoiseModel.cross_fit, "distribution"),
        rounds: int | None = None,
        seed: int = default(NoiseModel.cross_fit, "seed"),
        report: Callable[[str], None] = default(NoiseModel.cross_fit, "report"),
    ) -> Detection:
        """Find which items users disliked; see `NoiseModel.cross_fit`.

        Neither `distribution` nor `rounds` has an effect: nothing is drawn, and once is enough.
        """
        if not self.can_learn(train):
            disliked, liked = _known(train)
            raise DataError(
                f"Dislikes can be learned where at least {self.folds} items are known to be "
                f"disliked and as many to be liked: look for noise with `--detect context`. "
                f"Received: {counted(disliked, 'item')} disliked, {counted(liked, 'item')} liked"
            )
        report("what users disliked")
        fold = np.random.default_rng(seed).permutation(train.row_count) % self.folds
        detector = build_feedback_detector(item_vectors(train, self.item_count, self.hidden_dim))
        return self._found(detector, train, fold)

    def _found(self, detector: Any, train: Histories, fold: np.ndarray) -> Detection:
        fold_of_item = np.repeat(fold, train.lengths)
        features = self._features(detector, train, fold)
        answers = _answers(train)
        chosen = (answers == 0) | (answers == 1)
        features, is_noise = features[chosen], answers[chosen] == 1
        held_out = np.zeros(len(features))
        for number in range(self.folds):
            mine = fold_of_item[chosen] == number
            weights, bias = _logistic(features[~mine], is_noise[~mine])
            held_out[mine] = features[mine] @ weights + bias
        self._remember(detector, train, np.ones(train.row_count, bool))
        weights, bias = _logistic(features, is_noise)
        detector.get_layer("network").set_weights([weights[:, np.newaxis], np.array([bias])])
        detector.get_layer("log_ratio").remember(is_noise.mean())
        return Detection(
            NoiseScorer((detector,), float(is_noise.mean())),
            _by_windows(train, np.arange(train.row_count), lambda *read: _judged(detector, *read)),
            roc_auc(held_out, is_noise),
        )

    def _features(self, detector: Any, train: Histories, fold: np.ndarray) -> np.ndarray:
        """Of every item `[N, F]`, by the answers of the users of other folds."""
        layer = detector.get_layer("features")
        found = np.zeros((len(train.items), layer.width), np.float32)
        for number in range(self.folds):
            rows = np.flatnonzero(fold == number)
            if rows.size:
                self._remember(detector, train, fold != number)
                where = np.repeat(fold == number, train.lengths)
                found[where] = _by_windows(train, rows, lambda *read: in_batches(layer, *read, size=_rows_in(read[0])))
        return found

    def _remember(self, detector: Any, train: Histories, of_rows: np.ndarray) -> None:
        ...
