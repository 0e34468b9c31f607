"""Gradient estimators for Bernoulli gates: pure functions of tensors and uniform numbers.

A new estimator is one file and one line in `ESTIMATORS`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_recdenoiser.estimators.ar import Ar
from tf_recdenoiser.estimators.arm import Arm
from tf_recdenoiser.estimators.base import Estimator, PathwiseEstimator
from tf_recdenoiser.estimators.concrete import Concrete
from tf_recdenoiser.estimators.credit import causal_credit
from tf_recdenoiser.estimators.disarm import DisArm
from tf_recdenoiser.estimators.reinforce import Reinforce
from tf_recdenoiser.estimators.rloo import Rloo
from tf_recdenoiser.estimators.straight_through import StraightThrough

ESTIMATORS: dict[str, type[Estimator]] = {
    "arm": Arm,
    "ar": Ar,
    "disarm": DisArm,
    "reinforce": Reinforce,
    "rloo": Rloo,
    "straight_through": StraightThrough,
    "concrete": Concrete,
}
"""Every estimator by name."""


def get_estimator(identifier: str | dict[str, Any] | Estimator) -> Estimator:
    """The estimator of that name, or of a `serialize_estimator` record.

    Examples
    --------
    >>> get_estimator("disarm")
    DisArm()
    >>> get_estimator({"name": "rloo", "samples": 4})
    Rloo(samples=4)
    """
    if isinstance(identifier, Estimator):
        return identifier
    options = dict(identifier) if isinstance(identifier, dict) else {"name": identifier}
    name = options.pop("name", None)
    if name not in ESTIMATORS:
        raise ValueError(
            f"`estimator` must be one of {', '.join(ESTIMATORS)}. Received: estimator={name!r}"
        )
    return ESTIMATORS[name](**options)


def serialize_estimator(estimator: Estimator) -> dict[str, Any]:
    """A record from which `get_estimator` makes `estimator` again.

    Examples
    --------
    >>> serialize_estimator(Ar())
    {'name': 'ar', 'use_baseline': True}
    """
    for name, kind in ESTIMATORS.items():
        if type(estimator) is kind:
            return {"name": name, **dataclasses.asdict(estimator)}
    raise ValueError(
        f"`estimator` must be of a class listed in ESTIMATORS. Received: {estimator!r}"
    )


__all__ = [
    "ESTIMATORS",
    "Ar",
    "Arm",
    "Concrete",
    "DisArm",
    "Estimator",
    "PathwiseEstimator",
    "Reinforce",
    "Rloo",
    "StraightThrough",
    "causal_credit",
    "get_estimator",
    "serialize_estimator",
]
