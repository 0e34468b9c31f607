"""How well noise is found: scores of history items by several means, against what was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_recdenoiser.evaluation import precision_at_noise, roc_area
from tf_recdenoiser.layers import CatalogueLogProbability
from tf_recdenoiser.runs import Run, load_run, load_split
from tf_recdenoiser.training import Recommender, explain

# With a whole catalogue's scores for each item: below 100 MB for 3,416 items and n = 50.
_BATCH = 128


def noise_finders(run: Run, item_ids: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of noise by each means the run has, as seen from the newest position.

    * `popularity`: the rarer an item, the more suspect;
    * `random`: numbers drawn at random, as from random gates;
    * `attention l`: the less the newest position attends to an item in layer l;
    * `gates`: the less of the item the gates keep, if the run has any;
    * `surprisal`: -log p(x | items before) + log q(x), by the recommender's own score of the
      item, which its objective makes the log ratio to a uniform law: as it is, or minus the
      log-sum-exp of all items' scores where `log_ratios` is false of the objective. q is the law
      that noise is looked for by. The first item of a row, which nothing precedes, scores as the
      median;
    * `context`: the run's detectors, if it has any.

    Parameters
    ----------
    run
        A finished run.
    item_ids
        Histories `[B, n]`, left-padded with 0.
    counts
        How often each item occurs in training, `[item_count + 1]`.

    Returns
    -------
    `[B, n]` by name.
    """
    batches = [item_ids[at : at + _BATCH] for at in range(0, len(item_ids), _BATCH)]
    seen = [explain(run.recommender, batch) for batch in batches]
    attention = np.concatenate([one.attention_per_layer for one in seen])
    scores = {
        "random": np.random.default_rng(0).random(item_ids.shape),
        "popularity": -counts[item_ids].astype(float),
        **{f"attention {layer + 1}": -attention[:, layer] for layer in range(attention.shape[1])},
        "surprisal": _surprisal(run, item_ids, counts),
    }
    if run.recommender.gate_layers:
        scores["gates"] = 1.0 - np.concatenate([one.kept for one in seen])
    if (found := run.noise_scores(item_ids)) is not None:
        scores["context"] = found
    return scores


def _surprisal(run: Run, item_ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
    before = np.pad(item_ids[:, :-1], [(0, 0), (1, 0)])
    log_ratios = np.concatenate(
        [
            _log_ratios(
                run.recommender,
                tf.constant(before[at : at + _BATCH]),
                tf.constant(item_ids[at : at + _BATCH]),
            ).numpy()
            for at in range(0, len(item_ids), _BATCH)
        ]
    )
    share = np.maximum(counts, 1) / counts.sum() * (len(counts) - 1)
    law = run.settings.noise_law
    surprisal = -log_ratios + (np.log(share[item_ids]) if law != "uniform" else 0.0)
    surprisal[before == 0] = np.median(surprisal[before > 0])
    return surprisal


def _log_ratios(recommender: Recommender, before: tf.Tensor, item_ids: tf.Tensor) -> tf.Tensor:
    """Log p(x | items before) / q(x) of each item up to a constant, q uniform: `[B, n]`."""
    hidden = recommender.backbone({"item_ids": before}, training=False)
    table = tf.constant(recommender.item_vectors())
    if recommender.objective.log_ratios:
        return tf.reduce_sum(hidden * tf.gather(table, item_ids), axis=-1)
    return CatalogueLogProbability(dtype="float32")(hidden, table[1:], item_ids)


def find_planted(path: Path) -> dict[str, dict[str, float]]:
    """ROC area and precision of each means on the test histories of a run.

    Precision is the share of noise among the M highest scores, M being how much noise there is.
    """
    run = load_run(path)
    dataset = run.dataset()
    noisy, n = load_split(run.settings, dataset), run.settings.max_length
    item_ids = noisy.split.test.histories.last(n)
    counts = np.bincount(noisy.split.train.items, minlength=dataset.item_count + 1)
    is_item = item_ids > 0
    is_noise = noisy.test.last(n)[is_item] > 0
    return {
        name: {
            "roc_area": roc_area(scores[is_item], is_noise),
            "precision": precision_at_noise(scores[is_item], is_noise),
        }
        for name, scores in noise_finders(run, item_ids, counts).items()
    }
