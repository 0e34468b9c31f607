"""The systems of the paper's tables: its baselines, and its backbones with the denoiser."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from tf_recdenoiser.backbones import BACKBONES
from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.paired import PLAIN, Changes
from tf_recdenoiser.runs import DENOISER, Settings

DENOISED = "denoised"


def _changes(backbone: str, denoised: bool) -> Changes:
    takes_dropout = "dropout" in inspect.signature(BACKBONES[backbone]).parameters
    return {
        "backbone": backbone,
        **({} if takes_dropout else {"dropout": Settings.dropout}),
        **(DENOISER if denoised else {}),
    }


SYSTEMS: Mapping[str, Changes] = {
    PLAIN: {},
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
"""What is trained, by name: the settings that differ from those of plain SASRec, `PLAIN`."""


def fitting_systems(dataset: Dataset) -> list[str]:
    """The names of the systems that read nothing which the data lack."""
    return [
        name
        for name, changes in SYSTEMS.items()
        if dataset.times is not None
        or "times" not in BACKBONES[changes.get("backbone", Settings.backbone)].extra_inputs
    ]
