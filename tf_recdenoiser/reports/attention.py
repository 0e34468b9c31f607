"""Where attention goes in the histories of some users, without the gates and with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tf_recdenoiser._keras import layers_of
from tf_recdenoiser.backbones import Backbone
from tf_recdenoiser.layers import Gates
from tf_recdenoiser.reports.gates import recorded
from tf_recdenoiser.reports.pictures import (
    COLOURS,
    HEAT,
    drawing,
    heat_map,
    literal,
    new_figure,
    shortened,
)
from tf_recdenoiser.reports.sections import Picture, Section
from tf_recdenoiser.reports.subject import Subject
from tf_recdenoiser.training.explain import explanation_tensors

_USERS = 3
# Of a history, the newest are drawn, so that titles can be read.
_DRAWN = 14
_LEGEND = " Bars: as it is. Dots: all gates open. Crosses: pruned in every layer."
# A user has to have so many to be drawn, if anybody has.
_ENOUGH = 8


@dataclasses.dataclass(frozen=True)
class Seen:
    """How the newest position saw the items of some histories, in the mean over layers and heads.

    Attributes
    ----------
    without, gated
        `[B, n]` float32 in [0, 1]: its attention to each item, as if all gates were open, and as
        it is; the same where there are no gates.
    kept
        `[B, n]` float32 in [0, 1]: how much of that passes the gates; 0 where pruned in every
        layer.
    """

    without: np.ndarray
    gated: np.ndarray
    kept: np.ndarray


def without_gates(backbone: Backbone) -> Backbone:
    """The same model with all gates open: one without gates, that has all other weights.

    It is the model itself if it has no gates.
    """
    of_gates = {
        id(variable)
        for layer in layers_of(backbone)
        if isinstance(layer, Gates)
        for variable in layer.variables
    }
    if not of_gates:
        return backbone
    plain = type(backbone).from_config({**backbone.get_config(), "gates": None})
    plain.set_weights([v.numpy() for v in backbone.weights if id(v) not in of_gates])
    return plain


def seen(backbone: Backbone, inputs: dict[str, tf.Tensor]) -> Seen:
    """How the newest position sees some histories, given as the backbone reads them."""
    gated = explanation_tensors(backbone, inputs)
    plain = explanation_tensors(without_gates(backbone), inputs)
    without, with_gates = (
        one["attention_per_layer"].numpy().mean(axis=1) for one in (plain, gated)
    )
    return Seen(without, with_gates, gated["kept"].numpy())


def attention_maps(backbone: Backbone, inputs: dict[str, tf.Tensor]) -> list[np.ndarray]:
    """The attention of all positions, `[B, n, n]` of each layer: the mean over heads.

    None of a layer whose attention is linear, which never works them out.
    """
    weights = [record.weights.numpy() for record in recorded(backbone, inputs).attention]
    return [of_layer.mean(axis=1) for of_layer in weights if of_layer.shape[-2] > 1]


def chosen_users(lengths: np.ndarray, count: int = _USERS, enough: int = _ENOUGH) -> np.ndarray:
    """Numbers of users, drawn among those with enough items, or else those with the most.

    Examples
    --------
    >>> chosen_users(np.array([9, 2, 8, 1]), count=2).tolist()
    [0, 2]
    >>> chosen_users(np.array([3, 2, 5, 1]), count=2).tolist()
    [0, 2]
    """
    able = np.flatnonzero(lengths >= enough)
    if len(able) < count:
        return np.sort(np.argsort(-lengths, kind="stable")[:count])
    return np.sort(np.random.default_rng(0).choice(able, count, replace=False))


def bars_figure(
    names: list[str], without: np.ndarray, gated: np.ndarray, kept: np.ndarray, has_gates: bool
) -> Figure:
    """The attention `[L]` that the newest position pays to the items of one history, in order."""
    figure = new_figure(0.5 + 0.21 * len(names))
    axes = figure.subplots()
    places = np.arange(len(names))
    axes.barh(places, 100 * gated, 0.62, color=COLOURS[0])
    if has_gates:
        axes.plot(100 * without, places, "o", color=COLOURS[3])
        pruned = places[kept == 0]
        nothing = np.zeros(len(pruned))
        axes.plot(nothing, pruned, "X", color=COLOURS[1], markersize=6, clip_on=False)
    axes.set_yticks(places, [literal(shortened(name)) for name in names])
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel="% of attention", xlim=(0, None))
    return figure


def over_even(weights: np.ndarray, causal: bool) -> np.ndarray:
    """Attention `[L, L]` as a multiple of what each item has if all that are seen have the same.

    Examples
    --------
    >>> over_even(np.array([[1.0, 0.0], [0.25, 0.75]]), causal=True).tolist()
    [[1.0, 0.0], [0.5, 1.5]]
    """
    count = len(weights)
    seen = np.arange(1, count + 1) if causal else np.full(count, count)
    return weights * seen[:, np.newaxis]


def maps_figure(panels: dict[str, np.ndarray]) -> Figure:
    """Attention `[L, L]` of all items to all, as `over_even` gives it, in panels with titles."""
    figure = new_figure(2.5 if len(panels) > 1 else 3.4)
    # A few pairs stand out so far that all others would look alike; what is even is no full colour.
    top = max(
        2.0, *(float(np.quantile(one[one > 0], 0.98)) for one in panels.values() if one.any())
    )
    many = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
    for axes, (title, weights) in zip(many, panels.items(), strict=True):
        image = heat_map(axes, weights, HEAT, 0.0, top)
        axes.set(title=title, xlabel="attended item")
    many[0].set(ylabel="asking item (newest below)")
    figure.colorbar(image, ax=list(many), shrink=0.8, label="times an even share", extend="max")
    return figure


def attention_before_and_after(subject: Subject) -> Section | None:
    """Attention of some users with and without gates; None for a model without attention."""
    recommender = subject.run.recommender
    item_ids = subject.inputs["item_ids"]
    users = chosen_users((item_ids > 0).sum(axis=1))
    some = {name: values[users] for name, values in subject.inputs.items()}
    inputs = recommender.inputs_of(**some)
    if not recorded(recommender.backbone, inputs).attention:
        return None
    has_gates = bool(recommender.gate_layers)
    found = seen(recommender.backbone, inputs)
    with drawing():
        pictures = [
            *(_bars(subject, found, row, user, has_gates) for row, user in enumerate(users)),
            *_map(subject, inputs, int(users[0]), has_gates),
        ]
    about = (
        "To recommend, the newest position of a history looks at all of it; attention says how "
        "much at each item, and adds up to 1. "
    )
    with_gates = (
        "Dots show it as if all gates were open, bars as it is: where a bar falls short of its "
        "dot, a gate takes something away. "
    )
    return Section(
        name="attention",
        title="Attention before and after" if has_gates else "Where attention goes",
        about=about + (with_gates if has_gates else "") + "The mean over layers and heads.",
        numbers=[
            {
                "user": subject.user(user),
                "items": subject.run.item_ids[codes[codes > 0] - 1].tolist(),
                **{
                    name: part[row, codes > 0].astype(float).tolist()
                    for name, part in vars(found).items()
                },
            }
            for row, (user, codes) in enumerate(zip(users, item_ids[users], strict=True))
        ],
        pictures=pictures,
        note=(
            f"{len(users)} of {len(item_ids):,} test users, drawn among those with {_ENOUGH} items "
            f"or more where there are such; of their histories the newest {_DRAWN} items at most, "
            "without what was left out of them as noise."
        ),
    )


def _bars(subject: Subject, found: Seen, row: int, user: int, has_gates: bool) -> Picture:
    places = np.flatnonzero(subject.inputs["item_ids"][user])[::-1][:_DRAWN]
    names = subject.names(subject.inputs["item_ids"][user, places])
    without, gated, kept = (part[row, places] for part in (found.without, found.gated, found.kept))
    figure = bars_figure(names, without, gated, kept, has_gates)
    name = subject.user(user)
    caption = f"User {name}, newest item first." + (_LEGEND if has_gates else "")
    return Picture.of(figure, f"attention to the items of user {name}", caption)


def _map(
    subject: Subject, inputs: dict[str, tf.Tensor], user: int, has_gates: bool
) -> list[Picture]:
    """The attention of all items of the first user in the first layer."""
    backbone = subject.run.recommender.backbone
    one = {name: values[:1] for name, values in inputs.items()}
    gated = attention_maps(backbone, one)
    if not gated:
        return []
    count = int(np.count_nonzero(one["item_ids"])) + backbone.shift
    crop = (0, slice(-count, None), slice(-count, None))
    panels = {"": gated[0]}
    if has_gates:
        without = attention_maps(without_gates(backbone), one)
        panels = {"all gates open": without[0], "with gates": gated[0]}
    with_even = {name: over_even(one[crop], backbone.causal) for name, one in panels.items()}
    figure = maps_figure(with_even)
    caption = (
        f"The first layer, all items of user {subject.user(user)}: each row is an item that asks, "
        "each column one that is looked at, oldest first. 1 is what an item has where attention "
        "is spread evenly over all items that are seen."
    )
    return [Picture.of(figure, "heat map of attention", caption)]
