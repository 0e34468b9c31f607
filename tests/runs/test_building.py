"""Every setting reaches the model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.runs.small import DATASET, plain, small
from tf_recdenoiser.backbones import BACKBONES, SASRec
from tf_recdenoiser.data import DataError
from tf_recdenoiser.layers import DROPPING, DroppingGates, Gates
from tf_recdenoiser.noise import CORRECTIONS
from tf_recdenoiser.runs import Settings, build_recommender, load_split, resolve
from tf_recdenoiser.runs.build import build_batches
from tf_recdenoiser.runs.resolve import build_gates, build_objective, check_data
from tf_recdenoiser.training import OBJECTIVES, Adam, GeneralizedBinaryCrossEntropy, LazyAdam

UNTIMED = dataclasses.replace(DATASET, times=None)


def test_the_encoder_is_as_the_settings_say() -> None:
    settings = small(
        {
            "model.num_layers": 3,
            "model.num_heads": 4,
            "model.norm": "post",
            "model.dropout": 0.4,
            "model.jacobian_batch_size": 7,
            "model.gamma": 0.25,
            "model.attention": "entmax",
        },
    )
    config = build_recommender(settings, item_count=40).backbone.get_config()
    expected = {
        "item_count": 40,
        "max_length": 12,
        "hidden_dim": 8,
        "num_layers": 3,
        "num_heads": 4,
        "norm": "post",
        "dropout": 0.4,
        "gamma": 0.25,
        "jacobian_batch_size": 7,
        "attention": "entmax",
    }
    assert {name: config[name] for name in expected} == expected


def test_the_gates_are_as_the_settings_say() -> None:
    choices = {
        "gates.beta": 0.7,
        "gates.penalty": "edges",
        "gates.initial_keep": 0.8,
        "gates.inference": "hard",
    }
    expected = {path.partition(".")[2]: value for path, value in choices.items()}
    gates = build_gates(resolve(small(choices)))
    assert gates is not None
    config = gates.get_config()
    assert {name: config[name] for name in expected} == expected
    recommender = build_recommender(small({**choices, "model.num_layers": 2}), item_count=5)
    assert len(recommender.gate_layers) == 2
    for layer in recommender.gate_layers:
        config = layer.get_config()
        assert {name: config[name] for name in expected} == expected
        np.testing.assert_allclose(layer.logits, np.log(0.8 / 0.2), rtol=1e-6)


@pytest.mark.parametrize(
    ("backbone", "beta", "expected"),
    [("sasrec", None, 0.1), ("bert4rec", None, 0.01), ("bert4rec", 0.1, 0.1), ("sasrec", 0.0, 0.0)],
)
def test_beta_is_the_backbones_unless_given(
    backbone: str, beta: float | None, expected: float
) -> None:
    settings = small({"model": backbone, "gates.beta": beta})
    gates = build_gates(resolve(settings))
    assert isinstance(gates, Gates) and gates.beta == expected
    assert resolve(settings).gates.beta == expected


@pytest.mark.parametrize(
    ("gates", "penalty", "expected"),
    [
        ("positional", None, ("entries", SASRec.default_beta)),
        ("relative", None, ("edges", SASRec.default_beta / 100)),
        ("positional", "edges", ("edges", SASRec.default_beta / 100)),
        ("relative", "entries", ("entries", SASRec.default_beta)),
        ("item", None, ("entries", 0.0)),
    ],
)
def test_an_edge_weighs_a_hundredth_of_an_entry(
    gates: str, penalty: str | None, expected: tuple[str, float]
) -> None:
    settings = small({"gates": gates, "gates.beta": None, "gates.penalty": penalty})
    built = build_gates(resolve(settings))
    assert isinstance(built, Gates)
    assert (built.penalty, built.beta) == pytest.approx(expected)
    assert (resolve(settings).gates.penalty, resolve(settings).gates.beta) == (
        built.penalty,
        built.beta,
    )


def test_a_target_density_takes_the_place_of_beta() -> None:
    gates = build_gates(resolve(small({"gates.beta": None, "gates.target_density": 0.25})))
    assert gates is not None and (gates.beta, gates.target_density) == (0.0, 0.25)


@pytest.mark.parametrize("kind", DROPPING.values(), ids=DROPPING)
def test_dropping_has_the_rate_of_the_settings(kind: type[DroppingGates]) -> None:
    (name,) = (name for name, listed in DROPPING.items() if listed is kind)
    gates = build_gates(resolve(small({"gates": name, "gates.rate": 0.25})))
    assert type(gates) is kind and gates.rate == 0.25
    assert build_recommender(small({"gates": name}), item_count=5).gate_layers == []


def test_without_gates_there_are_none() -> None:
    assert build_gates(plain()) is None
    assert build_recommender(plain(), item_count=5).gate_layers == []


@pytest.mark.parametrize(
    ("backbone", "left_open", "expected"),
    [
        ("sasrec", {}, ("none", 0.0)),
        ("sasrec", {"gates": "relative"}, ("relative", 0.0)),
        ("sasrec", {"model.gamma": 1e-4}, ("none", 1e-4)),
        ("bert4rec", {}, ("none", 0.0)),
        ("bert4rec", {"gates": "positional"}, ("positional", 0.0)),
        ("bert4rec", {"model.gamma": 1e-3}, ("none", 1e-3)),
        ("fpmc", {}, ("none", 0.0)),
        ("fpmc", {"gates": "none"}, ("none", 0.0)),
    ],
)
def test_there_are_gates_if_they_are_asked_for(
    backbone: str, left_open: dict[str, Any], expected: tuple[str, float]
) -> None:
    settings = resolve(Settings.of("synthetic", {"model": backbone, **left_open}))
    assert (settings.gates.name, getattr(settings.model, "gamma", 0.0)) == expected
    assert resolve(settings) == settings
    built = build_recommender(settings, item_count=5, user_count=3)
    assert bool(built.gate_layers) == (expected[0] != "none")


@pytest.mark.parametrize("backbone", [name for name, kind in BACKBONES.items() if not kind.gated])
def test_gates_are_refused_where_there_is_no_attention(backbone: str) -> None:
    with pytest.raises(ValueError) as error:
        resolve(Settings.of("synthetic", {"model": backbone, "gates": "relative"}))
    assert str(error.value) == (
        f"`gates` must be left out with model={backbone!r}, which has no attention to gate. "
        "Received: gates='relative'"
    )


@pytest.mark.parametrize("backbone", [name for name, kind in BACKBONES.items() if not kind.gated])
def test_a_jacobian_penalty_is_no_setting_where_there_is_no_attention(backbone: str) -> None:
    with pytest.raises(ValueError, match=r"`model\.gamma` has no effect here: it goes with model"):
        Settings.of("synthetic", {"model": backbone, "model.gamma": 0.1})


@pytest.mark.parametrize(("credit", "expected"), [(None, True), (True, True), (False, False)])
def test_credit_follows_the_backbone_unless_given(credit: bool | None, expected: bool) -> None:
    assert build_recommender(small({"gates.credit": credit}), item_count=5).credit is expected


def test_training_is_as_the_settings_say() -> None:
    settings = small(
        {
            "gates.estimator": "rloo",
            "gates.estimator_batch_size": 9,
            "fit.l2": 0.125,
            "seed": 11,
            "objective.negatives": 3,
            "fit.learning_rate": 0.25,
            "gates.learning_rate": 0.5,
        },
    )
    recommender = build_recommender(settings, item_count=5)
    assert recommender.get_compile_config()["estimator"]["name"] == "rloo"
    assert recommender.estimator_batch_size == 9
    assert recommender.l2 == 0.125
    assert recommender.seed == 11
    assert recommender.objective.negatives == 3
    assert float(recommender.optimizer.learning_rate) == 0.25
    assert float(recommender.gate_optimizer.learning_rate) == 0.5


@pytest.mark.parametrize(("optimizer", "moves"), [("adam", True), ("lazy_adam", False)])
def test_lazily_only_the_items_of_a_batch_are_gone_through(optimizer: str, moves: bool) -> None:
    """By Adam all that were ever read move on."""
    settings = plain({"fit.optimizer": optimizer, "objective": "bce", "fit.batch_size": 1})
    recommender = build_recommender(settings, DATASET.item_count)
    train = load_split(settings, DATASET).split.train
    batches = build_batches(settings, train, DATASET.item_count, recommender.backbone)
    tables, read = [recommender.item_vectors()], []
    for batch, _ in zip(batches.epoch(0), range(2), strict=False):
        x, y, weights = recommender.objective.example(*batch)
        recommender.train_on_batch(x, y, weights)
        tables.append(recommender.item_vectors())
        items = [np.ravel(x[name]) for name in ("item_ids", "positives", "negatives")]
        read.append(np.setdiff1d(np.concatenate(items), [0]))
    in_first_alone = np.setdiff1d(*read)
    assert np.all(np.any(tables[1][read[1]] != tables[2][read[1]], axis=1))
    assert np.any(tables[1][in_first_alone] != tables[2][in_first_alone]) == moves


def test_a_run_with_many_items_trains_lazily_unless_it_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tf_recdenoiser.runs.build.LAZY_FROM", 40)
    found = [
        type(build_recommender(plain(changes), item_count=items).optimizer)
        for changes, items in (({}, 39), ({}, 40), ({"fit.optimizer": "adam"}, 40))
    ]
    assert found == [Adam, LazyAdam, Adam]


def test_batches_are_drawn_by_the_seed_of_the_settings() -> None:
    train = load_split(plain(), DATASET).split.train
    backbone = build_recommender(plain(), DATASET.item_count).backbone

    def drawn(seed: int) -> list[list[int]]:
        batches = build_batches(plain({"seed": seed}), train, DATASET.item_count, backbone)
        return [targets["negatives"].tolist() for _, targets in batches.epoch(0)]

    assert drawn(3) == drawn(3) != drawn(4)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_batches_are_corrected_as_the_settings_say(name: str) -> None:
    correction, train = CORRECTIONS[name], load_split(plain(), DATASET).split.train
    settings = plain(
        {
            "noise.detector": "oracle",
            "noise.correction": name,
            "model.max_length": 40,
            "fit.windows": "newest",
        }
    )
    backbone = build_recommender(settings, DATASET.item_count).backbone
    noise = (train.items % 4 == 0).astype(np.float32)
    batches = build_batches(settings, train, DATASET.item_count, backbone, noise)
    for inputs, targets in batches.epoch(0):
        items, positives = inputs["item_ids"], targets["positives"]
        is_noise = (positives > 0) & (positives % 4 == 0)
        assert is_noise.any() != correction.leaves_items_out
        weighs = name in ("targets", "everywhere", "mark")
        expected = (positives > 0) & ~is_noise if weighs else positives > 0
        np.testing.assert_array_equal(targets["weights"], expected)
        assert ("clean_probability" in inputs) == (correction.softens is not None)
        if "clean_probability" in inputs:
            np.testing.assert_array_equal(
                inputs["clean_probability"], (items > 0) & (items % 4 > 0)
            )


def test_a_delay_of_gates_is_refused_where_their_weight_is_sought() -> None:
    settings = small({"gates.beta": None, "gates.delay": 2, "gates.target_density": 0.5})
    with pytest.raises(
        ValueError, match=r"`gates.delay` .* gates.delay=2, gates.target_density=0.5$"
    ):
        build_recommender(settings, item_count=5, user_count=3)


def test_a_delay_of_gates_needs_to_know_how_long_an_epoch_is() -> None:
    with pytest.raises(ValueError, match=r"`user_count` must be given .* user_count=0$"):
        build_recommender(small({"gates.delay": 2}), item_count=5)
    build_recommender(plain(), item_count=5)


class Bare(SASRec):
    """A backbone that takes no heads, and knows its users."""

    def __init__(
        self, item_count: int, user_count: int, max_length: int = 5, hidden_dim: int = 50
    ) -> None:
        super().__init__(item_count, max_length, hidden_dim)
        self.user_count = user_count


def test_a_backbone_brings_its_settings_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BACKBONES, "bare", Bare)
    settings = Settings.of("synthetic", {"model": "bare", "model.hidden_dim": 6})
    backbone = build_recommender(settings, item_count=9, user_count=4).backbone
    assert (backbone.item_count, backbone.user_count) == (9, 4)
    with pytest.raises(ValueError, match=r"`model.num_heads` has no effect here: .* sasrec, "):
        settings.replace({"model.num_heads": 3})


def test_credit_is_refused_where_the_backbone_is_not_causal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SASRec, "causal", False)
    assert build_recommender(small(), item_count=5).credit is False
    with pytest.raises(ValueError, match=r"`credit` must be False with SASRec, .*credit=True"):
        build_recommender(small({"gates.credit": True}), item_count=5)


def test_times_that_the_backbone_needs_and_the_log_lacks_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_data(small(), UNTIMED)
    monkeypatch.setattr(SASRec, "extra_inputs", ("times",))
    check_data(small(), DATASET)
    with pytest.raises(DataError, match=r"SASRec needs times.*--time-column.*Received: synth"):
        check_data(small(), UNTIMED)


@pytest.mark.parametrize("level", [0, 0.5, 1, np.nan])
def test_feedback_that_tells_nothing_apart_is_an_error(level: float) -> None:
    disliked = np.full(len(DATASET.items), level, np.float32)
    untold = dataclasses.replace(DATASET, disliked=disliked)
    with pytest.raises(DataError, match=r"--disliked-below .*Received: [\d,]+ of [\d,]+ disliked"):
        check_data(small(), untold)
    # What is new since another run may be little.
    check_data(small({"fit.warm_start": "runs/first"}), untold)
    disliked[::2] = 1 - np.nan_to_num(level).round()
    check_data(small(), untold)


def test_gates_of_pairs_are_refused_where_attention_is_linear() -> None:
    with pytest.raises(ValueError, match=r"`gates` must .* linear, .*key gates.*PositionalGates"):
        build_recommender(small({"model.attention": "linear"}), item_count=5)


@pytest.mark.parametrize(
    ("gates", "estimator"),
    [("item", "straight_through"), ("pairwise", "disarm")],
)
def test_gates_have_their_own_estimator_by_default(gates: str, estimator: str) -> None:
    left_open = small({"gates": gates, "gates.estimator": None})
    assert resolve(left_open).gates.estimator.name == estimator
    stated = small({"gates": gates, "gates.estimator": "arm"})
    assert resolve(stated).gates.estimator.name == "arm"
    compiled = build_recommender(left_open, item_count=5).get_compile_config()
    assert compiled["estimator"]["name"] == estimator


def test_gates_are_shuffled_only_if_taken_from_a_run() -> None:
    with pytest.raises(ValueError, match=r"`gates.shuffle` must go with `gates.source`"):
        build_gates(resolve(small({"gates.shuffle": True})))


def test_an_objective_has_the_settings_it_takes() -> None:
    settings = small(
        {
            "objective": "gbce",
            "objective.negatives": 7,
            "objective.share_negatives": False,
            "objective.calibration": 0.25,
        }
    )
    assert build_objective(settings) == GeneralizedBinaryCrossEntropy(7, False, 0.25)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_an_objective_is_not_given_is_its_own_default(name: str) -> None:
    assert build_objective(small({"objective": name})) == OBJECTIVES[name]()


SAMPLED = "bce, sampled_softmax, gbce, bpr, top1, t_ce, r_ce, bootstrap"


@pytest.mark.parametrize(
    ("objective", "option", "value", "takers"),
    [
        ("cross_entropy", "negatives", 1, SAMPLED),
        ("cross_entropy", "share_negatives", False, SAMPLED),
        ("bpr", "calibration", 0.5, "gbce"),
    ],
)
def test_a_setting_that_has_no_effect_is_refused(
    objective: str, option: str, value: Any, takers: str
) -> None:
    with pytest.raises(ValueError) as error:
        small({"objective": objective, f"objective.{option}": value})
    assert str(error.value) == (
        f"`objective.{option}` has no effect here: it goes with objective {takers}. "
        f"Received: objective.{option}"
    )


@pytest.mark.parametrize(
    "changes",
    [{"noise.correction": "targets"}, {"noise.correction.clean_above": 0.5}],
)
def test_a_correction_is_refused_where_no_noise_is_looked_for(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"`noise.correction` has no effect with noise.detector="):
        resolve(small(changes))


@pytest.mark.parametrize(
    ("correction", "option"), [("sequence", "least_weight"), ("input", "clean_newest_above")]
)
def test_a_correction_takes_its_own_settings_alone(correction: str, option: str) -> None:
    with pytest.raises(ValueError, match=f"`noise.correction.{option}` has no effect here: "):
        small({"noise.correction": correction, f"noise.correction.{option}": 0.5})
