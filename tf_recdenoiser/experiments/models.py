"""The models of the paper's tables: its baselines, and its backbones with the denoiser."""

from __future__ import annotations

from collections.abc import Mapping

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.paired import PLAIN, Changes
from tf_recdenoiser.runs import Settings
from tf_recdenoiser.runs.settings import DENOISER

_PLAIN_MODEL: str = Settings().model.name

MODELS: Mapping[str, Changes] = {
    PLAIN: {"model": _PLAIN_MODEL},
    **{name: {"model": name} for name in reversed(BACKBONES) if name != _PLAIN_MODEL},
    **{
        f"denoised {name}": {"model": name, **DENOISER}
        for name, kind in BACKBONES.items()
        if kind.gated
    },
}
"""What is trained, by name: the settings that may differ from a comparison's base."""


def fitting_models(dataset: Dataset) -> list[str]:
    """The names of the models that read nothing which the data lack."""
    return [
        name
        for name, changes in MODELS.items()
        if dataset.times is not None or "times" not in BACKBONES[changes["model"]].extra_inputs
    ]
