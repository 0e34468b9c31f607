"""Detection by feedback: which items a user disliked, learned from what others said, and they."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from tf_recdenoiser._keras import generators_kept, keras
from tf_recdenoiser._settings import default
from tf_recdenoiser.data import DataError, Histories, item_vectors
from tf_recdenoiser.data.log import counted
from tf_recdenoiser.data.vectors import VIEWS
from tf_recdenoiser.layers.feedback import FeedbackFeatures, LogRatioOfLogit
from tf_recdenoiser.noise.cross_fitting import Detection
from tf_recdenoiser.noise.detectors.base import NoiseModel
from tf_recdenoiser.noise.metrics import roc_auc
from tf_recdenoiser.noise.network import in_batches, log_ratios
from tf_recdenoiser.noise.scorer import NoiseScorer
from tf_recdenoiser.noise.windows import Windows, of_each_item

# Of the pairwise tables of one batch.
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

    A logistic regression on `FeedbackFeatures` learns from the items of which something is known to
    tell those that were disliked from those that were liked, or neither. Their features are made
    from the answers of other users, an eighth of the users at a time left out, and from what the
    user said of other items, so that no answer is learned from itself. It is calibrated where the
    answers that are known are as the others.
    """

    folds = 8
    detectors = 1
    least = 50

    def empty(self) -> Any:
        return build_feedback_detector(
            np.zeros([self.item_count + 1, VIEWS, self.hidden_dim], np.float32)
        )

    @classmethod
    def can_learn(cls, train: Histories) -> bool:
        """Whether 50 items are known to be disliked, and as many liked: fewer say too little."""
        return min(_known(train)) >= cls.least

    @classmethod
    def check(cls, train: Histories) -> None:
        """Raise DataError unless it `can_learn`."""
        if not cls.can_learn(train):
            disliked, liked = _known(train)
            raise DataError(
                f"Dislikes can be learned where at least {cls.least} items are known to be "
                "disliked and as many to be liked; look for noise with `--detector context`. "
                f"Received: {counted(disliked, 'item')} disliked, {counted(liked, 'item')} liked"
            )

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
        self.check(train)
        report("what users disliked")
        teacher = _Teacher(train, item_vectors(train, self.item_count, self.hidden_dim))
        fold = np.random.default_rng(seed).permutation(train.row_count) % self.folds
        return teacher.detection(fold)


class _Teacher:
    """Fits a detector to what is known of sequences.

    Parameters
    ----------
    train
        The sequences.
    vectors
        Of items, `[I + 1, views, width]`.
    """

    def __init__(self, train: Histories, vectors: np.ndarray) -> None:
        self._train, self._vectors = train, vectors
        self._detector = build_feedback_detector(vectors)
        self._features = self._detector.get_layer("features")
        answers = _answers(train)
        self._says = ~np.isnan(answers)
        self._is_disliked = answers[self._says] == 1

    def detection(self, fold: np.ndarray) -> Detection:
        """What is found where users are divided into these folds, `[R]`."""
        features = self._cross_fitted(fold)[self._says]
        fold_of_item = np.repeat(fold, self._train.lengths)[self._says]
        area = roc_auc(self._held_out(features, fold_of_item), self._is_disliked)
        self._learn_items(np.ones(self._train.row_count, bool))
        weights, bias = self._regression(features, self._is_disliked)
        share = float(self._is_disliked.mean())
        self._detector.get_layer("network").set_weights([weights[:, np.newaxis], bias[np.newaxis]])
        self._detector.get_layer("log_ratio").remember(share)
        found = self._by_windows(
            np.arange(self._train.row_count),
            lambda ids, disliked: log_ratios(self._detector, ids, disliked=disliked),
        )
        return Detection(NoiseScorer((self._detector,), share), found, area)

    def _cross_fitted(self, fold: np.ndarray) -> np.ndarray:
        """Features of every item `[N, F]`, by the answers of users of the other folds."""
        width = self._features.compute_output_shape([None, None])[-1]
        found = np.zeros((len(self._train.items), width), np.float32)
        for number in np.unique(fold):
            rows = fold == number
            self._learn_items(~rows)
            where = np.repeat(rows, self._train.lengths)
            found[where] = self._by_windows(np.flatnonzero(rows), self._features)
        return found

    def _held_out(self, features: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """The logit of each example `[M]`, by a regression on those of other folds."""
        found = np.zeros(len(features))
        for number in np.unique(fold):
            mine = fold == number
            if not mine.all():
                weights, bias = self._regression(features[~mine], self._is_disliked[~mine])
                found[mine] = features[mine] @ weights + bias
        return found

    def _regression(
        self, features: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        # With few answers chance would have it that what others disliked is liked.
        return logistic_regression(features, labels, rising=self._features.is_rate)

    def _learn_items(self, rows: np.ndarray) -> None:
        """Let the features know what users of these rows, bool `[R]`, said of items."""
        size = len(self._vectors)
        answers = _answers(self._train)
        known = np.repeat(rows, self._train.lengths) & ~np.isnan(answers)
        items = self._train.items
        self._features.remember(
            self._vectors,
            counts=np.bincount(items, minlength=size),
            answers=np.bincount(items[known], minlength=size),
            disliked=np.bincount(items[known], answers[known], minlength=size),
        )

    def _by_windows(self, rows: np.ndarray, function: Callable[..., Any]) -> np.ndarray:
        """What a function of windows and of what is known of them says of each item of rows."""

        def of_windows(windows: Windows) -> np.ndarray:
            size = max(1, _BATCH_FLOATS // (VIEWS * windows.length**2))
            cut = windows.cut(self._train), windows.cut_disliked(self._train)
            return in_batches(function, *cut, size=size)

        return of_each_item(self._train, rows, of_windows)


def logistic_regression(
    features: np.ndarray,
    labels: np.ndarray,
    ridge: float = 10.0,
    rising: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[F]` and bias `[]` of a logistic regression.

    The least Σ log(1 + exp(-y (x · w + b))) + ridge/2 Σ (σ_f w_f)², with y = 1 where the label is
    true and else -1, and σ_f the standard deviation of a feature.

    Parameters
    ----------
    features
        `[M, F]`.
    labels
        Bool `[M]`.
    ridge
        10 by default, which holds the weights where there are few examples.
    rising
        Of which features the weight must not be negative, bool `[F]`; None (default): of none.

    Examples
    --------
    >>> features = np.array([[0.0], [1.0], [0.0], [1.0]])
    >>> weights, bias = logistic_regression(features, np.array([False, True, False, True]))
    >>> bool(weights[0] > 0), bool(abs(features.mean() * weights[0] + bias) < 1e-6)
    (True, True)
    """
    # In float32 the mean of a constant is not the constant: it would not be told from the others.
    features = features.astype(float)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(np.ptp(features, axis=0) > 0, deviation, 1.0)
    x, sign = (features - mean) / deviation, np.where(labels, 1.0, -1.0)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ theta[1:] + theta[0])
        slope = -sign * expit(-margin)
        gradient = np.concatenate([[slope.sum()], slope @ x + ridge * theta[1:]])
        return np.logaddexp(0.0, -margin).sum() + ridge / 2 * theta[1:] @ theta[1:], gradient

    rising = np.zeros(x.shape[1], bool) if rising is None else rising
    bounds = [(None, None), *((0.0 if one else None, None) for one in rising)]
    start = np.zeros(x.shape[1] + 1)
    best = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = best[1:] / deviation
    return weights, best[0] - mean @ weights


def _answers(train: Histories) -> np.ndarray:
    """What is known of each item `[N]`; NaN where nothing is."""
    if train.disliked is None:
        return np.full(len(train.items), np.nan, np.float32)
    return train.disliked


def _known(train: Histories) -> tuple[int, int]:
    """How many items are known to be disliked, and how many to be liked."""
    answers = _answers(train)
    return int((answers == 1).sum()), int((answers == 0).sum())
