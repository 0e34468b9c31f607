"""From settings to a compiled model."""

from __future__ import annotations

import dataclasses
import inspect
import math
from typing import Any

import numpy as np

from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones import BACKBONES, Backbone
from tf_recdenoiser.backbones.base import default
from tf_recdenoiser.data import DataError, Dataset, Histories, TrainingBatches
from tf_recdenoiser.layers import DROPPING, GATES, DroppingGates, Gates
from tf_recdenoiser.noise import CORRECTIONS
from tf_recdenoiser.runs.settings import (
    EDGES_PER_ENTRY,
    NO_DENOISER,
    NO_GATES,
    NOISE_OPTIONS,
    Settings,
)
from tf_recdenoiser.training import (
    OBJECTIVES,
    GateTraining,
    NoiseAwareObjective,
    Objective,
    Recommender,
)


def _named(table: dict[str, Any], name: str, argument: str) -> Any:
    if name not in table:
        raise ValueError(
            f"`{argument}` must be one of {', '.join(table)}. Received: {argument}={name!r}"
        )
    return table[name]


def _made(table: dict[str, Any], argument: str, settings: Settings, **given: Any) -> Any:
    """What the setting `argument` names in `table`, made with what its constructor takes.

    That is what it has parameters for: of `given`, and of the other settings. Where one of these
    is None, the constructor's own default holds. A setting that only others in the table take must
    be left at its default.
    """
    name = getattr(settings, argument)
    kind = _named(table, name, argument)
    defaults = {field.name: field.default for field in dataclasses.fields(Settings)}
    takes = {
        one: defaults.keys() & inspect.signature(table[one]).parameters.keys() - given.keys()
        for one in table
    }
    for option in sorted(set().union(*takes.values()) - takes[name]):
        if (value := getattr(settings, option)) != defaults[option]:
            takers = ", ".join(one for one in table if option in takes[one])
            raise ValueError(
                f"`{option}` has no effect with {argument}={name!r}: leave it out, or choose "
                f"from {takers}. Received: {option}={value!r}"
            )
    options = {option: getattr(settings, option) for option in takes[name]}
    parameters = inspect.signature(kind).parameters
    return kind(
        **{option: value for option, value in given.items() if option in parameters},
        **{option: value for option, value in options.items() if value is not None},
    )


def backbone_class(settings: Settings) -> type[Backbone]:
    """The backbone that the settings name."""
    kind: type[Backbone] = _named(BACKBONES, settings.backbone, "backbone")
    return kind


def resolved(settings: Settings) -> Settings:
    """The settings with what they leave open of the gates: their price, and how they train.

    ValueError if they ask for a denoiser where the backbone has no attention, or about noise for
    what it cannot do or what has no effect.
    """
    _check_noise_settings(settings)
    kind = backbone_class(settings)
    for name, absent in NO_DENOISER.items():
        value = getattr(settings, name)
        if value != absent and not kind.gated:
            raise ValueError(
                f"`{name}` must be left out with backbone={settings.backbone!r}, which has no "
                f"attention to gate. Received: {name}={value!r}"
            )
    gate_kind = GATES.get(settings.gates, Gates)
    penalty = gate_kind.default_penalty if settings.penalty is None else settings.penalty
    chosen: dict[str, Any] = {"penalty": penalty}
    if settings.beta is None:
        price = kind.default_beta / (EDGES_PER_ENTRY if penalty == "edges" else 1)
        chosen["beta"] = price if gate_kind.sparse_by_default else 0.0
    if settings.estimator is None:
        chosen["estimator"] = gate_kind.default_estimator or default(
            GateTraining.compile, "estimator"
        )
    return dataclasses.replace(settings, **chosen)


def _check_noise_settings(settings: Settings) -> None:
    """ValueError if the backbone cannot do what is asked about noise, or it has no effect."""
    softening = [
        name for name, kind in BACKBONES.items() if "soften" in inspect.signature(kind).parameters
    ]
    if settings.soften is not None and settings.backbone not in softening:
        raise ValueError(
            f"`correction={settings.soften!r}` must go with one of the backbones "
            f"{', '.join(softening)}, which soften items. Received: backbone={settings.backbone!r}"
        )
    telling = [name for name, kind in BACKBONES.items() if kind.causal and not kind.extra_inputs]
    if settings.detect == "surprisal" and settings.backbone not in telling:
        raise ValueError(
            f"`detect='surprisal'` must go with one of the backbones {', '.join(telling)}, which "
            "tell an item from the items before it and from nothing else. "
            f"Received: backbone={settings.backbone!r}"
        )
    for option, beside in _idle_noise_options(settings).items():
        if (value := getattr(settings, option)) != getattr(Settings, option):
            raise ValueError(
                f"`{option}` has no effect with {beside}: leave it out, or choose otherwise. "
                f"Received: {option}={value!r}"
            )


def _idle_noise_options(settings: Settings) -> dict[str, str]:
    """The options about noise that have no effect, and beside what."""
    if settings.detect == "none":
        return dict.fromkeys(NOISE_OPTIONS, "detect='none'")
    cleaning = ("clean_above", "clean_newest_above") if settings.soften is not None else ()
    weighing = () if CORRECTIONS[settings.correction].weighs_targets else ("least_weight",)
    return dict.fromkeys((*cleaning, *weighing), f"correction={settings.correction!r}")


_OF_GATES = (
    *("beta", "penalty", "initial_keep", "inference", "target_density", "gates_from"),
    *("estimator", "credit", "estimator_batch_size", "gate_learning_rate", "gate_delay"),
)


def idle_settings(settings: Settings) -> dict[str, str]:
    """Settings that have no effect, by name, and beside what others.

    Those that `build_recommender` and `train` refuse by themselves are left out.
    """
    settings = resolved(settings)
    idle = {}
    if settings.gates not in GATES:
        idle.update(dict.fromkeys(_OF_GATES, f"gates={settings.gates!r}"))
    elif settings.target_density is not None:
        idle["beta"] = f"target_density={settings.target_density}"
    if settings.gates not in DROPPING:
        idle["drop_rate"] = f"gates={settings.gates!r}"
    if settings.gamma == 0:
        idle["jacobian_batch_size"] = "gamma=0"
    if settings.injection_rate == 0:
        of_plants = ("injection_distribution", "injection_places", "injection_seed")
        idle.update(dict.fromkeys(of_plants, "injection_rate=0"))
    if settings.detect == "none":
        idle["noise_distribution"] = "detect='none'"
    return idle


def check_data(settings: Settings, dataset: Dataset) -> None:
    """Raise DataError if the data lack what the backbone reads."""
    kind = backbone_class(settings)
    if "times" in kind.extra_inputs and dataset.times is None:
        raise DataError(
            f"{kind.__name__} needs times: the log must say when each item was met. Give the name "
            "of its time column with --time-column, or choose another backbone. "
            f"Received: {settings.data}, which has none"
        )


def build_gates(settings: Settings) -> Gates | DroppingGates | None:
    """The prototype of the gate layers, or None."""
    if settings.shuffle_gates and settings.gates_from is None:
        raise ValueError(
            "`shuffle_gates` must go with `gates_from`, a run whose gates to shuffle. "
            "Received: gates_from=None"
        )
    settings = resolved(settings)
    kind = _named({NO_GATES: None, **GATES, **DROPPING}, settings.gates, "gates")
    if kind is None:
        return None
    if settings.gates in DROPPING:
        return DROPPING[settings.gates](rate=settings.drop_rate)
    gates: Gates = kind(
        beta=settings.beta if settings.target_density is None else 0.0,
        penalty=settings.penalty,
        initial_keep=settings.initial_keep,
        inference=settings.inference,
        target_density=settings.target_density,
        trainable=settings.gates_from is None,
    )
    return gates


def build_objective(settings: Settings, noise_rate: float = 0.0) -> Objective:
    """The objective of these settings, which takes the share `noise_rate` of targets for noise."""
    kind = _named(OBJECTIVES, settings.objective, "objective")
    able = [name for name, one in OBJECTIVES.items() if issubclass(one, NoiseAwareObjective)]
    if CORRECTIONS[settings.correction].mixes_noise and not issubclass(kind, NoiseAwareObjective):
        raise ValueError(
            f"`correction={settings.correction!r}` must go with one of the objectives "
            f"{', '.join(able)}, whose scores say how probable items are. "
            f"Received: objective={settings.objective!r}"
        )
    objective: Objective = _made(OBJECTIVES, "objective", settings, noise_rate=noise_rate)
    return objective


def build_batches(
    settings: Settings,
    train: Histories,
    item_count: int,
    backbone: Backbone,
    noise: np.ndarray | None = None,
) -> TrainingBatches:
    """The batches by which the settings train a backbone.

    Parameters
    ----------
    settings
        Of the run.
    train
        The users' training sequences.
    item_count
        Number of items.
    backbone
        What reads the batches.
    noise
        The probability of noise of each item of `train`; None (default) for none.
    """
    objective = build_objective(settings)
    correction = CORRECTIONS[settings.correction]
    known: dict[str, Any] = {}
    if noise is not None:
        known = {
            "target_weights": correction.target_weights(noise, settings.least_weight),
            "left_out": noise if correction.leaves_items_out else None,
            "clean_probability": 1.0 - noise,
        }
    return TrainingBatches(
        train,
        item_count,
        settings.max_length,
        settings.batch_size,
        objective.negatives,
        settings.seed,
        settings.windows,
        extra_inputs=backbone.extra_inputs,
        task=backbone.task,
        share_negatives=objective.share_negatives,
        **known,
    )


def build_recommender(
    settings: Settings, item_count: int, user_count: int = 0, noise_rate: float = 0.0
) -> Recommender:
    """The untrained, compiled recommender of these settings.

    Parameters
    ----------
    settings
        Of the run.
    item_count
        Number of items.
    user_count
        Of users of whom something can be learned; needed if the backbone knows users, or for
        `gate_delay`; 0 by default.
    noise_rate
        See `build_objective`; 0 by default.
    """
    settings = resolved(settings)
    backbone = _made(
        BACKBONES,
        "backbone",
        settings,
        item_count=item_count,
        user_count=user_count,
        gates=build_gates(settings),
        gamma=settings.gamma,
        soften=settings.soften,
    )
    recommender = Recommender(backbone, build_objective(settings, noise_rate))
    recommender.compile(
        keras.optimizers.Adam(settings.learning_rate, beta_2=0.98),
        gate_optimizer=keras.optimizers.Adam(_gate_learning_rate(settings, user_count)),
        estimator=settings.estimator,
        credit=backbone.causal if settings.credit is None else settings.credit,
        estimator_batch_size=settings.estimator_batch_size,
        l2=settings.l2,
        seed=settings.seed,
    )
    # Else the first train step makes the optimizers' variables, and has to be traced twice.
    recommender.build_optimizers()
    return recommender


def _gate_learning_rate(settings: Settings, user_count: int) -> Any:
    """Of the gates' Adam: a number, or a schedule that is 0 in the epochs of `gate_delay`."""
    if settings.gate_delay == 0 or settings.gates not in GATES:
        return settings.gate_learning_rate
    if user_count < 1:
        raise ValueError(
            "`user_count` must be given with `gate_delay`, whose epochs have as many steps as "
            f"there are batches of users. Received: user_count={user_count}"
        )
    if settings.target_density is not None:
        raise ValueError(
            "`gate_delay` must be 0 with `target_density`, whose price would only rise while the "
            f"gates stand still. Received: gate_delay={settings.gate_delay}, "
            f"target_density={settings.target_density}"
        )
    steps = settings.gate_delay * math.ceil(user_count / settings.batch_size)
    rates = [0.0, settings.gate_learning_rate]
    return keras.optimizers.schedules.PiecewiseConstantDecay([steps - 1], rates)
