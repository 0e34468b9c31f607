"""The flags of `train`."""

from __future__ import annotations

from typing import Any

FLAGS: dict[str, tuple[Any, str]] = {
    "--user-column": ("who", "log.user_column"),
    "--item-column": ("what", "log.item_column"),
    "--time-column": ("when", "log.time_column"),
    "--rating-column": ("stars", "log.rating_column"),
    "--feedback-column": ("stars", "log.feedback_column"),
    "--disliked-below": (3, "log.disliked_below"),
    "--liked-from": (4, "log.liked_from"),
    "--columns": ("who,what,when,stars", "log.columns"),
    "--time-unit": ("ms", "log.time_unit"),
    "--repeats": ("drop", "log.repeats"),
    "--on-bad-row": ("skip", "log.on_bad_row"),
    "--backbone": ("tisasrec", "model.name"),
    "--max-length": (7, "model.max_length"),
    "--hidden-dim": (12, "model.hidden_dim"),
    "--num-layers": (3, "model.num_layers"),
    "--num-heads": (4, "model.num_heads"),
    "--dropout": (0.5, "model.dropout"),
    "--gamma": (0.25, "model.gamma"),
    "--objective": ("gbce", "objective.name"),
    "--gates": ("relative", "gates.name"),
    "--estimator": ("rloo", "gates.estimator.name"),
    "--beta": (0.125, "gates.beta"),
    "--gate-learning-rate": (0.5, "gates.learning_rate"),
    "--detector": ("context", "noise.detector.name"),
    "--correction": ("targets", "noise.correction.name"),
    "--epochs": (9, "fit.epochs"),
    "--batch-size": (16, "fit.batch_size"),
    "--learning-rate": (0.75, "fit.learning_rate"),
    "--patience": (3, "fit.patience"),
    "--targets": ("liked", "evaluation.targets"),
    "--seed": (11, "seed"),
}
"""Each flag with a value that is not its default, and the path of the setting that it is."""
