"""What a served recommender must answer, in plain Python and NumPy, and models to ask."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.noise.vectors import unit_vectors
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import Backbone, SASRec
from tf_recdenoiser.noise import NoiseScorer
from tf_recdenoiser.noise.detectors.context import build_detector
from tf_recdenoiser.noise.detectors.feedback import build_feedback_detector
from tf_recdenoiser.training import Recommender

Array = npt.NDArray[Any]

ITEM_COUNT, MAX_LENGTH, MAX_K = 12, 5, 20
VOCABULARIES: dict[str, Array] = {
    "int": np.array([7, 40, 3, 2**40, 0, 5, 11, 12, 13, -9, 99, 1]),
    "str": np.array(
        ["7", "Ünïcode 🍣", "x" * 22, "y" * 23, "z" * 300, " ", "0", "a\nb", "ä", "a", "A", "漢字"]
    ),
}
LOWEST = -(2 - 2.0**-23) * 2.0**127  # of all float32
NO_ITEM: dict[str, Any] = {"int": -1, "str": b""}
UNKNOWN: dict[str, list[Any]] = {"int": [-1, 2, 2**62], "str": ["", "unknown", "z" * 299]}


def random_recommender(
    seed: int = 0, backbone: type[Backbone] = SASRec, **options: Any
) -> Recommender:
    """A small model with weights of any sign and size, so that about half the gates are pruned."""
    settings = {"item_count": ITEM_COUNT, "max_length": MAX_LENGTH, "hidden_dim": 8, "num_heads": 2}
    model = Recommender(backbone(**{**settings, "gates": "positional", **options}))
    rng = np.random.default_rng(seed)
    for variable in model.backbone.variables:
        variable.assign(rng.normal(scale=0.7, size=variable.shape))
    return model


def random_noise_scorer(
    seed: int = 2, item_count: int = ITEM_COUNT, length: int = MAX_LENGTH
) -> NoiseScorer:
    """Two small detectors with weights and vectors of any sign and size."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    detectors = tuple(
        build_detector(unit_vectors(rng, item_count), rng.integers(1, 9, item_count + 1), length)
        for _ in range(2)
    )
    return NoiseScorer(detectors, rate=0.5)


@dataclasses.dataclass(frozen=True)
class Taste:
    """What finds dislikes, of which all is drawn, and the same by loops over items.

    `vectors` are `[I + 1, views, width]`; `counts`, `answers` and `disliked` `[I + 1]` are what is
    known of each item, and `weights` and `bias` those of the regression.
    """

    vectors: Array
    counts: Array
    answers: Array
    disliked: Array
    weights: Array
    bias: float

    @classmethod
    def drawn(cls, seed: int = 4, item_count: int = ITEM_COUNT) -> Taste:
        rng = np.random.default_rng(seed)
        counts = rng.integers(1, 40, item_count + 1)
        answers = rng.binomial(counts, 0.7)
        disliked = rng.binomial(answers, rng.uniform(size=item_count + 1))
        vectors = unit_vectors(rng, item_count)
        return cls(vectors, counts, answers, disliked, rng.normal(scale=3, size=9), 0.3)

    def scorer(self) -> NoiseScorer:
        detector = build_feedback_detector(self.vectors)
        features = detector.get_layer("features")
        features.remember(self.vectors, self.counts, self.answers, self.disliked)
        weights = [self.weights[:, np.newaxis], np.array([self.bias])]
        detector.get_layer("network").set_weights(weights)
        detector.get_layer("log_ratio").remember(0.25)
        return NoiseScorer((detector,), rate=0.25)

    def probabilities(self, codes: list[int], known: list[float]) -> list[float]:
        """P(disliked) of each item of a history, by what is known of them: 0 to 1, or NaN."""
        mean = self.disliked.sum() / self.answers.sum()
        excess = self.disliked - mean * self.answers
        rate = excess / (self.answers + 5)
        likeness = np.einsum("ivd,jvd->vij", self.vectors, self.vectors) ** 2
        found = []
        for place, code in enumerate(codes):
            if not np.isnan(known[place]):
                found.append(float(known[place] == 1))
                continue
            said = [(j, known[p]) for p, j in enumerate(codes) if not np.isnan(known[p])]
            own = sum(d - mean - rate[j] for j, d in said) / (len(said) + 5)
            features = [np.log1p(self.counts[code]), np.log1p(self.answers[code]), rate[code]]
            features += [like[code] @ excess / (like[code] @ self.answers + 5) for like in likeness]
            features += [own, np.log1p(len(said))]
            for like in likeness:
                above = sum(like[code, j] * (d - mean - rate[j] - own) for j, d in said)
                features.append(above / (sum(like[code, j] for j, _ in said) + 5))
            found.append(float(1 / (1 + np.exp(-(self.weights @ features + self.bias)))))
        return found


def model_input(history: list[Any], ids: Array, length: int = MAX_LENGTH) -> list[int]:
    """The model's row for one history: known items alone, the newest at the right end."""
    codes = [ids.tolist().index(item) + 1 for item in history if item in ids.tolist()]
    newest = codes[-length:]
    return [0] * (length - len(newest)) + newest


def recommend(
    model: Recommender, ids: Array, history: list[Any], k: int, exclude_seen: bool
) -> tuple[list[Any], list[float]]:
    """The ids and scores of the best items after one history; shorter than k if need be."""
    scores = model.score(np.array([model_input(history, ids)], np.int32))[0]
    best = [
        code
        for code in sorted(range(1, len(ids) + 1), key=lambda code: (-scores[code], code))
        if not (exclude_seen and ids.tolist()[code - 1] in history)
    ][:k]
    return [ids.tolist()[code - 1] for code in best], [float(scores[code]) for code in best]


def padded(histories: list[list[Any]], kind: str, filler: Any = None) -> Array:
    """Histories `[B, L]`, filled at their ends by an id that is not in the vocabulary."""
    filler = UNKNOWN[kind][0] if filler is None else filler
    width = max(map(len, histories), default=0)
    rows = [[*history, *[filler] * (width - len(history))] for history in histories]
    dtype = np.int64 if kind == "int" else object
    return np.array(rows, dtype).reshape(len(histories), width)


def as_served(items: list[Any]) -> list[Any]:
    """Ids as the C library gives them: strings as UTF-8."""
    return [item.encode() if isinstance(item, str) else item for item in items]


def assert_recommended(
    got: dict[str, Array],
    model: Recommender,
    kind: str,
    histories: list[list[Any]],
    k: list[int],
    exclude_seen: list[bool],
) -> None:
    """Compare a whole answer, with what stands in columns that hold no item."""
    k = [min(max(one, 1), MAX_K) for one in k]
    assert got["k"].tolist() == k
    width = max(k, default=0)
    assert got["item_ids"].shape == got["scores"].shape == (len(histories), width)
    for row, history in enumerate(histories):
        ids, scores = recommend(model, VOCABULARIES[kind], history, k[row], exclude_seen[row])
        lacking = width - len(ids)
        assert got["item_ids"][row].tolist() == as_served(ids) + [NO_ITEM[kind]] * lacking
        np.testing.assert_allclose(got["scores"][row][: len(ids)], scores, rtol=1e-5, atol=1e-5)
        assert got["scores"][row][len(ids) :].tolist() == [LOWEST] * lacking
