"""What is done about noise, one a file; a new one is a file and a line in `CORRECTIONS`."""

from tf_recdenoiser.noise.corrections.attention import AttentionSoftening
from tf_recdenoiser.noise.corrections.base import Correction
from tf_recdenoiser.noise.corrections.everywhere import SofteningEverywhere
from tf_recdenoiser.noise.corrections.histories import Cleaning, Softening, Treatment
from tf_recdenoiser.noise.corrections.input import InputSoftening
from tf_recdenoiser.noise.corrections.likelihood import NoiseLikelihood
from tf_recdenoiser.noise.corrections.mark import NoiseMarking
from tf_recdenoiser.noise.corrections.sequence import SequenceCleaning
from tf_recdenoiser.noise.corrections.targets import TargetWeighting

CORRECTIONS: dict[str, type[Correction]] = {
    "targets": TargetWeighting,
    "sequence": SequenceCleaning,
    "likelihood": NoiseLikelihood,
    "input": InputSoftening,
    "attention": AttentionSoftening,
    "everywhere": SofteningEverywhere,
    "mark": NoiseMarking,
}
"""Corrections by name."""

__all__ = [
    "CORRECTIONS",
    "Cleaning",
    "Correction",
    "Softening",
    "Treatment",
]
