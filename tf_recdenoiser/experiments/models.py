"""The models of the paper's tables: its baselines, and its backbones with the denoiser."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.paired import PLAIN, Changes
from tf_recdenoiser.runs import DENOISER, NO_DENOISER, Settings

DENOISED = "denoised"


_PARAMETERS = {name: {*inspect.signature(kind).parameters} for name, kind in BACKBONES.items()}
_OPTIONS = set().union(*_PARAMETERS.values()) & Settings.__dataclass_fields__.keys()


def _changes(backbone: str, denoised: bool) -> Changes:
    foreign = _OPTIONS - _PARAMETERS[backbone] - NO_DENOISER.keys()
    return {
        "backbone": backbone,
        # What is said of other backbones would be refused.
        **{option: getattr(Settings, option) for option in sorted(foreign)},
        **(DENOISER if denoised else {}),
    }


MODELS: Mapping[str, Changes] = {
    PLAIN: _changes(Settings.backbone, denoised=False),
    **{
        name: _changes(name, denoised=False)
        for name in reversed(BACKBONES)
        if name != Settings.backbone
    },
    **{
        f"{DENOISED} {name}": _changes(name, denoised=True)
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
        if dataset.times is not None
        or "times" not in BACKBONES[changes.get("backbone", Settings.backbone)].extra_inputs
    ]
