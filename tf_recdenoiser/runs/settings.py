"""All that decides a run: what is read, what is built, how it is trained."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_recdenoiser.backbones import (
    SSEPT,
    BERT4Rec,
    Caser,
    GRU4Rec,
    SASRec,
    TiSASRec,
)
from tf_recdenoiser.backbones.base import default
from tf_recdenoiser.layers import DroppingGates, Gates
from tf_recdenoiser.noise import (
    CORRECTIONS,
    DETECTORS,
    Cleaning,
    Correction,
    NoiseModel,
    Treatment,
    inject_noise,
)
from tf_recdenoiser.training import (
    DEFAULT_OBJECTIVE,
    GATE_LEARNING_RATE,
    GateTraining,
    GeneralizedBinaryCrossEntropy,
    fix_gates,
)

FINDERS = ("none", *DETECTORS, "oracle")
NO_GATES = "none"
NOISE_OPTIONS = ("correction", "least_weight", "clean_above", "clean_newest_above")
"""Settings that say what is done about noise where it is looked for."""
DENOISER: dict[str, Any] = {"gates": "positional", "gamma": 1e-4}
"""The paper's denoiser."""
NO_DENOISER: dict[str, Any] = {"gates": NO_GATES, "gamma": 0.0}
"""The same settings without it."""
EDGES_PER_ENTRY = 100
"""How much less a edge in use costs than an entry of the gates' matrix, if no price is given: in
a batch an entry is a edge of every sequence that is long enough."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of one training run.

    Attributes
    ----------
    data
        Path of an interaction log, or `synthetic`, optionally with options as in
        `synthetic:users=500,noise=0.3`.
    format, on_bad_row, user_column, item_column, time_column, rating_column, k_core
        How the log is read; see `data.read_log` and `data.prepare`.
    backbone, max_length, hidden_dim, num_layers, num_heads, dropout, norm, attention
        The sequence encoder. What a backbone does not take, of this and of what follows down to
        `vertical_filters`, must be left at its default.
    user_dim, user_swap, item_swap, target_swap
        See `backbones.SSEPT`.
    mask_share, last_share
        See `backbones.BERT4Rec`.
    max_interval
        See `backbones.TiSASRec`.
    gru_units, num_gru_layers
        See `backbones.GRU4Rec`.
    recent, horizontal_filters, vertical_filters
        See `backbones.Caser`.
    gates, initial_keep, beta, penalty, inference, target_density
        The gates, "none" (default) for none; see `layers.Gates`. `penalty` None (default): the
        one that gates of this kind usually have. `beta` None (default): the backbone's
        `default_beta`, a hundredth of it with `penalty` "edges", or 0 for gates that usually have
        no price; it counts only where `target_density` is None.
    gates_from, shuffle_gates
        A run whose gates are taken over and stay as they are; None (default): gates are trained.
        Whether to shuffle them; see `fix_gates`.
    drop_rate
        Of gates that only drop at random; see `layers.DroppingGates`.
    gamma, jacobian_batch_size
        The Jacobian penalty; see `layers.JacobianRegularizedBlock`.
    estimator, credit, estimator_batch_size, gate_learning_rate, gate_delay
        How the gates are trained; see `GateTraining.compile`. `estimator` None: what suits
        the kind of gates, or else that method's default. `credit` None: on where the backbone
        is causal. In the first `gate_delay` epochs the gates' rate is 0, so that no price closes
        them before attention has learned what they are good for.
    windows
        What of a user an epoch trains on: the newest n items or a random window; see
        `data.TrainingBatches`.
    objective, negatives, share_negatives, calibration
        What is minimised; see `training.OBJECTIVES`. `negatives`, `share_negatives` None: as
        the objective has them by default.
    l2, learning_rate, batch_size
        How the weights are trained.
    injection_rate, injection_distribution, injection_places, injection_seed
        Noise planted in the log before it is used, to see how much of it is found and mended;
        see `noise.inject_noise`. A rate of 0: none.
    detect
        How noise is found: None (default) by "context" if enough users have items to learn
        from, else not at all; "none"; by one of `noise.DETECTORS`; "oracle" by knowing where it
        was planted.
    noise_distribution
        The law of the noise that the detector looks for.
    correction, least_weight
        What is done in training about the noise found, one of `noise.CORRECTIONS`; what a target
        weighs at the least.
    clean_above, clean_newest_above
        What is left out of the histories that recommendations start from; see
        `noise.Cleaning`.
    epochs, patience, validate_every
        At most so many epochs; fewer if validation NDCG@10 (`full`) has not risen for
        `patience` epochs (0: never stop early). Validation happens every so many epochs.
    seed
        Of everything random.
    """

    data: str
    format: str | None = None
    on_bad_row: str = "error"
    user_column: str | None = None
    item_column: str | None = None
    time_column: str | None = None
    rating_column: str | None = None
    k_core: int = 0
    backbone: str = "sasrec"
    max_length: int = default(SASRec, "max_length")
    hidden_dim: int = default(SASRec, "hidden_dim")
    num_layers: int = default(SASRec, "num_layers")
    num_heads: int = default(SASRec, "num_heads")
    dropout: float = default(SASRec, "dropout")
    norm: str = default(SASRec, "norm")
    attention: str = default(SASRec, "attention")
    user_dim: int = default(SSEPT, "user_dim")
    user_swap: float = default(SSEPT, "user_swap")
    item_swap: float = default(SSEPT, "item_swap")
    target_swap: float = default(SSEPT, "target_swap")
    mask_share: float = default(BERT4Rec, "mask_share")
    last_share: float = default(BERT4Rec, "last_share")
    max_interval: int = default(TiSASRec, "max_interval")
    gru_units: int = default(GRU4Rec, "gru_units")
    num_gru_layers: int = default(GRU4Rec, "num_gru_layers")
    recent: int = default(Caser, "recent")
    horizontal_filters: int = default(Caser, "horizontal_filters")
    vertical_filters: int = default(Caser, "vertical_filters")
    gates: str = NO_GATES
    initial_keep: float = default(Gates, "initial_keep")
    beta: float | None = None
    penalty: str | None = default(Gates, "penalty")
    inference: str = default(Gates, "inference")
    target_density: float | None = default(Gates, "target_density")
    gates_from: str | None = None
    shuffle_gates: bool = default(fix_gates, "shuffled")
    drop_rate: float = default(DroppingGates, "rate")
    gamma: float = 0.0
    jacobian_batch_size: int | None = 16
    estimator: str | None = None
    credit: bool | None = None
    estimator_batch_size: int | None = None
    gate_learning_rate: float = GATE_LEARNING_RATE
    gate_delay: int = 0
    windows: str = "random"
    objective: str = DEFAULT_OBJECTIVE
    negatives: int | None = None
    share_negatives: bool | None = None
    calibration: float = default(GeneralizedBinaryCrossEntropy, "calibration")
    l2: float = default(GateTraining.compile, "l2")
    learning_rate: float = 1e-3
    batch_size: int = 128
    injection_rate: float = 0.0
    injection_distribution: str = default(inject_noise, "distribution")
    injection_places: str = default(inject_noise, "places")
    injection_seed: int = default(inject_noise, "seed")
    detect: str | None = None
    noise_distribution: str = default(NoiseModel.cross_fit, "distribution")
    correction: str = "sequence"
    least_weight: float = default(Correction.target_weights, "least")
    clean_above: float = default(Cleaning, "above")
    clean_newest_above: float = default(Cleaning, "newest_above")
    epochs: int = 200
    patience: int = 50
    validate_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("max_length", "epochs", "batch_size", "validate_every"):
            self._require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("patience", "seed", "k_core", "gate_delay"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        self._require("injection_rate", 0 <= self.injection_rate < 1, "at least 0 and below 1")
        self._require("detect", self.detect in (None, *FINDERS), f"one of {', '.join(FINDERS)}")
        self._require(
            "correction", self.correction in CORRECTIONS, f"one of {', '.join(CORRECTIONS)}"
        )
        self._require("least_weight", 0 <= self.least_weight <= 1, "in [0, 1]")
        for name in ("clean_above", "clean_newest_above"):
            self._require(name, getattr(self, name) >= 0, "at least 0")
        for name in ("learning_rate", "gate_learning_rate"):
            self._require(name, getattr(self, name) > 0, "above 0")

    def _require(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            raise ValueError(f"`{name}` must be {rule}. Received: {name}={getattr(self, name)}")

    @property
    def looks_for_noise(self) -> bool:
        """Whether noise is to be found in the log before training."""
        return self.detect in DETECTORS

    @property
    def soften(self) -> str | None:
        """Where the backbone softens items; see `backbones.SASRec`."""
        return None if self.detect == "none" else CORRECTIONS[self.correction].softens

    @property
    def cleaning(self) -> Treatment:
        """What becomes of the histories that recommendations start from."""
        cleaning = Cleaning(self.clean_above, self.clean_newest_above)
        return (
            cleaning if self.detect == "none" else CORRECTIONS[self.correction].treatment(cleaning)
        )

    def plain(self) -> Settings:
        """The same run without the denoiser: no gates, no Jacobian penalty, no noise looked for."""
        unset = ("gates_from", "shuffle_gates", *NOISE_OPTIONS)
        defaults: dict[str, Any] = {name: getattr(Settings, name) for name in unset}
        return dataclasses.replace(self, **NO_DENOISER, **defaults, detect="none")

    def differences(self, other: Settings) -> dict[str, tuple[Any, Any]]:
        """What differs, as name: (here, there)."""
        here, there = dataclasses.asdict(self), dataclasses.asdict(other)
        return {name: (here[name], there[name]) for name in here if here[name] != there[name]}
