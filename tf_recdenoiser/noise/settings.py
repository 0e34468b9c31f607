"""The settings of all that is done about noise."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from tf_recdenoiser._settings import Section, at_least, choice, default, one_of
from tf_recdenoiser.noise.corrections import CORRECTIONS, Correction
from tf_recdenoiser.noise.detectors import DETECTORS, NoiseModel
from tf_recdenoiser.noise.injection import NOISE_DISTRIBUTIONS, PLACES, inject_noise

NO_DETECTOR = "none"
ORACLE = "oracle"


@dataclasses.dataclass(frozen=True)
class InjectionSettings(Section):
    """Noise put into the log, to see how much of it is found and corrected; see `inject_noise`."""

    rules: ClassVar = {
        "rate": ("at least 0 and below 1", lambda rate: 0 <= rate < 1),
        "distribution": one_of(NOISE_DISTRIBUTIONS),
        "places": one_of(PLACES),
        "seed": at_least(0),
    }

    rate: float = 0.0
    distribution: str = default(inject_noise, "distribution")
    places: str = default(inject_noise, "places")
    seed: int = default(inject_noise, "seed")


@dataclasses.dataclass(frozen=True)
class NoiseSettings(Section):
    """How noise is found, and what is done about it.

    Attributes
    ----------
    detector
        None (default): "feedback" if the log says of enough items that users disliked or liked
        them, else "context" if enough users have items to learn from, else "none"; one of
        `DETECTORS`; "oracle", which knows where noise was injected.
    distribution
        Of the noise that the detector looks for, unless it learns from feedback.
    correction
        One of `CORRECTIONS`.
    feedback
        Whether what the log says of dislikes is made use of, if it says something.
    injection
        Noise put into the log before it is used.
    """

    rules: ClassVar = {"distribution": one_of(NOISE_DISTRIBUTIONS)}

    detector: Any = choice(
        {NO_DETECTOR: None, **DETECTORS, ORACLE: None},
        None,
        without=("item_count", "max_length", "hidden_dim"),
    )
    distribution: str = default(NoiseModel.cross_fit, "distribution")
    correction: Any = choice(CORRECTIONS, "sequence")
    feedback: bool = True
    injection: InjectionSettings = InjectionSettings()

    @property
    def corrects(self) -> Correction:
        """What is done about noise."""
        correction: Correction = self.correction.make()
        return correction
