"""What is searched can always be built."""

from __future__ import annotations

from typing import Any

import keras_tuner
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.runs import Settings, build_recommender
from tf_recdenoiser.tuning import CHOICES, choices_for, search_space
from tf_recdenoiser.tuning.tuners import brackets_within, sweep_size

BASE = Settings.of("log.csv", {"model.max_length": 6, "noise.detector": "none"})
OF_GATES = {"gates.beta", "gates.estimator", "gates.initial_keep", "gates.learning_rate"}
PAPER = BASE.replace({"gates": "positional"})


def space(base: Settings, **options: Any) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    search_space(hp, base, choices_for(base, **options))
    return hp


def test_the_space_is_that_of_the_paper_and_more() -> None:
    values = {one.name: one.values for one in space(PAPER).space}
    assert list(values) == list(CHOICES)
    assert values["model.hidden_dim"] == [10, 20, 30, 40, 50]
    tenths = [10.0**-k for k in (5, 4, 3, 2, 1)]
    assert sorted(values["gates.beta"]) == sorted(values["model.gamma"]) == tenths
    sizes, heads = values["model.hidden_dim"], values["model.num_heads"]
    assert all(size % count == 0 for size in sizes for count in heads)


@pytest.mark.parametrize("changes", [{"gates": "relative"}, {"gates.penalty": "edges"}])
def test_weights_of_edges_are_a_hundredth_of_those_of_entries(changes: dict[str, Any]) -> None:
    hp = space(PAPER.replace(changes))
    (beta,) = (one.values for one in hp.space if one.name == "gates.beta")
    np.testing.assert_allclose(sorted(beta), [10.0**-k for k in (7, 6, 5, 4, 3)])
    assert hp["gates.beta"] == 0.001  # the default


def test_at_first_it_chooses_what_the_base_has() -> None:
    base = PAPER.replace({"model.hidden_dim": 30, "objective": "gbce", "gates.beta": 0.01})
    hp = space(base)
    assert (hp["model.hidden_dim"], hp["objective"], hp["gates.beta"]) == (30, "gbce", 0.01)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_chosen_is_in_the_settings(data: st.DataObject) -> None:
    hp = keras_tuner.HyperParameters()
    choices = choices_for(PAPER)
    chosen = {name: data.draw(st.sampled_from(values)) for name, values in choices.items()}
    hp.values = dict(chosen)
    found = search_space(hp, PAPER, choices)
    assert found == PAPER.replace(chosen)
    assert found.model.hidden_dim % found.model.num_heads == 0


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_first_and_the_last_values_can_be_built(backbone: str) -> None:
    gates = "relative" if BACKBONES[backbone].gated else "none"
    base = BASE.replace({"model": backbone, "gates": gates})
    choices = choices_for(base)
    for end in (0, -1):
        chosen = {name: values[end] for name, values in choices.items()}
        model = build_recommender(base.replace(chosen), 7, 5)
        assert model.backbone.item_count == 7


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"gates": "none"}, OF_GATES),
        ({"gates": "head_drop"}, OF_GATES),
        ({"gates.target_density": 0.7}, {"gates.beta"}),
    ],
)
def test_what_has_no_effect_is_not_searched(changes: dict[str, Any], missing: set[str]) -> None:
    assert CHOICES.keys() - choices_for(PAPER.replace(changes)) == missing


def test_heads_and_widths_go_together() -> None:
    assert choices_for(BASE, fixed=["model.hidden_dim"])["model.num_heads"] == (1, 2, 5)
    eight = BASE.replace({"model.hidden_dim": 8})
    assert choices_for(eight, fixed=["model.hidden_dim"])["model.num_heads"] == (1, 2, 4)
    four = BASE.replace({"model.num_heads": 4})
    assert choices_for(four, fixed=["model.num_heads"])["model.hidden_dim"] == (20, 40)
    with pytest.raises(ValueError, match=r"`model.hidden_dim` must have a value .* Received: "):
        choices_for(BASE.replace({"model.num_heads": 7}), fixed=["model.num_heads"])


def test_objectives_that_refuse_a_fixed_setting_are_left_out() -> None:
    base = BASE.replace({"noise.detector": "oracle", "noise.correction": "likelihood"})
    able = ("bce", "cross_entropy", "sampled_softmax", "gbce")
    assert choices_for(base)["objective"] == able


def test_what_decides_the_data_cannot_be_searched() -> None:
    with pytest.raises(ValueError, match=r"`log.k_core` cannot be searched"):
        choices_for(BASE, given={"log.k_core": (0, 5)})


def test_what_a_name_does_not_take_has_no_effect_beside_it() -> None:
    choices = choices_for(BASE, given={"gates": ("none", "relative"), "gates.beta": (0.1, 0.2)})
    hp = keras_tuner.HyperParameters()
    hp.values = {**{path: values[0] for path, values in choices.items()}, "gates.beta": 0.2}
    assert search_space(hp, BASE, choices).gates.name == "none"
    hp.values["gates"] = "relative"
    assert search_space(hp, BASE, choices).gates.beta == 0.2


@pytest.mark.parametrize("brackets", [1, 2, 3, 4])
def test_a_sweep_has_as_many_trials_as_kerastuner_runs(brackets: int) -> None:
    sizes = keras_tuner.oracles.HyperbandOracle(max_epochs=3 ** (brackets - 1))._get_size
    assert sweep_size(brackets) == sum(sizes(s, i) for s in range(brackets) for i in range(s + 1))
    assert brackets_within(sweep_size(brackets), 10**6) == brackets
    assert brackets_within(sweep_size(brackets + 1) - 1, 10**6) == brackets
