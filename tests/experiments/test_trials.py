"""What is trained: trials, their baselines, and those that a person asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.experiments import EXPERIMENTS, Experiment, Trial, chosen, crossed
from tf_recdenoiser.experiments.trials import baseline_of, changes_of, together
from tf_recdenoiser.runs import RunError, Settings, resolve

OUT = Path("nowhere")


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_trials_of_an_experiment_have_names_of_their_own_and_baselines(
    experiment: Experiment,
) -> None:
    names = [trial.name for trial in experiment.trials]
    assert len(set(names)) == len(names)
    for trial in experiment.trials:
        baseline = baseline_of(trial, experiment.trials)
        assert (baseline is None) == (trial.baseline is None)
        # What a trial is made from, or compared with, is trained before.
        needed = [one for one in experiment.trials if one.method in trial.needs]
        assert len(needed) >= len(trial.needs)
        at = experiment.trials.index(trial)
        assert all(experiment.trials.index(one) < at for one in needed)
    assert any(trial.quick for trial in experiment.trials)
    assert set(experiment.claims) <= set(experiment.methods)


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_settings_of_every_trial_are_settings(experiment: Experiment) -> None:
    base = Settings.of("log.txt", experiment.base)
    for trial in experiment.trials:
        if trial.needs:
            continue  # made from a run that is there
        resolve(base.replace(changes_of(trial.changes, OUT, 0)))


def test_every_backbone_is_in_table_2_and_those_with_attention_are_denoised_too() -> None:
    trials = EXPERIMENTS["table2"].trials
    base = Settings.of("log.txt")
    models = {
        trial.method: base.replace(changes_of(trial.changes, OUT, 0)).model.name for trial in trials
    }
    assert set(models.values()) == set(BACKBONES)
    for ending in (" + denoiser", " (ours) + denoiser", " (ours)"):
        with_it = {models[name] for name in models if name == f"{models[name]}{ending}"}
        assert with_it == {name for name, kind in BACKBONES.items() if kind.gated}


def test_the_paper_is_as_it_prints() -> None:
    """Its Figures 2 to 4: shares of noise, lengths, and weights, one at 0.01."""
    trials = EXPERIMENTS["noise"].trials
    assert {trial.factors["noise"] for trial in trials} == {0, 0.05, 0.1, 0.15, 0.2, 0.25}
    lengths = {trial.factors["n"] for trial in EXPERIMENTS["length"].trials}
    assert (min(lengths), max(lengths)) == (20, 80)
    base = Settings.of("log.txt")
    for trial in EXPERIMENTS["regularizers"].trials[1:]:
        settings = base.replace(changes_of(trial.changes, OUT, 0))
        weights = {"β": settings.gates.beta, "γ": settings.model.gamma}
        assert weights[trial.method] == trial.factors["weight"]
        assert weights[{"β": "γ", "γ": "β"}[trial.method]] == 0.01


def test_every_repeat_has_noise_of_its_own() -> None:
    trial = EXPERIMENTS["noise"].trials[-1]
    assert [changes_of(trial.changes, OUT, seed)["noise.injection.seed"] for seed in (3, 4)] == [
        3,
        4,
    ]


def test_levels_are_crossed_with_trials_and_may_depend_on_the_seed() -> None:
    trials = crossed(
        [Trial("a", {"seed": 1}, quick=False), Trial("b", {})],
        "x",
        {1: {"fit.epochs": 1}, 2: lambda out, seed: {"fit.epochs": seed}},
        quick=[2],
    )
    assert [trial.name for trial in trials] == ["a, x 1", "b, x 1", "a, x 2", "b, x 2"]
    assert [trial.quick for trial in trials] == [False, False, False, True]
    assert changes_of(trials[0].changes, OUT, 7) == {"seed": 1, "fit.epochs": 1}
    assert changes_of(trials[2].changes, OUT, 7) == {"seed": 1, "fit.epochs": 7}
    assert together({"a": 1, "b": 2}, {"b": 3}) == {"a": 1, "b": 3}


def test_a_baseline_is_that_at_the_same_factors_or_else_the_one_without() -> None:
    plain, gated = Trial("plain", {}, baseline=None), Trial("gated", {})
    at_both = crossed([plain, gated], "x", {1: {}, 2: {}})
    assert baseline_of(at_both[3], at_both) is at_both[2]
    alone = (plain, *crossed([gated], "x", {1: {}}))
    assert baseline_of(alone[1], alone) is plain
    assert baseline_of(plain, alone) is None


def test_what_is_asked_for_comes_with_what_it_leans_on() -> None:
    trials = EXPERIMENTS["ablation"].trials
    found = chosen(trials, ["shuffled", "estimator arm gates.beta=0.2"])
    assert [trial.method for trial in found] == [
        *("plain", "positional", "shuffled", "estimator arm gates.beta=0.2"),
    ]
    assert found[-1].changes == {
        "gates": "positional",
        "gates.estimator": "arm",
        "gates.beta": 0.2,
    }
    with pytest.raises(RunError, match=r"A method must be one of plain, .*Received: 'magic'"):
        chosen(trials, ["magic"])


def test_a_setting_of_a_method_may_have_options_of_its_own() -> None:
    text = "plain model.attention=sliding_window model.attention.width=4 gates=item"
    (trial,) = chosen([Trial("plain", {}, baseline=None)], [text])
    assert trial.method == text
    assert trial.changes == {
        "model.attention": "sliding_window",
        "model.attention.width": 4,
        "gates": "item",
    }
