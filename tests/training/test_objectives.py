"""What every objective keeps to, and its loss against a few lines of NumPy.

A new objective in `OBJECTIVES` is tested here without an edit, but for its line in `REFERENCES`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.reference import normal, randomize
from tests.params import only
from tf_recdenoiser._keras import keras, layers_of, raw_variable
from tf_recdenoiser.backbones import Backbone, SASRec
from tf_recdenoiser.data import TrainingBatches, leave_one_out, prepare, synthetic_log
from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.layers.sampled_softmax import SampledLogProbability
from tf_recdenoiser.training import (
    DEFAULT_OBJECTIVE,
    OBJECTIVES,
    BayesianPersonalizedRanking,
    BinaryCrossEntropy,
    BootstrappedCrossEntropy,
    CrossEntropy,
    GeneralizedBinaryCrossEntropy,
    NoiseAwareObjective,
    Objective,
    Recommender,
    ReweightedCrossEntropy,
    TruncatedCrossEntropy,
)

ITEMS, N, D, M = 9, 4, 6, 3
IDS = np.array([[3, 1, 4, 1], [0, 0, 2, 6], [0, 5, 9, 2]], np.int32)
POSITIVES = np.array([[1, 4, 1, 8], [0, 0, 6, 7], [0, 9, 2, 1]], np.int32)
UNSEEN = np.array([5, 6, 4], np.int32)
VALID = POSITIVES > 0
EPOCH = 3.5
WEIGHTS = np.where(VALID, np.random.default_rng(1).uniform(0.1, 1, VALID.shape), 0).astype("f")


# --- The losses -------------------------------------------------------------------------------


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.log(1 / (1 + np.exp(-x)))


def bce(true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    return -log_sigmoid(true) - log_sigmoid(-drawn).sum(-1)


def gbce(true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    t, alpha = 0.75, drawn.shape[-1] / others.shape[-1]
    beta = alpha * (t * (1 - 1 / alpha) + 1 / alpha)
    return -np.log((1 / (1 + np.exp(-true))) ** beta) - log_sigmoid(-drawn).sum(-1)


def bpr(true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    return -log_sigmoid(true[..., np.newaxis] - drawn).mean(-1)


def top1(true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    above = 1 / (1 + np.exp(true[..., np.newaxis] - drawn))
    return (above + 1 / (1 + np.exp(-(drawn**2)))).mean(-1)


def cross_entropy(
    true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray
) -> np.ndarray:
    return np.log(np.exp(true) + np.exp(others).sum(-1)) - true


def sampled_softmax(
    true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray
) -> np.ndarray:
    expected = drawn.shape[-1] / unseen[:, np.newaxis, np.newaxis]
    return np.log(np.exp(true) + (np.exp(drawn) / expected).sum(-1)) - true


def r_ce(true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    right, wrong = 1 / (1 + np.exp(-true)), 1 / (1 + np.exp(-drawn))
    doubted = (1 - wrong) ** 0.25 * np.log(1 - wrong)
    return -(right**0.25) * np.log(right) - doubted.sum(-1)


def bootstrap(
    true: np.ndarray, drawn: np.ndarray, others: np.ndarray, unseen: np.ndarray
) -> np.ndarray:
    loss = np.zeros(true.shape)
    for label, scores in ((1.0, true[..., np.newaxis]), (0.0, drawn)):
        believed = 1 / (1 + np.exp(-scores))
        target = 0.95 * label + 0.05 * believed
        loss -= (target * np.log(believed) + (1 - target) * np.log(1 - believed)).sum(-1)
    return loss


REFERENCES: dict[str, Callable[..., np.ndarray]] = {
    "bce": bce,
    "gbce": gbce,
    "bpr": bpr,
    "top1": top1,
    "cross_entropy": cross_entropy,
    "sampled_softmax": sampled_softmax,
    "t_ce": bce,  # its share of so few targets is none; see below
    "r_ce": r_ce,
    "bootstrap": bootstrap,
}
"""Losses `[B, n]` of scores of the true items `[B, n]`, of those drawn `[B, n, m]` and of all but
the true `[B, n, I - 1]`, and of how many items each user has not seen, `[B]`."""


def variants(kind: type[Objective]) -> list[dict[str, Any]]:
    """Its settings for M negatives, if it takes any: for each position and shared."""
    if "negatives" not in {field.name for field in dataclasses.fields(kind)}:
        return [{}]
    return [{"negatives": M, "share_negatives": shared} for shared in (False, True)]


CASES = [
    pytest.param(name, kind(**options), id="-".join(map(str, [name, *options.values()])))
    for name, kind in OBJECTIVES.items()
    for options in variants(kind)
]
every_objective = pytest.mark.parametrize("objective", [case.values[1] for case in CASES], ids=str)


def recommender(objective: Objective, **options: Any) -> Recommender:
    backbone = SASRec(ITEMS, N, D, num_layers=1, gates="positional", dropout=0.0)
    model = Recommender(backbone, objective)
    randomize(model)
    model.compile(keras.optimizers.Adam(0.01), seed=1, run_eagerly=True, **options)
    return model


def example(
    objective: Objective, positives: np.ndarray = POSITIVES, weights: np.ndarray = WEIGHTS
) -> tuple[Any, Any, Any]:
    targets = {
        "positives": tf.constant(positives),
        "negatives": tf.constant(negatives_for(objective)),
        "unseen_counts": tf.constant(UNSEEN),
        "weights": tf.constant(weights),
        "epoch": tf.fill([len(IDS)], EPOCH),
    }
    return objective.example({"item_ids": tf.constant(IDS)}, targets)


def negatives_for(objective: Objective) -> np.ndarray:
    shape = (len(IDS), objective.negatives) if objective.share_negatives else (*IDS.shape, M)
    return np.random.default_rng(0).integers(1, ITEMS + 1, shape, np.int32)


def losses(model: Recommender, x: Any, y: Any, **options: Any) -> np.ndarray:
    loss = model.objective.loss(ITEMS)
    return np.asarray(loss.call(y, model(x, training=False, **options)))


def test_there_is_a_reference_for_every_objective() -> None:
    assert REFERENCES.keys() == OBJECTIVES.keys()


@pytest.mark.parametrize(("name", "objective"), CASES)
def test_the_loss_is_the_reference(name: str, objective: Objective) -> None:
    model = recommender(objective)
    x, y, _ = example(objective)
    hidden = model.backbone({"item_ids": IDS}, training=False).numpy().astype(np.float64)
    scores = hidden @ model.item_vectors().T
    drawn = negatives_for(objective)
    if objective.share_negatives:
        drawn = np.repeat(drawn[:, np.newaxis], N, axis=1)
    rest = np.array([np.delete(np.arange(1, ITEMS + 1), max(x, 1) - 1) for x in POSITIVES.flat])
    rest = rest.reshape(*IDS.shape, ITEMS - 1)
    true = np.take_along_axis(scores, POSITIVES[..., np.newaxis], -1)[..., 0]
    expected = REFERENCES[name](
        true, np.take_along_axis(scores, drawn, -1), np.take_along_axis(scores, rest, -1), UNSEEN
    )
    found = losses(model, x, y)
    assert found.shape == IDS.shape and found.dtype == np.float32
    np.testing.assert_allclose(found[VALID], expected[VALID], rtol=1e-4, atol=1e-5)


SHARES = np.random.default_rng(5).uniform(0.2, 2, ITEMS + 1)
NOISE_RATE = 0.3
noise_aware = pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, kind in OBJECTIVES.items() if issubclass(kind, NoiseAwareObjective)],
)


@noise_aware
@pytest.mark.parametrize("shared", [False, True])
def test_the_loss_beside_noise_is_the_reference_of_the_mixture(
    name: str, kind: type[NoiseAwareObjective], shared: bool
) -> None:
    """Ratios to a uniform law are mixed: (1 - rho) p / u + rho q / u, u = 1 / I."""
    sampled = {"negatives": M, "share_negatives": shared} if name != "cross_entropy" else {}
    objective = kind(noise_rate=NOISE_RATE, **sampled)
    model = recommender(objective)
    model.assume_noise(SHARES)
    hidden = model.backbone({"item_ids": IDS}, training=False).numpy().astype(np.float64)
    scores = hidden @ model.item_vectors().T
    true = np.take_along_axis(scores, POSITIVES[..., np.newaxis], -1)[..., 0]
    drawn = negatives_for(objective) if sampled else np.zeros([*IDS.shape, M], int)
    if shared and sampled:
        drawn = np.repeat(drawn[:, np.newaxis], N, axis=1)
    if name in ("cross_entropy", "sampled_softmax"):
        others = np.exp(scores[..., 1:]).sum(-1) - np.exp(true)
        if name == "sampled_softmax":
            others = np.exp(np.take_along_axis(scores, drawn, -1)).mean(-1) * UNSEEN[:, np.newaxis]
        p = np.exp(true) / (np.exp(true) + others)
        expected = -np.log((1 - NOISE_RATE) * p + NOISE_RATE * SHARES[POSITIVES] / ITEMS)
    else:
        power = (0.75 * (1 - (ITEMS - 1) / M) + (ITEMS - 1) / M) * M / (ITEMS - 1)
        neutral = (power if name == "gbce" else 1) / M
        ratios = (1 - NOISE_RATE) * np.exp(scores) / neutral + NOISE_RATE * SHARES
        observed = np.log(ratios * neutral)
        expected = REFERENCES[name](
            np.take_along_axis(observed, POSITIVES[..., np.newaxis], -1)[..., 0],
            np.take_along_axis(observed, drawn, -1),
            np.zeros([*IDS.shape, ITEMS - 1]),
            UNSEEN,
        )
    x, y, _ = example(objective)
    np.testing.assert_allclose(losses(model, x, y)[VALID], expected[VALID], rtol=1e-4)


@noise_aware
def test_the_law_of_noise_is_saved_with_the_model(
    name: str, kind: type[NoiseAwareObjective], tmp_path: Path
) -> None:
    model = recommender(kind(noise_rate=NOISE_RATE))
    model.assume_noise(SHARES)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.objective == model.objective
    (layer,) = (one for one in layers_of(again) if isinstance(one, NoiseMixture))
    np.testing.assert_allclose(
        np.asarray(layer.log_distribution)[1:], np.log(SHARES[1:]), rtol=1e-6
    )


def test_trained_beside_noise_a_model_says_what_users_mean() -> None:
    """Every user likes one of two items, and a third of the log is noise: it is seen through."""
    rng = np.random.default_rng(0)
    rows, rate, items = 4000, 1 / 3, 8
    liked = rng.integers(1, 3, rows)
    shown = np.where(rng.random(rows) < rate, rng.integers(1, items + 1, rows), liked)
    likes = keras.Input([1], dtype="int32", name="item_ids")

    class Lookup(Backbone):
        causal = True

        def __init__(self, item_count: int, max_length: int = 1) -> None:
            table = keras.layers.Embedding(items + 1, items, name="items")
            table.build((None, None))
            hidden = keras.layers.Embedding(items + 1, items, name="hidden")(likes)
            super().__init__(inputs={"item_ids": likes}, outputs=hidden)
            self._set(table)

    model = Recommender(Lookup(items), CrossEntropy(noise_rate=rate))
    model.compile(keras.optimizers.Adam(0.05), seed=1)
    targets = {
        "positives": tf.constant(shown[:, np.newaxis], tf.int32),
        "weights": tf.ones([rows, 1]),
    }
    x, y, weights = model.objective.example(
        {"item_ids": tf.constant(liked[:, np.newaxis], tf.int32)}, targets
    )
    model.fit(x, y, sample_weight=weights, batch_size=500, epochs=40, verbose=0)
    scores = model.score(np.array([[1], [2]], np.int32))[:, 1:]
    probability = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    assert (np.diag(probability) > 0.95).all()


@every_objective
def test_a_step_minimises_the_mean_by_weights(objective: Objective) -> None:
    model = recommender(objective)
    x, y, weights = example(objective)
    np.testing.assert_array_equal(weights, WEIGHTS)
    found = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)["loss"]
    expected = np.sum(losses(model, x, y)[VALID] * WEIGHTS[VALID]) / WEIGHTS.sum()
    assert found == pytest.approx(expected, rel=1e-5)


@every_objective
def test_what_stands_in_place_of_padding_does_not_matter(objective: Objective) -> None:
    model = recommender(objective, credit=True)
    other = np.where(VALID, POSITIVES, 5).astype(np.int32)
    found = [
        model.loss_gradients(*example(objective, positives), tf.constant([1, 2]))
        for positives in (POSITIVES, other)
    ]
    assert float(found[0][2]["loss"]) == pytest.approx(float(found[1][2]["loss"]), rel=1e-6)
    for one, two in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(*map(dense, (one, two)), rtol=1e-4, atol=1e-6)


def dense(gradient: Any) -> np.ndarray:
    return tf.convert_to_tensor(gradient).numpy()


def loss_of(objective: Objective, hidden: tf.Tensor) -> tuple[Callable[[], tf.Tensor], tf.Variable]:
    """The weighted loss of hidden vectors, and the item table it is a function of."""
    model = recommender(objective)
    x, y, _ = example(objective)
    added = objective.inputs(N)
    vectors = keras.Input([N, D], name="hidden")
    scores = objective.scores(model.backbone, vectors, added)
    head = keras.Model({"hidden": vectors, **added}, scores)
    inputs = {"hidden": hidden, **{name: x[name] for name in added}}
    loss = objective.loss(ITEMS)
    table = raw_variable(model.backbone.item_embedding.embeddings)
    return lambda: tf.reduce_sum(loss.call(y, head(inputs)) * WEIGHTS), table


@every_objective
def test_gradients_are_those_of_the_loss(objective: Objective) -> None:
    """Against the differences of the loss along one direction."""
    if isinstance(objective, ReweightedCrossEntropy):  # whose weights have no gradient
        objective = dataclasses.replace(objective, exponent=0.0)
    hidden, of_hidden = tf.Variable(normal(*IDS.shape, D)), normal(*IDS.shape, D, seed=2)
    loss, table = loss_of(objective, hidden)
    of_table, step = normal(ITEMS + 1, D, seed=3), 0.01
    with tf.GradientTape() as tape:
        value = loss()
    in_hidden, in_table = map(dense, tape.gradient(value, [hidden, table]))
    assert np.all(in_table[0] == 0), "padding is scored"
    found = np.sum(in_hidden * of_hidden) + np.sum(in_table * of_table)
    hidden.assign_add(step * of_hidden), table.assign_add(step * of_table)
    above = float(loss())
    hidden.assign_sub(2 * step * of_hidden), table.assign_sub(2 * step * of_table)
    assert found == pytest.approx((above - float(loss())) / (2 * step), rel=0.02)


@every_objective
def test_huge_scores_have_finite_gradients(objective: Objective) -> None:
    hidden = tf.Variable(1e4 * normal(*IDS.shape, D))
    loss, table = loss_of(objective, hidden)
    with tf.GradientTape() as tape:
        value = loss()
    for gradient in tape.gradient(value, [hidden, table]):
        assert np.isfinite(dense(gradient)).all()
    assert np.isfinite(value)


@every_objective
def test_gates_are_trained_with_it(objective: Objective) -> None:
    """By an estimator that asks for two evaluations, the second of a part of the batch."""
    model = recommender(objective, estimator="arm", estimator_batch_size=2)
    x, y, weights = example(objective)
    (gates,) = model.gate_layers
    before = gates.logits.numpy()
    for _ in range(2):
        loss, *_ = model.train_on_batch(x, y, sample_weight=weights)
        assert np.isfinite(loss)
    assert np.any(gates.logits.numpy() != before) and np.isfinite(gates.logits.numpy()).all()


@pytest.fixture
def float16() -> Iterator[None]:
    keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.eager
@every_objective
def test_losses_are_float32_in_mixed_precision(objective: Objective, float16: None) -> None:
    model = recommender(objective)
    x, y, weights = example(objective)
    hidden = model.backbone({"item_ids": IDS}, training=False)
    assert hidden.dtype == tf.float16
    found = losses(model, x, y)
    assert found.dtype == np.float32
    keras.mixed_precision.set_global_policy("float32")
    wide = recommender(objective)
    wide.set_weights(model.get_weights())
    np.testing.assert_allclose(found[VALID], losses(wide, x, y)[VALID], rtol=0.1, atol=0.3)
    keras.mixed_precision.set_global_policy("mixed_float16")
    assert np.isfinite(model.train_on_batch(x, y, sample_weight=weights)).all()
    assert all(np.isfinite(value).all() for value in model.get_weights())


@pytest.mark.eager
@every_objective
def test_it_is_saved_and_loaded(objective: Objective, tmp_path: Path) -> None:
    model = recommender(objective)
    x, y, weights = example(objective)
    model.train_on_batch(x, y, sample_weight=weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.objective == objective
    loaded.run_eagerly = True
    for one in (model, loaded):
        one.train_on_batch(x, y, sample_weight=weights)
    np.testing.assert_allclose(loaded.score(IDS), model.score(IDS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(losses(loaded, x, y), losses(model, x, y), rtol=1e-5, atol=1e-6)


@pytest.mark.eager
@pytest.mark.parametrize(
    "kind", only(lambda kind: kind is OBJECTIVES[DEFAULT_OBJECTIVE], OBJECTIVES.values())
)
def test_training_lowers_the_loss(kind: type[Objective]) -> None:
    """With its own defaults, on batches as a run makes them."""
    dataset = prepare(synthetic_log(users=40, items=30, clusters=3).log)
    objective = kind()
    batches = TrainingBatches(
        leave_one_out(dataset).train,
        dataset.item_count,
        max_length=8,
        batch_size=16,
        negatives=objective.negatives,
        seed=0,
        share_negatives=objective.share_negatives,
    )
    model = Recommender(SASRec(dataset.item_count, 8, 8, num_layers=1), objective)
    model.compile(keras.optimizers.Adam(0.01), seed=0)
    history = model.fit(
        batches.dataset(0, 10).map(objective.example),
        epochs=10,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,
        verbose=0,
    ).history
    assert np.mean(history["data"][-3:]) < 0.95 * history["data"][0]


# --- What each claims -------------------------------------------------------------------------


def test_sampled_softmax_of_all_other_items_is_cross_entropy() -> None:
    scores = 2 * normal(2, 3, ITEMS)
    true, others = scores[..., :1], scores[..., 1:]
    found = SampledLogProbability()(true, others, tf.constant([ITEMS - 1] * 2))
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.zeros([2, 3], tf.int32), scores)
    np.testing.assert_allclose(-found[..., 0], expected, rtol=1e-5)


def test_sampled_softmax_estimates_the_sum_over_unseen_items_without_bias() -> None:
    """Over all samples of two of four unseen items: exp of the loss is the sum over exp(s_0)."""
    unseen, true, m = 2 * normal(4), 0.3, 2
    samples = np.array(list(itertools.product(unseen, repeat=m)), np.float32)[:, np.newaxis]
    log_p = SampledLogProbability()(
        tf.fill([len(samples), 1, 1], true), samples, tf.fill([len(samples)], len(unseen))
    )
    assert np.exp(-log_p).mean() == pytest.approx(1 + np.exp(unseen - true).sum(), rel=1e-5)


def test_gbce_is_bce_without_calibration() -> None:
    scores = normal(2, 3, 1 + M)
    one = GeneralizedBinaryCrossEntropy(M, calibration=0.0).loss(ITEMS).call(None, scores)
    np.testing.assert_allclose(one, BinaryCrossEntropy(M).loss(ITEMS).call(None, scores))


@pytest.mark.parametrize(("calibration", "power"), [(0.0, 1.0), (0.5, 0.6875), (1.0, 0.375)])
def test_gbce_s_power_lies_between_1_and_the_share_of_negatives(
    calibration: float, power: float
) -> None:
    loss = GeneralizedBinaryCrossEntropy(M, calibration=calibration).loss(ITEMS)
    assert loss.positive_weight == pytest.approx(power)


P = np.array([0.5, 0.2, 0.2, 0.1])
"""Probabilities of four items after some history; negatives are drawn uniformly."""


@pytest.mark.parametrize(
    ("objective", "shift"),
    [
        (BinaryCrossEntropy(1), 0.0),
        (GeneralizedBinaryCrossEntropy(1, calibration=1.0), np.log(1 / 3)),
        (BayesianPersonalizedRanking(1), -1.7),
    ],
    ids=str,
)
def test_scores_are_log_ratios_where_the_loss_is_least(objective: Objective, shift: float) -> None:
    """The gradient of the expected loss is zero there, and for BPR wherever they are shifted to."""
    pairs = np.array(list(itertools.product(range(4), range(4))))
    scores = tf.constant(np.log(4 * P) + shift, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        found = objective.loss(item_count=4).call(None, tf.gather(scores, pairs)[:, tf.newaxis])
        expected = tf.reduce_sum(found[:, 0] * P[pairs[:, 0]] / 4)
    np.testing.assert_allclose(dense(tape.gradient(expected, scores)), 0, atol=1e-6)
    assert objective.log_ratios is not isinstance(objective, BayesianPersonalizedRanking)


def test_cross_entropy_draws_no_negatives() -> None:
    assert CrossEntropy().negatives == 0 and not CrossEntropy().share_negatives


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_wrong_argument_is_named(name: str) -> None:
    names = {field.name for field in dataclasses.fields(OBJECTIVES[name])}
    for argument, value in {"negatives": 0, "calibration": 1.5}.items():
        if argument in names:
            with pytest.raises(ValueError, match=rf"`{argument}` must .*: {argument}={value}$"):
                OBJECTIVES[name](**{argument: value})


# --- Losses that doubt the log ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop_rate", "gradual", "share"),
    [(0.5, 7, 0.25), (0.5, 1, 0.5), (0.0, 1, 0.0), (0.99, 3, 0.99)],
)
def test_the_true_items_that_cost_most_are_left_out(
    drop_rate: float, gradual: float, share: float
) -> None:
    objective = TruncatedCrossEntropy(M, drop_rate=drop_rate, gradual_epochs=gradual)
    model, plain = recommender(objective), recommender(BinaryCrossEntropy(M))
    model.set_weights(plain.get_weights())
    x, y, _ = example(objective)
    found, whole = losses(model, x, y), losses(plain, x, y)
    drawn = log_sigmoid(-np.asarray(model(x, training=False))[..., 1:])
    of_true = whole + drawn.sum(-1)
    # Python's sort, of valid targets alone.
    costly = sorted(zip(*np.nonzero(VALID), strict=True), key=lambda at: -of_true[at])
    left_out = costly[: int(share * VALID.sum())]
    expected = whole.copy()
    for at in left_out:
        expected[at] = -drawn[at].sum(-1)
    np.testing.assert_allclose(found[VALID], expected[VALID], rtol=1e-4, atol=1e-5)


def test_what_is_left_out_has_no_gradient() -> None:
    loss = TruncatedCrossEntropy(drop_rate=0.5).loss(9)
    scores = tf.Variable([[[3.0, 0.0], [-3.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(loss.call(tf.fill([1, 4], 1.5), scores))
    of_true = dense(tape.gradient(value, scores))[0, :, 0]
    expected = -1 / (1 + np.exp([3.0, np.inf, 1.0, np.inf]))
    np.testing.assert_allclose(of_true, expected, atol=1e-6)


def test_weights_of_doubt_have_no_gradient() -> None:
    scores = tf.Variable([[[0.3, -0.7, 1.1]]])
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(ReweightedCrossEntropy(2, exponent=0.5).loss(9).call(None, scores))
    signs = np.array([1.0, -1.0, -1.0])
    right = 1 / (1 + np.exp(-signs * scores.numpy()[0, 0]))
    expected = -signs * np.sqrt(right) * (1 - right)
    np.testing.assert_allclose(dense(tape.gradient(value, scores))[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (TruncatedCrossEntropy, {"drop_rate": 1.0}, "`drop_rate` must be from 0 to below 1"),
        (TruncatedCrossEntropy, {"gradual_epochs": 0}, "`gradual_epochs` must be above 0"),
        (ReweightedCrossEntropy, {"exponent": -0.1}, "`exponent` must be at least 0"),
        (ReweightedCrossEntropy, {"negatives": 0}, "`negatives` must be at least 1"),
        (BootstrappedCrossEntropy, {"label_share": 1.1}, "`label_share` must be from 0 to 1"),
    ],
)
def test_settings_of_doubt_have_their_ranges(
    kind: type[Objective], settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**settings)
