"""The settings of a run: a tree with a section for each thing that has settings."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from tf_recdenoiser import _settings
from tf_recdenoiser._settings import (
    Choice,
    Section,
    above,
    at_least,
    choice,
    default,
    one_of,
    one_of_or_none,
)
from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import WINDOWS, Targets, leave_one_out, read_log, synthetic_log
from tf_recdenoiser.layers import ATTENTIONS, DROPPING, GATES
from tf_recdenoiser.noise import DETECTORS, Cleaning, Treatment
from tf_recdenoiser.noise.settings import NO_DETECTOR, NoiseSettings
from tf_recdenoiser.ops import PATTERNS
from tf_recdenoiser.training import DEFAULT_OBJECTIVE, OBJECTIVES, OPTIMIZERS, GateTraining
from tf_recdenoiser.training.gate_settings import GateTrainingSettings

SYNTHETIC = "synthetic"
NO_GATES = "none"
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "float64")
"""Keras' dtype policies that a model may have."""
DENOISER: Mapping[str, Any] = {"gates": "positional", "model.gamma": 1e-4}
"""The paper's denoiser, as changes of settings."""


@dataclasses.dataclass(frozen=True)
class LogFileSettings(Section):
    """A file with an interaction log, and how it is prepared; see `read_log` and `prepare`.

    Attributes
    ----------
    path
        Of the log, or of the folder of a prepared data set.
    k_core
        See `prepare`.
    stream
        Whether training reads a prepared data set a shard at a time, and some users alone are
        evaluated; None (default): if it has more than `MOST_IN_MEMORY` interactions.
    """

    rules: ClassVar = {"k_core": at_least(0)}

    path: str = ""
    k_core: int = 0
    stream: bool | None = None


@dataclasses.dataclass(frozen=True)
class FitSettings(Section):
    """How the weights are trained.

    Attributes
    ----------
    windows
        What of a longer history an epoch trains on: the newest n items, or a random window.
    batch_size
        Users in a batch.
    optimizer
        Of the weights: "adam", or "lazy_adam", by which only the rows of tables move that a step
        reads, so that it takes no longer with more items; None (default): that one from
        `LAZY_FROM` items on.
    learning_rate, l2
        Of the optimizer, and its weight decay.
    epochs, patience
        At most so many epochs; fewer if validation NDCG@10 (`full`) has not risen for `patience`
        epochs (0: never stop early).
    warm_start
        A run directory, to begin with what that run learned; None (default) for a new beginning.
    precision
        One of `PRECISIONS`: "float32", or, on accelerators that are faster so, "mixed_bfloat16" or
        "mixed_float16", whose weights stay float32; None (default): Keras' policy at the time.
    """

    rules: ClassVar = {
        "windows": one_of(WINDOWS),
        "batch_size": at_least(1),
        "optimizer": one_of_or_none(OPTIMIZERS),
        "learning_rate": above(0),
        "epochs": at_least(1),
        "patience": at_least(0),
        "precision": one_of_or_none(PRECISIONS),
    }

    windows: str = "random"
    batch_size: int = 128
    optimizer: str | None = None
    learning_rate: float = 1e-3
    l2: float = default(GateTraining.compile, "l2")
    epochs: int = 200
    patience: int = 50
    warm_start: str | None = None
    precision: str | None = None


@dataclasses.dataclass(frozen=True)
class EvaluationSettings(Section):
    """How the model is judged.

    Attributes
    ----------
    targets
        Which items it is to find: users' "last" (default), or the last that they "liked"; see
        `leave_one_out`.
    validate_every
        After how many epochs it is validated while it trains; the last one always is.
    """

    rules: ClassVar = {"targets": one_of(get_args(Targets)), "validate_every": at_least(1)}

    targets: Targets = default(leave_one_out, "targets")
    validate_every: int = 1


@dataclasses.dataclass(frozen=True)
class Settings(Section):
    """All that decides a run: what is read, what is built, how it is trained.

    A section that is one of several has a `name`, and beside it what that one alone takes:
    `model.hidden_dim` is a parameter of the backbone `model.name`, so what a thing does not take
    cannot be set.

    Attributes
    ----------
    log
        A "file" or "synthetic"; see `LogFileSettings`, `read_log` and `synthetic_log`.
    model
        One of `BACKBONES`, with its parameters, the Jacobian penalty's among them.
    gates
        "none" (default), one of `GATES` or of `DROPPING`; see also `GateTrainingSettings`.
    objective
        One of `OBJECTIVES`.
    noise
        How noise is found and what is done about it.
    fit, evaluation
        How the weights are trained, and how they are judged.
    seed
        Of everything random.

    Examples
    --------
    >>> settings = Settings.of("log.csv", {"model.hidden_dim": 64, "gates": "relative"})
    >>> settings.model.hidden_dim, settings.gates.name, settings.fit.epochs
    (64, 'relative', 200)
    >>> settings.replace({"model": "gru4rec", "fit": {"epochs": 3}}).model.hidden_dim
    64
    """

    rules: ClassVar = {"seed": at_least(0)}

    log: Any = choice(
        {"file": read_log, SYNTHETIC: synthetic_log},
        "file",
        without=("path",),
        bases={"file": LogFileSettings},
    )
    model: Any = choice(
        BACKBONES,
        "sasrec",
        without=("item_count", "user_count", "soften", "name"),
        within={
            "attention": Choice(
                {name: PATTERNS.get(name) for name in ATTENTIONS}, without=("length",)
            )
        },
    )
    gates: Any = choice(
        {NO_GATES: None, **GATES, **DROPPING},
        NO_GATES,
        bases=dict.fromkeys(GATES, GateTrainingSettings),
        without=("max_length",),
    )
    objective: Any = choice(OBJECTIVES, DEFAULT_OBJECTIVE, without=("noise_rate",))
    noise: NoiseSettings = NoiseSettings()
    fit: FitSettings = FitSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: int = 0

    @classmethod
    def of(cls, log: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Settings:
        """The default settings for a log, with changes; see `replace`.

        Parameters
        ----------
        log
            The path of an interaction log, or "synthetic".
        changes
            Values by the paths of settings; None (default): no changes.
        """
        log = os.fspath(log)
        source = {"log.name": SYNTHETIC} if log == SYNTHETIC else {"log.path": log}
        return cls().replace({**source, **(changes or {})})

    def replace(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some changed, by their paths.

        A dict stands for the paths that begin with its own. A section that has a name may be given
        by that name alone; it keeps what was set before and the new one takes too.

        Raises
        ------
        SettingsError
            If there is no such setting, or a value cannot be; it says what comes nearest.
        """
        changed: Settings = _settings.replace(self, changes)
        return changed

    def document(self) -> dict[str, Any]:
        """The tree as nested dicts, as a TOML file holds it; `replace` takes them back."""
        return _settings.document(self)

    def paths(self) -> dict[str, Any]:
        """Every setting by its path."""
        return _settings.paths(self)

    def differences(self, other: Settings) -> dict[str, tuple[Any, Any]]:
        """What differs, by path: (here, there)."""
        here, there = self.paths(), other.paths()
        return {
            path: (here.get(path), there.get(path))
            for path in {**here, **there}
            if here.get(path) != there.get(path)
        }

    @property
    def source(self) -> str:
        """What the data come from, in a word: the path of the log, or "synthetic"."""
        path: str = self.log.path if self.log.name == "file" else SYNTHETIC
        return path

    @property
    def looks_for_noise(self) -> bool:
        """Whether noise is to be found in the log before training."""
        return self.detector in DETECTORS

    @property
    def detector(self) -> str | None:
        """The name of what finds noise; None where the log is to decide."""
        return None if self.noise.detector is None else self.noise.detector.name

    @property
    def soften(self) -> str | None:
        """Where the backbone softens items; see `backbones.SASRec`."""
        return None if self.detector == NO_DETECTOR else self.noise.corrects.softens

    @property
    def treatment(self) -> Treatment:
        """What becomes of the histories that recommendations start from."""
        return Cleaning() if self.detector == NO_DETECTOR else self.noise.corrects.treatment()

    def plain(self) -> Settings:
        """The same run without the denoiser: no gates, no Jacobian penalty, no noise looked for."""
        gamma = {"model.gamma": 0.0} if hasattr(self.model, "gamma") else {}
        noise = dataclasses.replace(self.noise, correction=NoiseSettings().correction)
        plain = dataclasses.replace(self, noise=noise)
        return plain.replace({"gates": NO_GATES, "noise.detector": NO_DETECTOR, **gamma})
