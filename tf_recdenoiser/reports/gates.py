"""Which attention the gates of a run keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers import Gates, ItemGates, KeyGates, PairwiseGates, RelativeGates
from tf_recdenoiser.layers.records import GateRecord, Recorder
from tf_recdenoiser.layers.sample import Evaluation, Sample
from tf_recdenoiser.reports.pictures import KEPT, drawing, heat_map, new_figure
from tf_recdenoiser.reports.sections import Picture, Section, Table
from tf_recdenoiser.reports.subject import Subject

# Of the users, for gates that each history has of its own.
_USERS = 256


def recorded(backbone: Backbone, inputs: dict[str, tf.Tensor]) -> Recorder:
    """What gates and attention layers do with some histories when a model recommends.

    Parameters
    ----------
    backbone
        Of the model.
    inputs
        The backbone's, of the histories; see `Recommender.inputs_of`.
    """
    with Evaluation(Sample(tf.zeros([2], tf.int32))) as recorder:
        backbone(backbone.prediction_inputs(inputs), training=False)
    return recorder


def keep_map(record: GateRecord) -> np.ndarray:
    """The keep probability of each pair of positions, `[n, m]`; NaN where attention cannot go.

    The mean over heads, and over the sequences that have items in both places.
    """
    keep = tf.sigmoid(record.logits).numpy()
    reachable = record.reachable.numpy()
    shape = np.broadcast_shapes(keep.shape, reachable.shape)
    keep, reachable = np.broadcast_to(keep, shape), np.broadcast_to(reachable, shape)
    others = tuple(range(len(shape) - 2))
    counts = reachable.sum(axis=others)
    sums = np.where(reachable, keep, 0.0).sum(axis=others)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def keep_values(record: GateRecord) -> np.ndarray:
    """The keep probability of every gate that attention can use, `[E]`."""
    keep, usable = tf.sigmoid(record.logits).numpy(), record.usable.numpy()
    shape = np.broadcast_shapes(keep.shape, usable.shape)
    return np.broadcast_to(keep, shape)[np.broadcast_to(usable, shape)]


def map_figure(keep: np.ndarray) -> Figure:
    """Keep probabilities `[n, m]` as a heat map."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    image = heat_map(axes, keep, KEPT, 0.0, 1.0)
    axes.set(xlabel="attended position (newest right)", ylabel="asking position (newest below)")
    figure.colorbar(image, label="keep probability", shrink=0.8)
    return figure


def by_distance_figure(maps: list[np.ndarray], label: str) -> Figure:
    """The newest row of each layer's keep probabilities, by how far back an item stands."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    for layer, keep in enumerate(maps, 1):
        newest = keep[-1, ::-1]
        axes.plot(np.arange(len(newest)), newest, label=f"layer {layer}", markersize=3)
    axes.axhline(0.5, color="gray", linewidth=1, linestyle="--", marker="", label="pruned below")
    axes.set(xlabel=label, ylabel="keep probability", ylim=(0, 1.03))
    axes.legend(loc="lower right")
    return figure


def values_figure(values: list[np.ndarray]) -> Figure:
    """How keep probabilities are distributed, by layer."""
    figure = new_figure(2.6)
    axes = figure.subplots()
    edges = np.linspace(0, 1, 41)
    for layer, of_layer in enumerate(values, 1):
        shares = np.histogram(of_layer, edges)[0] / len(of_layer)
        axes.stairs(shares, edges, label=f"layer {layer}", linewidth=1.6, color=f"C{layer - 1}")
    axes.axvline(0.5, color="gray", linewidth=1, linestyle="--", marker="", label="pruned below")
    axes.set(xlabel="keep probability", ylabel="share of gates")
    axes.legend(loc="upper left")
    return figure


def keep_probabilities(subject: Subject) -> Section | None:
    """What the gates learned; None for a run without."""
    recommender = subject.run.recommender
    layers = recommender.gate_layers
    if not layers:
        return None
    some = {name: values[:_USERS] for name, values in subject.inputs.items()}
    tensors = recommender.inputs_of(**some)
    records = list(recorded(recommender.backbone, tensors).gates.values())
    maps, values = [*map(keep_map, records)], [*map(keep_values, records)]
    with drawing():
        pictures = _pictures(type(layers[0]), maps, values)
    density = [float(record.density) for record in records]
    rows = [
        [f"layer {layer}", f"{share:.1%}", f"{np.mean(of_layer):.3f}", f"{len(of_layer):,}"]
        for layer, (share, of_layer) in enumerate(zip(density, values, strict=True), 1)
    ]
    return Section(
        name="gates",
        title="What the gates keep",
        about=(
            "A gate stands on the way from one item of a history to another. With its keep "
            "probability it lets attention through; at 1/2 and below it is pruned when the model "
            "recommends, and the item has no say there."
        ),
        numbers={
            "kind": type(layers[0]).__name__,
            "density": density,
            "mean_keep": [float(np.mean(of_layer)) for of_layer in values],
            "newest": [_numbers(keep[-1]) for keep in maps],
        },
        pictures=pictures,
        tables=[Table(["layer", "density: share kept", "mean keep probability", "gates"], rows)],
        note=_sampled(type(layers[0]), len(some["item_ids"])),
    )


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _sampled(kind: type[Gates], users: int) -> str:
    if kind not in (ItemGates, PairwiseGates):
        return "All users have the same gates, by where items stand and not by what they are."
    return f"Each history has gates of its own: those of {users:,} test users are shown."


def _pictures(kind: type[Gates], maps: list[np.ndarray], values: list[np.ndarray]) -> list[Picture]:
    """What suits gates of a kind."""
    draw: Callable[[], list[Picture]] = {
        RelativeGates: lambda: _curve(maps, "how many positions back"),
        KeyGates: lambda: _curve(maps, "attended position, counted back from the newest"),
    }.get(kind, lambda: _maps(maps))
    of_each_history = kind in (ItemGates, PairwiseGates)
    return [*draw(), *(_distribution(values) if of_each_history else [])]


def _curve(maps: list[np.ndarray], label: str) -> list[Picture]:
    figure = by_distance_figure(maps, label)
    caption = "How much of the newest position's attention may pass, to the items before it."
    return [Picture.of(figure, "keep probability by distance", caption)]


def _maps(maps: list[np.ndarray]) -> list[Picture]:
    caption = "Blue is kept, red pruned. The lowest row is the newest position's, which recommends."
    if any(np.isnan(keep).any() for keep in maps):
        caption += " Nothing is drawn where attention cannot go, as to what comes later."
    return [
        Picture.of(
            map_figure(keep),
            f"heat map of keep probabilities of layer {layer}",
            f"Layer {layer}. {caption}",
        )
        for layer, keep in enumerate(maps, 1)
    ]


def _distribution(values: list[np.ndarray]) -> list[Picture]:
    caption = "All gates between two items of a history: how many have which keep probability."
    return [Picture.of(values_figure(values), "distribution of keep probabilities", caption)]
