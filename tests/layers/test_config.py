"""Every layer is made again by its configuration, and a model of them by its file."""

from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tf_recdenoiser.layers as layers
from tests.layers.reference import normal, randomize
from tf_recdenoiser._keras import keras
from tf_recdenoiser.layers import (
    AttentionKind,
    DenoisingLinearAttention,
    DenoisingMultiHeadAttention,
    Dropout,
    HeadDrop,
    ItemGates,
    JacobianRegularizedBlock,
    KeyGates,
    LayerDrop,
    LayerNormalization,
    PairwiseGates,
    PositionalGates,
    PositionEmbedding,
    RelativeGates,
    Swap,
    TimeAwareAttention,
    TimeAwareBlock,
    TimeEmbedding,
    TransformerBlock,
    UserEmbedding,
)
from tf_recdenoiser.layers.catalogue import Catalogue, CatalogueLogProbability
from tf_recdenoiser.layers.context import ContextFeatures
from tf_recdenoiser.layers.embeddings import AppendOne
from tf_recdenoiser.layers.feedback import FeedbackFeatures, LogRatioOfLogit
from tf_recdenoiser.layers.noise_embedding import NoiseEmbedding
from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.layers.normalizers import LearnedEntmax
from tf_recdenoiser.layers.sampled_softmax import SampledLogProbability
from tf_recdenoiser.layers.scores import CandidateScores
from tf_recdenoiser.layers.soften import Soften
from tf_recdenoiser.layers.users import BesideUser

pytestmark = pytest.mark.both_keras

N, D = 4, 6

COMMON = {
    "beta": 0.25,
    "penalty": "edges",
    "initial_keep": 0.75,
    "sharpness": 3.0,
    "inference": "expectation",
}
GATES = {**COMMON, "num_heads": 2}
# Every argument of every layer, none of them at its default.
CHANGED: dict[type, dict[str, Any]] = {
    Dropout: {"rate": 0.25},
    LayerNormalization: {"epsilon": 0.01},
    PositionEmbedding: {"scale": False},
    AppendOne: {},
    BesideUser: {},
    UserEmbedding: {"count": 4, "hidden_dim": 3},
    CandidateScores: {},
    ContextFeatures: {"item_count": 4, "shape": (2, 3)},
    FeedbackFeatures: {"item_count": 4, "shape": (2, 3)},
    LogRatioOfLogit: {},
    NoiseEmbedding: {},
    NoiseMixture: {"rate": 0.25, "item_count": 4, "offset": 0.5},
    Soften: {},
    Swap: {"rate": 0.25, "count": 4},
    TimeEmbedding: {"hidden_dim": 6, "max_interval": 9},
    Catalogue: {"item_count": 4},
    CatalogueLogProbability: {},
    SampledLogProbability: {},
    PositionalGates: GATES,
    RelativeGates: {**COMMON, "beta": 0.0, "target_density": 0.75},
    PairwiseGates: {**COMMON, "rank": 3},
    ItemGates: {**COMMON, "rank": 3},
    KeyGates: COMMON,
    LayerDrop: {"rate": 0.25},
    HeadDrop: {"rate": 0.25},
    DenoisingMultiHeadAttention: {
        "num_heads": 2,
        "key_dim": 3,
        "value_dim": 5,
        "dropout": 0.25,
        "use_bias": False,
        "output_shape": 7,
        "kernel_initializer": "he_normal",
        "bias_initializer": "ones",
        "kernel_regularizer": "l2",
        "bias_regularizer": "l1",
        "gates": PositionalGates(**GATES),
        "renormalize": True,
        "attention": AttentionKind("entmax15", "sliding_window", {"width": 3}),
    },
    DenoisingLinearAttention: {
        "num_heads": 2,
        "key_dim": 3,
        "value_dim": 5,
        "dropout": 0.25,
        "gates": KeyGates(**COMMON),
    },
    TransformerBlock: {
        "num_heads": 2,
        "intermediate_dim": 9,
        "dropout": 0.25,
        "norm": "post",
        "causal": False,
        "activation": "gelu",
        "gates": PositionalGates(**GATES),
        "epsilon": 1e-3,
        "attention": "entmax",
    },
    TimeAwareAttention: {"num_heads": 2, "key_dim": 3, "gates": PositionalGates(**GATES)},
    TimeAwareBlock: {
        "num_heads": 2,
        "intermediate_dim": 9,
        "norm": "post",
        "gates": PositionalGates(**GATES),
    },
    JacobianRegularizedBlock: {
        "block": TransformerBlock(num_heads=2, intermediate_dim=9, gates=PositionalGates(**GATES)),
        "gamma": 0.125,
        "projections": 3,
        "batch_size": 2,
        "interval": 3,
        "distribution": "normal",
    },
}


def plain(value: Any) -> Any:
    """A configuration as JSON has it, without the names that every new layer counts up."""
    value = json.loads(json.dumps(value, default=str))
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("name", "shared_object_id")}
    return [plain(v) for v in value] if isinstance(value, list) else value


def test_every_registered_layer_is_here() -> None:
    found = set()
    for module in pkgutil.walk_packages(layers.__path__, "tf_recdenoiser.layers."):
        parts = vars(importlib.import_module(module.name)).values()
        found |= {k for k in parts if isinstance(k, type) and issubclass(k, keras.layers.Layer)}
    registered = {k for k in found if keras.utils.get_registered_name(k) != k.__name__}
    assert registered - {LearnedEntmax} == set(CHANGED)


@pytest.mark.parametrize("kind", CHANGED, ids=lambda kind: kind.__name__)
def test_the_configuration_makes_the_layer_again(kind: type) -> None:
    layer = kind(**CHANGED[kind])
    config = layer.get_config()
    assert set(CHANGED[kind]) <= set(config)
    for name, value in CHANGED[kind].items():
        if isinstance(value, (int, float)):
            assert config[name] == value
    again = kind.from_config(config)
    assert plain(again.get_config()) == plain(config)
    registered = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(registered) is kind
    assert plain(registered.get_config()) == plain(config)


def test_nested_gates_keep_their_settings() -> None:
    wrapped = JacobianRegularizedBlock(**CHANGED[JacobianRegularizedBlock])
    again = keras.layers.deserialize(keras.layers.serialize(wrapped))
    again.build((None, N, D))
    gates = again.block.attention.gates
    assert {name: getattr(gates, name) for name in GATES} == GATES


def saved_and_loaded(model: Any, folder: Path) -> Any:
    path = folder / "model.keras"
    model.save(path)
    return keras.models.load_model(path)


@pytest.mark.parametrize("inner", ["transformer", "dense", "sequential", "functional"])
def test_a_plain_model_is_saved_and_loaded(inner: str, tmp_path: Path) -> None:
    functional_input = keras.Input([N, D])
    blocks = {
        "transformer": TransformerBlock(num_heads=2, gates=PositionalGates(beta=0.1)),
        "dense": keras.layers.Dense(D),
        "sequential": keras.Sequential([keras.layers.Dense(5, "relu"), keras.layers.Dense(D)]),
        "functional": keras.Model(functional_input, keras.layers.Dense(D)(functional_input)),
    }
    inputs = keras.Input([N, D])
    outputs = JacobianRegularizedBlock(blocks[inner], 0.1, batch_size=1)(
        PositionEmbedding()(inputs)
    )
    model = keras.Model(inputs, outputs)
    randomize(model)
    x = normal(3, N, D)
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded(x, training=False), model(x, training=False))


def test_cross_attention_with_gates_is_saved_and_loaded(tmp_path: Path) -> None:
    query, value = keras.Input([N, D]), keras.Input([N + 2, D + 1])
    attention = DenoisingMultiHeadAttention(2, 3, gates=PositionalGates(inference="expectation"))
    model = keras.Model([query, value], attention(query, value))
    randomize(model)
    x = [normal(3, N, D), normal(3, N + 2, D + 1)]
    loaded = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(loaded(x, training=False), model(x, training=False))
    assert tuple(attention.gates.logits.shape) == (N, N + 2)
