"""Settings as they were decided: what they leave open is filled in, what cannot be is refused."""

from __future__ import annotations

import inspect
import os
from typing import Any

from tf_recdenoiser._keras import keras
from tf_recdenoiser._settings import SettingsError, default
from tf_recdenoiser.backbones import BACKBONES, Backbone
from tf_recdenoiser.data import DataError, Dataset
from tf_recdenoiser.data.readers import absolute_path
from tf_recdenoiser.layers import DROPPING, GATES, DroppingGates, Gates
from tf_recdenoiser.noise.detectors import DETECTORS, DensityRatioModel
from tf_recdenoiser.noise.settings import NO_DETECTOR, NoiseSettings
from tf_recdenoiser.runs.settings import NO_GATES, Settings
from tf_recdenoiser.training import OBJECTIVES, GateTraining, NoiseAwareObjective, Objective

EDGES_PER_ENTRY = 100
"""How much less an attention edge in use weighs than an entry of the gates' matrix, if no β is
given: in a batch an entry is an edge of every sequence that is long enough."""


def resolve(settings: Settings) -> Settings:
    """The settings with what they leave open decided, but for a detector that the log decides.

    Raises
    ------
    ValueError
        If a value is out of its range, or settings do not go together.
    """
    _check_noise(settings)
    if settings.gates.name != NO_GATES and not backbone_class(settings).gated:
        raise SettingsError(
            f"`gates` must be left out with model={settings.model.name!r}, which has no attention "
            f"to gate. Received: gates={settings.gates.name!r}"
        )
    if settings.log.name == "file":
        # So that the run can be evaluated from another folder.
        settings = settings.replace({"log.path": absolute_path(settings.log.path)})
    if settings.fit.warm_start is not None:
        path = os.path.abspath(settings.fit.warm_start)
        settings = settings.replace({"fit.warm_start": path})
    if settings.fit.precision is None:
        policy = keras.mixed_precision.global_policy().name
        settings = settings.replace({"fit.precision": policy})
    settings = settings.replace(_of_gates(settings))
    build_gates(settings)
    build_objective(settings)
    return settings


def _of_gates(settings: Settings) -> dict[str, Any]:
    """What the settings leave open of how gates are trained, decided."""
    if settings.gates.name not in GATES:
        return {}
    gates, kind, backbone = settings.gates, GATES[settings.gates.name], backbone_class(settings)
    penalty = kind.default_penalty if gates.penalty is None else gates.penalty
    chosen: dict[str, Any] = {"gates.penalty": penalty}
    if gates.beta is None:
        weighs = kind.sparse_by_default and gates.target_density is None
        share = EDGES_PER_ENTRY if penalty == "edges" else 1
        chosen["gates.beta"] = backbone.default_beta / share if weighs else 0.0
    if gates.estimator is None:
        chosen["gates.estimator"] = kind.default_estimator or default(
            GateTraining.compile, "estimator"
        )
    if gates.credit is None:
        chosen["gates.credit"] = backbone.causal
    return chosen


def _check_noise(settings: Settings) -> None:
    """SettingsError if the backbone cannot do what is asked about noise, or it has no effect."""
    softening = [
        name for name, kind in BACKBONES.items() if "soften" in inspect.signature(kind).parameters
    ]
    noise, model = settings.noise, settings.model.name
    if settings.soften is not None and model not in softening:
        raise SettingsError(
            f"`noise.correction={noise.correction.name!r}` must go with one of the models "
            f"{', '.join(softening)}, which soften items. Received: model={model!r}"
        )
    judging = [name for name, kind in BACKBONES.items() if kind.causal and not kind.extra_inputs]
    if settings.detector == "surprisal" and model not in judging:
        raise SettingsError(
            f"`noise.detector='surprisal'` must go with one of the models {', '.join(judging)}, "
            "which predict an item by the items before it and by nothing else. "
            f"Received: model={model!r}"
        )
    if settings.detector == NO_DETECTOR and noise.correction != NoiseSettings().correction:
        raise SettingsError(
            "`noise.correction` has no effect with noise.detector='none': leave it out, or choose "
            f"a detector. Received: noise.correction={noise.correction.name!r}"
        )


def idle_settings(settings: Settings) -> dict[str, str]:
    """Settings that have no effect, by path, and beside what; `resolve` refuses others."""
    injection = ("distribution", "places", "seed")
    idle = {}
    if getattr(settings.model, "gamma", None) == 0:
        idle["model.jacobian_batch_size"] = "model.gamma=0"
    if settings.noise.injection.rate == 0:
        paths = [f"noise.injection.{name}" for name in injection]
        idle.update(dict.fromkeys(paths, "noise.injection.rate=0"))
    if not _asks_for_drawn_noise(settings):
        idle["noise.distribution"] = f"noise.detector={settings.detector!r}"
    return idle


def _asks_for_drawn_noise(settings: Settings) -> bool:
    """Whether it matters from which distribution noise is drawn, to the detector or the objective.

    It may, where the log is to decide on the detector.
    """
    if settings.detector not in DETECTORS:
        return settings.detector != NO_DETECTOR
    draws = issubclass(DETECTORS[str(settings.detector)], DensityRatioModel)
    return draws or settings.noise.corrects.mixes_noise


def backbone_class(settings: Settings) -> type[Backbone]:
    """The backbone that the settings name."""
    return BACKBONES[settings.model.name]


def check_data(settings: Settings, dataset: Dataset) -> None:
    """Raise DataError if the data lack what the backbone reads, or say that nothing was disliked.

    The latter may be with a run to begin with: what is new may be little, and all of it liked.
    """
    kind = backbone_class(settings)
    if "times" in kind.extra_inputs and dataset.times is None:
        raise DataError(
            f"{kind.__name__} needs times: the log must say when each interaction happened. Give "
            "the name of its time column with --time-column, or choose another backbone. "
            f"Received: {settings.source}, which has none"
        )
    if dataset.disliked is not None and settings.fit.warm_start is None:
        disliked = int((dataset.disliked == 1).sum())
        if disliked in (0, len(dataset.items)):
            raise DataError(
                "Feedback must say of some interactions that they were disliked, and not of all: "
                "choose another number for --disliked-below or --disliked-above, or leave "
                f"--feedback-column out. Received: {disliked:,} of {len(dataset.items):,} disliked"
            )


def build_gates(settings: Settings) -> Gates | DroppingGates | None:
    """The prototype of the gate layers of resolved settings, or None."""
    if settings.gates.name == NO_GATES:
        return None
    gates: Gates | DroppingGates = settings.gates.make()
    if settings.gates.name in DROPPING:
        return gates
    if settings.gates.shuffle and settings.gates.source is None:
        raise SettingsError(
            "`gates.shuffle` must go with `gates.source`, a run whose gates to shuffle. "
            "Received: gates.source=None"
        )
    gates.trainable = settings.gates.source is None
    return gates


def build_objective(settings: Settings, noise_rate: float = 0.0) -> Objective:
    """The objective of these settings, which takes the share `noise_rate` of targets for noise."""
    able = [name for name, one in OBJECTIVES.items() if issubclass(one, NoiseAwareObjective)]
    if settings.noise.corrects.mixes_noise and settings.objective.name not in able:
        raise SettingsError(
            f"`noise.correction={settings.noise.correction.name!r}` must go with one of the "
            f"objectives {', '.join(able)}, whose scores say how probable items are. "
            f"Received: objective={settings.objective.name!r}"
        )
    objective: Objective = settings.objective.make(noise_rate=noise_rate)
    return objective
