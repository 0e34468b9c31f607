"""What an experiment is: what varies, what is measured, what is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tf_recdenoiser.experiments.measurement import Measure
from tf_recdenoiser.experiments.measures.ranking import ranking
from tf_recdenoiser.experiments.trials import Changes, Trial

METRICS = ("full ndcg@10", "full hit@10", "paper ndcg@10", "paper hit@10")


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line for each method: a metric over a factor, with a band of a standard deviation.

    Attributes
    ----------
    x
        The factor.
    metrics
        A picture for each.
    log
        Whether equal ratios of the factor are equally far apart; false by default.
    by
        What there is a line for; "method" by default.
    """

    x: str
    metrics: tuple[str, ...] = METRICS
    log: bool = False
    by: str = "method"


@dataclasses.dataclass(frozen=True)
class Gains:
    """A dot for each method: by how many percent its metric is above its baseline's.

    Attributes
    ----------
    metrics
        A picture for each.
    """

    metrics: tuple[str, ...] = METRICS


@dataclasses.dataclass(frozen=True)
class Values:
    """A dot for each line: a metric, with a line of a standard deviation over seeds.

    Attributes
    ----------
    metrics
        A picture for each.
    log
        Whether equal ratios are equally far apart; false by default.
    """

    metrics: tuple[str, ...]
    log: bool = False


Plot = Curve | Gains | Values


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Several models on the same data and seeds: what varies, what is measured, what is drawn.

    Attributes
    ----------
    title
        What it is about, as a heading.
    about
        What it asks and how its figures are read: paragraphs of plain English.
    trials
        What is trained, in this order.
    base
        What settings all have alike, where a command line says nothing else.
    measures
        What is measured of each run.
    plots
        What is drawn of each data set.
    seeds
        The trainings of each trial; five by default.
    claims
        What the paper reports as the gain of a method over its baseline, in percent by metric;
        nothing by default.
    """

    title: str
    about: str
    trials: tuple[Trial, ...]
    base: Changes = dataclasses.field(default_factory=dict)
    measures: tuple[Measure, ...] = (ranking,)
    plots: tuple[Plot, ...] = (Gains(),)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    claims: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of its methods."""
        return tuple(dict.fromkeys(trial.method for trial in self.trials))


QUICK: Mapping[str, Any] = {"fit.epochs": 10, "evaluation.validate_every": 5}
"""What a quick run changes; it has one seed."""
