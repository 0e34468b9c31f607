"""Experiments: several models on the same data and seeds, compared."""

from tf_recdenoiser.experiments.comparison import Comparison, closed_gap, compare
from tf_recdenoiser.experiments.declared import EXPERIMENTS
from tf_recdenoiser.experiments.engine import (
    Subject,
    Task,
    results_of,
    run_directory,
    run_tasks,
    tasks_of,
)
from tf_recdenoiser.experiments.experiment import QUICK, Curve, Experiment, Gains, Plot, Values
from tf_recdenoiser.experiments.measurement import Measure, Measurement
from tf_recdenoiser.experiments.paired import run_paired
from tf_recdenoiser.experiments.results import Line, Results, Row
from tf_recdenoiser.experiments.trials import PLAIN, Method, Trial, chosen, crossed, of_methods

__all__ = [
    "EXPERIMENTS",
    "PLAIN",
    "QUICK",
    "Comparison",
    "Curve",
    "Experiment",
    "Gains",
    "Line",
    "Measure",
    "Measurement",
    "Method",
    "Plot",
    "Results",
    "Row",
    "Subject",
    "Task",
    "Trial",
    "Values",
    "chosen",
    "closed_gap",
    "compare",
    "crossed",
    "of_methods",
    "results_of",
    "run_directory",
    "run_paired",
    "run_tasks",
    "tasks_of",
]
