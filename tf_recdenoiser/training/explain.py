"""What a recommender kept of each history when it recommended."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.training.recommender import Recommender


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How the newest position, the one that recommends, saw each item of a history.

    Layers are the attention layers, first to last. Padding has 0 everywhere, and so have the
    oldest items of a history that is longer than what the backbone reads of it. What is pruned
    adds nothing to the newest position in that layer; it still takes its share of the softmax,
    whose rows are not renormalised. What a sparse kind of attention leaves out by itself has an
    attention of 0, but only gates prune.

    Attributes
    ----------
    kept
        `[B, n]` float32 in [0, 1]: `kept_per_layer` averaged over the layers with gates; 1 for
        each item if there are none.
    kept_per_layer
        `[B, layers, n]` float32 in [0, 1]: the gate on the edge from the newest position to
        this one at inference, averaged over heads: 0 where it is pruned. 1 in a layer without
        gates.
    attention_per_layer
        `[B, layers, n]` float32 in [0, 1]: the gated attention weight of that edge, averaged
        over heads.
    """

    kept: np.ndarray
    kept_per_layer: np.ndarray
    attention_per_layer: np.ndarray


def explain(recommender: Recommender, item_ids: np.ndarray, **extra: np.ndarray) -> Explanation:
    """Say what was kept of each history, by its item codes.

    Parameters
    ----------
    recommender
        The trained model.
    item_ids
        Histories `[B, n]`, left-padded with 0, as `Recommender.score` takes them.
    extra
        The backbone's further inputs.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> model = Recommender(SASRec(item_count=9, max_length=4, hidden_dim=8, gates="positional"))
    >>> explain(model, np.array([[0, 0, 3, 7]])).kept.round(1)
    array([[0. , 0. , 0.9, 0.9]], dtype=float32)
    """
    inputs = recommender.inputs_of(item_ids, **extra)
    parts = explanation_tensors(recommender.backbone, inputs)
    return Explanation(**{name: tensor.numpy() for name, tensor in parts.items()})


def explanation_tensors(backbone: Backbone, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The fields of `Explanation` by name, as tensors; works in a graph too.

    Parameters
    ----------
    backbone
        The sequence encoder.
    inputs
        The backbone's, such as `item_ids` `[B, n]`, left-padded with 0.
    """
    prompt = backbone.prediction_inputs(inputs)
    with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
        backbone(prompt, training=False)
    is_item = tf.cast(prompt["item_ids"] > 0, tf.float32)
    kept, kept_by_gates, attention = [], [], []
    for record in recorder.attention:
        weights = tf.cast(record.weights[:, :, -1], tf.float32)
        attention.append(tf.reduce_mean(weights, axis=1) * is_item)
        has_gates = record.gates is not None
        kept.append(_newest_row(record.gates, weights) * is_item if has_gates else is_item)
        if has_gates:
            kept_by_gates.append(kept[-1])
    parts = {
        "kept": tf.add_n(kept_by_gates) / len(kept_by_gates) if kept_by_gates else is_item,
        "kept_per_layer": _stack(kept, is_item),
        "attention_per_layer": _stack(attention, is_item),
    }
    return {name: _in_place(part, backbone.shift) for name, part in parts.items()}


def _in_place(values: tf.Tensor, shift: int) -> tf.Tensor:
    """`[..., n]` of a question's positions, moved to where its items stood in the history."""
    if shift == 0:
        return values
    return tf.concat([tf.zeros_like(values[..., :shift]), values[..., :-shift]], axis=-1)


def _newest_row(gates: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The last row of `gates`, averaged over heads: `[B, n]`.

    `weights` `[B, H, n]` gives the shape that gates without a batch or heads are spread to.
    """
    row = gates[..., -1, :]
    return tf.reduce_mean(tf.broadcast_to(row, tf.shape(weights)), axis=1)


def _stack(layers: list[tf.Tensor], like: tf.Tensor) -> tf.Tensor:
    """`[B, layers, n]` from a list, possibly empty, of tensors shaped as `like` `[B, n]`."""
    return tf.stack(layers, axis=1) if layers else like[:, tf.newaxis][:, :0]
