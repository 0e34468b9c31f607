"""What every sequence encoder provides, and what several of them share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tf_recdenoiser._keras import NotInHDF5, build_named, keras, register, rename
from tf_recdenoiser.layers import (
    AttentionKind,
    Gates,
    JacobianRegularizedBlock,
    get_attention,
    get_gates,
    serialize_attention,
)
from tf_recdenoiser.layers.newest import newest_alone
from tf_recdenoiser.layers.noise_embedding import NoiseEmbedding
from tf_recdenoiser.layers.soften import Soften

EXTRA_INPUTS: dict[str, tuple[int, str]] = {
    "user_ids": (0, "int32"),
    "times": (1, "float64"),
    "clean_probability": (1, "float32"),
}
"""What a backbone may read beside `item_ids`: by name, how many axes follow B, and the type.

`user_ids` `[B]`: the user's code, 0 for a user of whom nothing was learned. `times` `[B, n]`: when
each interaction happened, in seconds, left-padded with 0; in float64, since float32 holds
the seconds of today to a minute or two. `clean_probability` `[B, n]`: the probability that each
item is no noise, for a backbone that softens.
"""

_JACOBIAN_INTERVAL = 4

SOFTENED = ("input", "attention", "everywhere", "mark")
"""Where a backbone can soften items, by what is known of noise; see `SASRec`."""


class Backbone(NotInHDF5, keras.Model):
    """Base of the sequence encoders: functional models from a dict of inputs to `[B, n, d]`.

    Inputs are `item_ids` `[B, n]` (int32; left-padded with 0, so that position n is always
    the newest item) and whatever else a backbone declares in `extra_inputs`. Scores are inner
    products with the item table, row 0 of which is padding.

    A subclass's constructor builds its layers as locals, calls
    `super().__init__(inputs=…, outputs=…)` and then `_set(…)` with its item table. Its arguments
    are kept for `get_config`; those that are an `int` must be at least 1.

    Attributes
    ----------
    causal
        Whether position u depends on positions up to u alone, which causal credit needs. It also
        needs that nothing mixes positions after the last gates.
    default_beta
        β of the sparsity penalty (Eq. 13) of its gates, if nothing else is asked for. The penalty
        counts gates and is divided by the number of targets.
    gated
        Whether it is made of attention blocks, and so takes `gates`, `gamma` and
        `jacobian_batch_size`; true by default.
    extra_inputs
        Names of inputs beyond `item_ids`, of those in `EXTRA_INPUTS`; of the class, those that
        every model of it has.
    item_embedding
        The layer from item ids to the vectors that scores are inner products with; its
        `embeddings` are the item table, `[item_count + 1, d]`.
    task
        The inputs and targets of training, as `data.TrainingBatches` takes it; None for the
        next item at each position.
    shift
        How many positions `prediction_inputs` appends after the newest item; as many of the oldest
        fall away.
    """

    item_count: int
    user_count: int
    max_length: int
    causal: ClassVar[bool]
    default_beta: ClassVar[float] = 0.1
    gated: ClassVar[bool] = True
    extra_inputs: tuple[str, ...] = ()
    shift: ClassVar[int] = 0

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        backbone = super().__new__(cls, *args, **kwargs)
        # Not by `setattr`, which Keras allows after its own constructor alone.
        backbone.__dict__["_arguments"] = _checked_arguments(cls, args, kwargs)
        return backbone

    def _set(self, item_embedding: Any) -> None:
        self.item_embedding = item_embedding
        for name in ("item_count", "user_count", "max_length"):
            if name in self._arguments:
                setattr(self, name, self._arguments[name])
        if self._arguments.get("soften") is not None:
            self.extra_inputs = (*type(self).extra_inputs, "clean_probability")

    @property
    def task(self) -> Any:
        return None

    def prediction_inputs(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The inputs with which the newest position predicts what follows some histories."""
        return inputs

    def newest(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """What some histories ask, as seen from their newest item: `[B, d]` float32.

        The last position of what the model makes of their `prediction_inputs` when it does not
        train. Last blocks work out no other.
        """
        with newest_alone():
            hidden = self(self.prediction_inputs(inputs), training=False)
        return tf.cast(hidden[:, -1], tf.float32)

    def adapt(self, counts: np.ndarray) -> None:
        """Learn how often each item occurs in training, `[item_count + 1]`, before the first step.

        Nothing is learned of it unless a backbone says so.
        """

    def item_vectors(self) -> tf.Tensor:
        """The item table, `[item_count + 1, d]` float32."""
        return tf.cast(tf.convert_to_tensor(self.item_embedding.embeddings), tf.float32)

    def get_config(self) -> dict[str, Any]:
        return {**self._arguments, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Backbone:
        return cls(**config)


def model_inputs(max_length: int, *names: str) -> dict[str, Any]:
    """Keras inputs `item_ids` and those of `EXTRA_INPUTS` with these names."""
    return {
        name: keras.Input([max_length] * axes, dtype=dtype, name=name)
        for name, (axes, dtype) in {
            "item_ids": (1, "int32"),
            **{name: EXTRA_INPUTS[name] for name in names},
        }.items()
    }


def item_table(item_count: int, hidden_dim: int, initializer: Any = "glorot_normal") -> Any:
    """The embedding layer of an item table, `[item_count + 1, width]`, that masks padding."""
    return keras.layers.Embedding(
        item_count + 1, hidden_dim, mask_zero=True, embeddings_initializer=initializer, name="items"
    )


def scored_table(item_count: int, hidden_dim: int, initializer: Any = "glorot_normal") -> Any:
    """An item table for scores alone: built here, since no input passes through it."""
    items = item_table(item_count, hidden_dim, initializer)
    build_named(items, (None, None))
    return items


@register
class WithoutBias(keras.initializers.Initializer):
    """Initial rows [v; 0] of an item table."""

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> tf.Tensor:
        vectors = keras.initializers.GlorotNormal()((shape[0], shape[1] - 1), dtype=dtype)
        return tf.pad(tf.convert_to_tensor(vectors), [[0, 0], [0, 1]])


def stack(
    x: Any,
    num_layers: int,
    make_block: Callable[[str], Any],
    gamma: float,
    jacobian_batch_size: int | None,
    **constants: Any,
) -> Any:
    """`x` `[B, n, d]` through L blocks, each under the Jacobian penalty if `gamma` is above 0.

    Parameters
    ----------
    x
        A Keras tensor.
    num_layers
        L.
    make_block
        Gives a new block of this name.
    gamma
        See `JacobianRegularizedBlock`.
    jacobian_batch_size
        Sequences that the penalty uses in a step, on average: four times as many in one step of
        four, which takes two thirds of the time. None: all of them in each step.
    constants
        What else each block is called with, by name; None stands for nothing.
    """
    given = {name: value for name, value in constants.items() if value is not None}
    for index in range(num_layers):
        block = make_block(f"block_{index + 1}")
        block.is_last = index == num_layers - 1
        if gamma > 0:
            block = JacobianRegularizedBlock(
                block, gamma, **_lazily(jacobian_batch_size), name=f"jacobian_{index + 1}"
            )
        x = block(x, **given)
    return x


def _lazily(sequences: int | None) -> dict[str, Any]:
    """What has `JacobianRegularizedBlock` use so many sequences in a step, on average."""
    if sequences is None:
        return {}
    return {"batch_size": _JACOBIAN_INTERVAL * sequences, "interval": _JACOBIAN_INTERVAL}


def shared_gates(
    gates: str | dict[str, Any] | None,
    vectors: Any,
    causal: bool,
    attention: str | dict[str, Any] | AttentionKind = "softmax",
) -> tuple[str | dict[str, Any] | None, Any]:
    """What each block is made with as its `gates`, and the gates it is called with.

    Parameters
    ----------
    gates
        As a backbone takes them.
    vectors
        Of the items, a Keras tensor `[B, n, d]`: what gates that blocks share are computed from.
    causal, attention
        Of the blocks; softmax by default.

    Returns
    -------
    `gates` and None; of a kind that blocks share, None and a Keras tensor.
    """
    layer = get_gates(gates)
    if not (isinstance(layer, Gates) and layer.shared):
        return gates, None
    kind = get_attention(attention)
    kind.check_gates(layer)
    rename(layer, "gates")
    edges = kind.edges(vectors.shape[1], vectors.shape[1])
    return None, layer(vectors, vectors, use_causal_mask=causal, edges=edges)


def softened(vectors: Any, inputs: dict[str, Any], soften: str | None) -> tuple[Any, Any]:
    """What the first block reads of items' vectors `[B, n, d]`, and the weights of their keys.

    Parameters
    ----------
    vectors, inputs
        Keras tensors; `inputs` holds `clean_probability` unless `soften` is None.
    soften
        Where: of `SOFTENED`, or None for nowhere.

    Returns
    -------
    `[B, n, d]`, and `[B, n]` or None.
    """
    clean_probability = inputs.get("clean_probability")
    if soften in ("input", "everywhere"):
        vectors = Soften(name="softened_items")(vectors, clean_probability)
    if soften == "mark":
        vectors = NoiseEmbedding(name="noise")(vectors, clean_probability)
    return vectors, clean_probability if soften in ("attention", "everywhere") else None


def clean_probability_input(soften: str | None) -> tuple[str, ...]:
    """The names of the inputs that softening needs; ValueError if there is no such place."""
    if soften is None:
        return ()
    if soften not in SOFTENED:
        raise ValueError(
            f"`soften` must be None or one of {', '.join(SOFTENED)}. Received: soften={soften!r}"
        )
    return ("clean_probability",)


def _checked_arguments(
    kind: type[Backbone], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a constructor as a configuration has them; ValueError if one is wrong."""
    signature = inspect.signature(kind.__init__)
    # Keras makes an instance without arguments once, to see what class it is of.
    bound = signature.bind_partial(None, *args, **kwargs)
    bound.apply_defaults()
    _, *names = bound.arguments
    found = {name: bound.arguments[name] for name in names}
    for name, value in found.items():
        if signature.parameters[name].annotation in (int, "int") and value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {name}={value}")
    if found.get("gamma", 0) < 0:
        raise ValueError(f"`gamma` must not be negative. Received: gamma={found['gamma']}")
    if isinstance(found.get("gates"), keras.layers.Layer):
        found["gates"] = keras.layers.serialize(found["gates"])
    if "attention" in found:
        found["attention"] = serialize_attention(get_attention(found["attention"]))
    return found
