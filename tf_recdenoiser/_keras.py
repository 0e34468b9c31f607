"""The one place that resolves Keras, and all that differs between Keras 3 and tf_keras."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

keras = tf.keras

IS_KERAS_3: bool = getattr(keras, "__version__", "2").startswith("3.")
"""Whether `tf.keras` is Keras 3; it is tf_keras when TF_USE_LEGACY_KERAS=1 was set in time."""

register = keras.utils.register_keras_serializable(package="tf_recdenoiser")
"""Class decorator that lets Keras save and load the class by name."""


def raw_variable(variable: Any) -> tf.Variable:
    """The `tf.Variable` behind a Keras variable (tf_keras variables already are one)."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def implicit_mask(tensor: Any) -> tf.Tensor | None:
    """The mask that an earlier layer attached to `tensor`, if any."""
    return getattr(tensor, "_keras_mask", None)


def policy_of(layer: Any) -> Any:
    """The dtype policy of `layer`, to hand on to its sublayers."""
    return layer.dtype_policy if IS_KERAS_3 else layer._dtype_policy


def clone(layer: Any) -> Any:
    """A new layer with the configuration of `layer` and a name of its own."""
    config = layer.get_config()
    config.pop("name", None)
    return type(layer).from_config(config)


def layers_of(layer: Any) -> list[Any]:
    """`layer` and every layer inside it, once each, in the order they were made part of it."""
    found: dict[int, Any] = {}

    def visit(current: Any) -> None:
        if id(current) not in found:
            found[id(current)] = current
            for inner in current._flatten_layers(include_self=False, recursive=False):
                visit(inner)

    visit(layer)
    return list(found.values())


def scales_loss(optimizer: Any) -> bool:
    """Whether `optimizer` multiplies the loss, as training in float16 needs."""
    return isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)


def scale_loss(optimizer: Any, loss: tf.Tensor) -> tf.Tensor:
    """`loss` times the optimizer's loss scale (1 unless it trains in float16)."""
    if IS_KERAS_3:
        return optimizer.scale_loss(loss)
    if scales_loss(optimizer):
        return optimizer.get_scaled_loss(loss)
    return loss


def unscale_gradients(optimizer: Any, gradients: list[Any]) -> list[Any]:
    """Undo `scale_loss` where `apply_gradients` does not do it itself (tf_keras)."""
    if not IS_KERAS_3 and scales_loss(optimizer):
        return list(optimizer.get_unscaled_gradients(gradients))
    return gradients


def loss_scale(optimizer: Any) -> tf.Tensor:
    """The factor by which `scale_loss` multiplies, as a float32 scalar."""
    return tf.cast(scale_loss(optimizer, tf.ones([], tf.float32)), tf.float32)


def is_graph(model: Any) -> bool:
    """Whether `model` is a functional or Sequential model, which can be cloned layer by layer."""
    return isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth")


def ends_of(graph: Any) -> tuple[Any, Any]:
    """The inputs and outputs of a functional or Sequential model, structured as it takes them."""
    if isinstance(graph, keras.Sequential):
        return graph.inputs[0], graph.outputs[0]  # Keras 3 has no `input` of an uncalled one
    return graph.input, graph.output


def attention_shapes(attention: Any) -> list[Any]:
    """The shapes of query, value and key that a `MultiHeadAttention` was built for."""
    config = attention.get_build_config()["shapes_dict"] if IS_KERAS_3 else attention.get_config()
    shapes = [config.get(f"{name}_shape") for name in ("query", "value", "key")]
    return [None if shape is None else tuple(tf.TensorShape(shape)) for shape in shapes]


def held_layers(layer: Any) -> dict[str, Any]:
    """The attributes of `layer` that are layers or lists of them, by name."""
    kept_by_keras = ("_layers", "_self_tracked_trackables")

    def holds(value: Any) -> bool:
        parts = value if isinstance(value, list) else [value]
        return bool(parts) and all(isinstance(part, keras.layers.Layer) for part in parts)

    return {k: v for k, v in vars(layer).items() if k not in kept_by_keras and holds(v)}


def replace_held(layer: Any, name: str, value: Any) -> None:
    """Put `value` in the place of what `held_layers(layer)[name]` is, built or not."""
    if not IS_KERAS_3:
        setattr(layer, name, value)  # tf_keras forgets the old one by itself
        return
    tracker = layer._tracker
    was_locked = tracker.locked
    tracker.unlock()
    for old in tf.nest.flatten(getattr(layer, name)):
        tracker.untrack(old)
    setattr(layer, name, value)
    if was_locked:
        tracker.lock()
