"""A Keras model made of Keras' own layers, turned into one that denoises."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras
from tf_recdenoiser.backbones.base import default
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    Dropout,
    DroppingGates,
    Gates,
    JacobianRegularizedBlock,
)
from tf_recdenoiser.training.denoising_model import DenoisingModel

_GATES = default(DenoisingMultiHeadAttention.__init__, "gates")

_SHARED_ARGUMENTS = (
    "name",
    "trainable",
    "num_heads",
    "key_dim",
    "value_dim",
    "dropout",
    "use_bias",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
)
"""Of `MultiHeadAttention` and `DenoisingMultiHeadAttention`; `output_shape` and `dtype` beside."""

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "attention_axes": (None, (1,), [1]),
    "activity_regularizer": (None,),
    "kernel_constraint": (None,),
    "bias_constraint": (None,),
    "sliding_window": (None,),
    "use_gate": (False,),
}
"""What `DenoisingMultiHeadAttention` has no argument for must have one of these values."""


def denoise(
    model: Any,
    gates: str | dict[str, Any] | Gates | DroppingGates | None = _GATES,
    blocks: Collection[str] | Callable[[Any], bool] = (),
    gamma: float = 0.0,
    jacobian_rows: int | None = None,
) -> DenoisingModel:
    """A copy of a Keras model in which attention is gated and chosen blocks are regularised.

    Every `keras.layers.MultiHeadAttention` becomes a `DenoisingMultiHeadAttention` of the same
    name and weights, whether it is a layer of the model, of a functional or Sequential model
    inside it, or an attribute (also in a list) of a custom layer. With all gates open the outputs
    are those of `model`, save at padded positions, of which attention makes nothing of worth in
    either. `keras.layers.Dropout` becomes `layers.Dropout`, which drops alike in every
    evaluation of a step. `model` itself stays as it is; the copy shares nothing with it.

    The copy is not compiled. If a custom layer had its attributes changed, the copy can be
    saved by `save_weights` only, to be loaded into what `denoise` makes of the same model
    again: the layer's own class, which Keras would load it by, makes Keras' attention.

    Parameters
    ----------
    model
        A functional or built Sequential model, with weights.
    gates
        As `DenoisingMultiHeadAttention` takes them; `"positional"` by default.
    blocks
        The layers to wrap in `JacobianRegularizedBlock`: names, or a function that tells of a
        layer whether it is one; none by default. They map one tensor `[B, n, d]` to one
        `[B, n, d']`, and keep their names.
    gamma, jacobian_rows
        Weight of their penalty, above 0 if there are any, and sequences of a batch that it uses;
        see `JacobianRegularizedBlock`.

    Raises
    ------
    ValueError
        If an argument is wrong, or there is attention that cannot be converted, which is named.

    Examples
    --------
    >>> inputs = keras.Input([4, 8])
    >>> attended = keras.layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    >>> outputs = keras.layers.Dense(8, name="mix")(attended)
    >>> model = denoise(keras.Model(inputs, outputs), blocks=["mix"], gamma=0.01)
    >>> [type(model.get_layer(name)).__name__ for name in ("attention", "mix")]
    ['DenoisingMultiHeadAttention', 'JacobianRegularizedBlock']
    """
    if not _keras.is_graph(model) or not model.built:
        raise ValueError(
            "`model` must be a functional or built Sequential Keras model. "
            f"Received: {type(model).__name__}"
        )
    copy = _copy(model)
    copy.set_weights(model.get_weights())
    conversion = _Conversion(gates, blocks, gamma, jacobian_rows)
    inputs, outputs = _keras.ends_of(conversion.graph(copy))
    converted = DenoisingModel(inputs=inputs, outputs=outputs, name=model.name)
    conversion.check(converted)
    return converted


def _copy(layer: Any) -> Any:
    """A new layer like `layer`; graph within graph, so that custom layers need no registration."""
    if _keras.is_graph(layer):
        return keras.models.clone_model(layer, clone_function=_copy)
    return type(layer).from_config(layer.get_config())


class _Conversion:
    """What becomes of each layer of a model, which may be changed, for the model is a copy."""

    def __init__(self, gates: Any, blocks: Any, gamma: float, jacobian_rows: int | None) -> None:
        self.gates = gates
        self.blocks = (blocks,) if isinstance(blocks, str) else blocks
        self.gamma = gamma
        self.jacobian_rows = jacobian_rows
        if self.blocks and gamma <= 0:
            raise ValueError(
                f"`gamma` must be above 0 where there are `blocks`. Received: gamma={gamma}"
            )
        self.converted: dict[int, Any] = {}
        self.wrapped: set[str] = set()

    def graph(self, model: Any) -> Any:
        """A functional or Sequential model with every layer converted."""
        return keras.models.clone_model(model, clone_function=self._node)

    def check(self, model: DenoisingModel) -> None:
        """ValueError unless all that was to be converted was."""
        left = [
            f"{layer.name} ({type(layer).__name__})"
            for layer in _keras.layers_of(model)
            if isinstance(layer, keras.layers.MultiHeadAttention)
        ]
        if left:
            raise ValueError(
                "`model` must hold attention only as `keras.layers.MultiHeadAttention` itself, and "
                "in graphs, attributes of layers, or lists that are such attributes. "
                f"Received: {', '.join(left)}"
            )
        missing = [] if callable(self.blocks) else sorted(set(self.blocks) - self.wrapped)
        if missing:
            raise ValueError(
                f"`blocks` must name layers of the model's graph. Received: {', '.join(missing)}"
            )
        if not self.wrapped and not any(
            isinstance(layer, DenoisingMultiHeadAttention) for layer in _keras.layers_of(model)
        ):
            raise ValueError(
                "`model` must hold a `keras.layers.MultiHeadAttention`, or layers to be chosen by "
                f"`blocks`. Received: {model.name}, which holds neither"
            )

    def _node(self, layer: Any) -> Any:
        """What stands in a graph for `layer`: converted, and wrapped if it was chosen."""
        chosen = self.blocks(layer) if callable(self.blocks) else layer.name in self.blocks
        if not chosen:
            return self._layer(layer)
        if not _maps_sequences(layer):
            raise ValueError(
                "`blocks` must map one tensor [B, n, d] to one [B, n, d']. "
                f"Received: {layer.name} ({type(layer).__name__})"
            )
        self.wrapped.add(layer.name)
        return JacobianRegularizedBlock(
            self._layer(layer), self.gamma, rows=self.jacobian_rows, name=layer.name
        )

    def _layer(self, layer: Any) -> Any:
        if id(layer) not in self.converted:
            if type(layer) is keras.layers.MultiHeadAttention:
                self.converted[id(layer)] = self._attention(layer)
            elif type(layer) is keras.layers.Dropout and _is_plain(layer):
                self.converted[id(layer)] = Dropout(
                    layer.rate, name=layer.name, dtype=_keras.policy_of(layer)
                )
            elif _keras.is_graph(layer):
                self.converted[id(layer)] = self.graph(layer)
            else:
                self.converted[id(layer)] = layer  # before its parts, which may point back to it
                self._convert_parts(layer)
        return self.converted[id(layer)]

    def _convert_parts(self, layer: Any) -> None:
        if not isinstance(layer, keras.layers.Layer):
            return  # an operation of Keras 3, which holds none
        for name, held in _keras.held_layers(layer).items():
            parts = held if isinstance(held, list) else [held]
            converted = [self._layer(part) for part in parts]
            if any(new is not old for new, old in zip(converted, parts, strict=True)):
                _keras.replace_held(
                    layer, name, converted if isinstance(held, list) else converted[0]
                )

    def _attention(self, layer: Any) -> DenoisingMultiHeadAttention:
        config = layer.get_config()
        extra = {
            argument: config[argument]
            for argument, values in _NEUTRAL.items()
            if argument in config and config[argument] not in values
        }
        width = config["output_shape"]
        if isinstance(width, (list, tuple)):
            extra |= {"output_shape": width} if len(width) > 1 else {}
            width = width[0]
        if extra:
            raise ValueError(
                f"`{layer.name}` must not have arguments that `DenoisingMultiHeadAttention` does "
                f"not take, to be converted. Received: {extra}"
            )
        ours = DenoisingMultiHeadAttention(
            **{argument: config[argument] for argument in _SHARED_ARGUMENTS},
            output_shape=width,
            gates=self.gates,
            dtype=_keras.policy_of(layer),
        )
        if layer.built:
            try:
                ours.build(*_keras.attention_shapes(layer))
            except ValueError as error:
                raise ValueError(f"`{layer.name}` cannot be converted: {error}") from error
            _copy_projections(layer, ours)
        return ours


def _copy_projections(theirs: Any, ours: DenoisingMultiHeadAttention) -> None:
    projections = (ours.query_dense, ours.key_dense, ours.value_dense, ours.output_dense)
    variables = [variable for dense in projections for variable in dense.weights]
    for variable, value in zip(variables, theirs.get_weights(), strict=True):
        variable.assign(value)


def _is_plain(dropout: Any) -> bool:
    return dropout.noise_shape is None and dropout.rate < 1


def _maps_sequences(layer: Any) -> bool:
    """Whether `layer` was called with one tensor of three axes, and gave one."""
    node = layer._inbound_nodes[-1]
    inputs, outputs = tf.nest.flatten(node.input_tensors), tf.nest.flatten(node.output_tensors)
    return [len(tensor.shape) for tensor in (*inputs, *outputs)] == [3, 3]
