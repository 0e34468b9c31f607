"""The last stage of a run: how good its best epoch is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.evaluation import PROTOCOLS
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.noise import precision_at_noise, roc_auc
from tf_recdenoiser.runs.noise_known import NoiseKnown
from tf_recdenoiser.runs.recording import best_epoch
from tf_recdenoiser.runs.scoring import Scorer
from tf_recdenoiser.training import Recommender

CUTOFFS = (1, 5, 10, 20)


def evaluate(
    recommender: Recommender,
    known: NoiseKnown,
    scorers: dict[str, Scorer],
    history: list[dict[str, Any]],
) -> dict[str, Any]:
    """The contents of `metrics.json`."""
    metrics = {
        part: {
            protocol: result.summary(ks=CUTOFFS)
            for protocol, result in scorer.results(recommender, PROTOCOLS).items()
        }
        for part, scorer in scorers.items()
    }
    return {
        **metrics,
        **gate_statistics(recommender, scorers["test"]),
        "best_epoch": best_epoch(history),
        "epochs": len(history),
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "parameters": sum(math.prod(v.shape) for v in recommender.trainable_variables),
        "seed": known.settings.seed,
        "data": dataclasses.asdict(known.dataset.fingerprint()),
        **_noise_metrics(known),
    }


def _noise_metrics(known: NoiseKnown) -> dict[str, dict[str, Any]]:
    """What was found of noise in the test histories, and how well where it is known.

    Of the items that nobody said they liked or disliked: the others need no finding.
    """
    if known.detection is None:
        return {}
    length = known.settings.model.max_length
    histories = known.noisy.split.test.histories
    item_ids, disliked = histories.last(length), histories.last_disliked(length)
    is_judged = (item_ids > 0) & np.isnan(disliked)
    is_noise = known.noisy.test.last(length)[is_judged] > 0
    detection = known.detection
    found: dict[str, Any] = {
        "detector": known.settings.detector,
        "rate": detection.scorer.rate,
        "cross_fit_roc_auc": detection.roc_auc,
    }
    if is_noise.any() and not is_noise.all():
        scores = detection.scorer(item_ids, disliked)[is_judged]
        found["roc_auc"] = roc_auc(scores, is_noise)
        found["precision"] = precision_at_noise(scores, is_noise)
    return {"noise": found}


def gate_statistics(recommender: Recommender, scorer: Scorer) -> dict[str, list[float]]:
    """Realised density and mean keep probability of each gated layer, on some histories."""
    backbone = recommender.backbone
    inputs = recommender.inputs_of(**scorer.some_inputs())
    with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
        backbone(backbone.prediction_inputs(inputs), training=False)
    records = recorder.gates.values()
    return {
        "density": [float(record.density) for record in records],
        "keep": [float(record.mean_keep) for record in records],
    }
