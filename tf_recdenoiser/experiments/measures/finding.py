"""How well noise is found: scores of history items by several means, against what was injected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tf_recdenoiser.data import Dataset
from tf_recdenoiser.experiments.measurement import Measurement
from tf_recdenoiser.noise import precision_at_noise, roc_auc
from tf_recdenoiser.noise.detectors.surprisal import next_item_log_ratios
from tf_recdenoiser.noise.injection import noise_frequencies
from tf_recdenoiser.noise.settings import NO_DETECTOR
from tf_recdenoiser.runs import Run, load_split
from tf_recdenoiser.runs.scoring import Inputs, evaluation_inputs
from tf_recdenoiser.training import explain

# With a whole catalogue's scores for each item: below 100 MB for 3,416 items and n = 50.
_BATCH = 128


def noise_finders(run: Run, inputs: Inputs, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of noise by each means the run has, as seen from the newest position.

    * `popularity`: the rarer an item, the more suspect;
    * `random`: numbers drawn at random, as from random gates;
    * `attention l`: the less the newest position attends to an item in layer l;
    * `surprisal`: -log p(x | items before) + log q(x), by the recommender's own score of the
      item, which its objective makes the log ratio to a uniform distribution: as it is, or minus
      the log-sum-exp of all items' scores where `log_ratios` is false of the objective. q is the
      distribution of the noise that is looked for. The first item of a row, which nothing
      precedes, scores as the median. Only for causal backbones, whose score of an item does not
      know it;
    * `item gates`, or of another kind: the less of the item they keep, if the run has any;
    * `context detector` or `surprisal detector`: what the run found noise by, if it looked.

    Parameters
    ----------
    run
        A finished run.
    inputs
        What the backbone reads of some users, `item_ids` `[B, n]` and the rest.
    counts
        How often each item occurs in training, `[item_count + 1]`.

    Returns
    -------
    `[B, n]` by name.
    """
    item_ids = inputs["item_ids"]
    attention, kept = _explained(run, inputs)
    scores = {
        "random": np.random.default_rng(0).random(item_ids.shape),
        "popularity": -counts[item_ids].astype(float),
        **{f"attention {layer + 1}": -attention[:, layer] for layer in range(attention.shape[1])},
    }
    if run.recommender.backbone.causal:
        scores["surprisal"] = _surprisal(run, inputs, counts)
    return scores | _trained(run, item_ids, kept)


def _explained(run: Run, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """The newest position's attention `[B, L, n]`, and how much of each item is kept `[B, n]`."""
    seen = [explain(run.recommender, **batch) for batch in _batches(inputs)]
    return (
        np.concatenate([one.attention_per_layer for one in seen]),
        np.concatenate([one.kept for one in seen]),
    )


def _trained(run: Run, item_ids: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """What the run's gates and its detector, as far as it has them, make of each item."""
    found = {}
    if run.recommender.gate_layers:
        found[f"{run.settings.gates.name} gates"] = 1.0 - kept
    noise = run.noise_scores(item_ids)
    if noise is not None:
        found[f"{run.settings.detector} detector"] = noise
    return found


def _batches(inputs: Inputs) -> Iterator[Inputs]:
    for at in range(0, len(inputs["item_ids"]), _BATCH):
        yield {name: values[at : at + _BATCH] for name, values in inputs.items()}


def _surprisal(run: Run, inputs: Inputs, counts: np.ndarray) -> np.ndarray:
    item_ids = inputs["item_ids"]
    before = {name: _shifted(values) for name, values in inputs.items()}
    log_ratios = np.concatenate(
        [
            next_item_log_ratios(
                run.recommender.backbone,
                run.recommender.inputs_of(**batch),
                tf.constant(its_items["item_ids"]),
                run.recommender.objective.log_ratios,
            ).numpy()
            for batch, its_items in zip(_batches(before), _batches(inputs), strict=True)
        ]
    )
    surprisal = (
        np.log(noise_frequencies(counts, run.settings.noise.distribution))[item_ids] - log_ratios
    )
    nothing_before = before["item_ids"] == 0
    surprisal[nothing_before] = np.median(surprisal[~nothing_before])
    return surprisal


def _shifted(values: np.ndarray) -> np.ndarray:
    """What is known of each position's predecessor, `[B, n]`; of a user, `[B]`, the same."""
    return np.pad(values[:, :-1], [(0, 0), (1, 0)]) if values.ndim == 2 else values


def finding(run: Run, dataset: Dataset) -> Iterator[Measurement]:
    """ROC AUC and precision of each means that a run has, on its test histories.

    Precision is the share of noise among the M highest scores, M being how much noise there is.
    Nothing where these histories hold none, or nothing else. Of a run that looks for noise or has
    gates, these are judged; of a plain run, what needs neither.
    """
    noisy, n = load_split(run.settings, dataset), run.settings.model.max_length
    is_noise = noisy.test.last(n)
    inputs = evaluation_inputs(noisy.split, "test", n, run.recommender.backbone.extra_inputs)
    is_item = inputs["item_ids"] > 0
    marks = is_noise[is_item] > 0
    if not marks.any() or marks.all():
        return
    counts = np.bincount(noisy.split.train.items, minlength=dataset.item_count + 1)
    for name, scores in _own_finders(run, inputs, counts).items():
        yield Measurement(
            {
                "ROC AUC": roc_auc(scores[is_item], marks),
                "precision": precision_at_noise(scores[is_item], marks),
            },
            {"score": name},
        )


def _own_finders(run: Run, inputs: Inputs, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Of all means of a run those that other runs do not have as well."""
    if run.settings.detector == NO_DETECTOR and not run.recommender.gate_layers:
        return noise_finders(run, inputs, counts)
    kept = _explained(run, inputs)[1] if run.recommender.gate_layers else np.empty(0)
    return _trained(run, inputs["item_ids"], kept)
