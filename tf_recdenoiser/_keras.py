"""The one place that resolves Keras, and all that differs between Keras 3 and tf_keras."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

keras = tf.keras

IS_KERAS_3: bool = getattr(keras, "__version__", "2").startswith("3.")
"""Whether `tf.keras` is Keras 3; it is tf_keras when TF_USE_LEGACY_KERAS=1 was set in time."""

register = keras.utils.register_keras_serializable(package="tf_recdenoiser")
"""Class decorator that lets Keras save and load the class by name."""


MEAN_OF_REPLICAS: dict[str, Any] = {
    "aggregation": "mean" if IS_KERAS_3 else tf.VariableAggregation.MEAN
}
"""Argument of `add_weight` for a variable that is assigned in a train step, on each replica."""


def replica_count() -> int:
    """How many replicas take this step together; 1 without a strategy of `tf.distribute`."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The sum of `value` over the replicas that take this step together."""
    if replica_count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def mean_over_replicas(values: tf.Tensor) -> tf.Tensor:
    """The mean of `values`, over their first axis and over what all replicas have."""
    total = sum_over_replicas(tf.reduce_sum(values, axis=0))
    return total / sum_over_replicas(tf.cast(tf.shape(values)[0], values.dtype))


def raw_variable(variable: Any) -> tf.Variable:
    """The `tf.Variable` behind a Keras variable (tf_keras variables already are one)."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def implicit_mask(tensor: Any) -> tf.Tensor | None:
    """The mask that an earlier layer attached to `tensor`, if any."""
    return getattr(tensor, "_keras_mask", None)


@contextlib.contextmanager
def dtype_policy(name: str | None) -> Iterator[None]:
    """Builds layers with the dtype policy of this name; None: with the one that is set."""
    before = keras.mixed_precision.global_policy()
    if name is not None:
        keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def policy_of(layer: Any) -> Any:
    """The dtype policy of `layer`, to hand on to its sublayers."""
    return layer.dtype_policy if IS_KERAS_3 else layer._dtype_policy


def clone(layer: Any) -> Any:
    """A new layer with the configuration of `layer` and a name of its own."""
    config = layer.get_config()
    config.pop("name", None)
    return type(layer).from_config(config)


def build_named(layer: Any, *shapes: Any) -> None:
    """Build `layer`, a part of another one, so that its weights are named after it.

    Only Keras 3 opens a name scope in `build`. HDF5 files need weights with names of their own.
    """
    with contextlib.nullcontext() if IS_KERAS_3 else tf.name_scope(layer.name):
        layer.build(*shapes)


def build_in_place_of(other: Any, layer: Any, *shapes: Any) -> None:
    """Build `layer` so that its weights are named as those of `other`, which it stands for."""
    if IS_KERAS_3:
        layer._parent_path = other._parent_path
        layer.build(*shapes)
        return
    with tf.name_scope(os.path.commonpath([weight.name for weight in other.weights]) + "/"):
        layer.build(*shapes)


def layer_of(config: dict[str, Any]) -> Any:
    """The layer whose configuration `keras.layers.serialize` gave."""
    # While tf_keras reads its older formats, it looks for nothing but the class's name.
    name = config.get("registered_name") or config["class_name"]
    return keras.layers.deserialize(config if IS_KERAS_3 else {**config, "class_name": name})


class NotInHDF5:
    """Base of models that are not saved as HDF5: what a file of it held could not be loaded."""

    def save(self, filepath: Any, overwrite: bool = True, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.save`; ValueError for HDF5."""
        save_format = args[0] if args else kwargs.get("save_format")
        if save_format in ("h5", "hdf5") or str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` must end in `.keras`: HDF5 keeps neither the class of this model nor "
                "how its gates are trained. Its weights alone are kept by `save_weights`, in a "
                f"file that ends in `.weights.h5`. Received: {filepath}"
            )
        super().save(filepath, overwrite, *args, **kwargs)  # type: ignore[misc]


class OfGraphOrOwnCall:
    """Base, before `keras.Model`, of models made of inputs and outputs or with a `call` of theirs.

    Where a subclass of `keras.Model` is made of inputs and outputs, Keras puts its functional model
    among the bases of the class itself, and of all that it derives from: no model with a `call` of
    its own can be made of them any more. Here that one model gets a class of its own instead.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        of_graph = len(args) == 2 or "outputs" in kwargs
        if of_graph and not isinstance(self, _functional_model()):
            kind: Any = type(self)
            object.__setattr__(self, "__class__", _functional_class(kind))
        super().__init__(*args, **kwargs)


def _internal(module: str) -> Any:
    return importlib.import_module(("keras.src." if IS_KERAS_3 else "tf_keras.src.") + module)


def _functional_model() -> Any:
    return _internal("models.functional" if IS_KERAS_3 else "engine.functional").Functional


@functools.cache
def _functional_class(kind: Any) -> type:
    """A subclass of `kind` and of Keras' functional model, saved and shown as `kind` is."""
    functional: Any = _functional_model()
    of_kind: dict[str, Any] = {
        name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__")
    }
    if inspect.getattr_static(kind, "__init__") is vars(OfGraphOrOwnCall)["__init__"]:
        of_kind["__init__"] = functional.__init__  # by whose arguments tf_keras knows its own
    if IS_KERAS_3:
        of_kind["_unpickle_model"] = kind._unpickle_model  # by whose class pickles name theirs
    found = type(kind.__name__, (kind, functional), of_kind)
    names = _internal("saving.object_registration")
    known = names.GLOBAL_CUSTOM_NAMES if IS_KERAS_3 else names._GLOBAL_CUSTOM_NAMES
    known[found] = keras.utils.get_registered_name(kind)
    return found


def build_by_call(model: Any, inputs: Any) -> None:
    """Have `model` make its weights, if it has not, by a call outside any evaluation.

    Keras 3 would call it with placeholders first, and gates keep what they have drawn.
    """
    if not model.built:
        model(inputs, training=False)


def make_seeds(layer: Any, seed: int) -> None:
    """Have `layer`, which is being built, count its draws; where Keras does, in no weight."""
    if IS_KERAS_3:
        layer.seeds = keras.random.SeedGenerator(seed)
    else:
        layer.seeds = layer.add_weight(
            name="seeds",
            shape=(2,),
            dtype="int32",
            initializer=lambda *_, **__: tf.constant([seed, 0]),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )


def next_seed(layer: Any) -> tf.Tensor:
    """Integers `[2]`, of the seed that `make_seeds` was given and of the number of draws."""
    if IS_KERAS_3:
        return tf.cast(layer.seeds.next(), tf.int32)
    found = tf.identity(layer.seeds)
    layer.seeds.assign(found + tf.constant([0, 1]))
    return found


def rename(layer: Any, name: str) -> None:
    """Give `layer` another name."""
    setattr(layer, "name" if IS_KERAS_3 else "_name", name)


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


@contextlib.contextmanager
def losses_kept(layer: Any) -> Iterator[None]:
    """Forget what `layer`, or a layer inside it, adds to the loss while it lasts."""
    parts = layers_of(layer)
    added = [part._losses if IS_KERAS_3 else part._eager_losses for part in parts]
    counts = [len(losses) for losses in added]
    try:
        yield
    finally:
        for losses, count in zip(added, counts, strict=True):
            del losses[count:]


def parts_of(layer: Any) -> list[Any]:
    """The layers that `layer` holds itself."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def take_over_trainable(layer: Any, source: Any) -> None:
    """Have `layer` train what `source` trains, of which it is a copy, and so its parts."""
    pairs = [(layer, source)]
    for one, other in pairs:
        one._trainable = other._trainable
        if IS_KERAS_3:
            # In Keras 3 each variable knows it too, and models ask the variables.
            own = zip(one._trainable_variables, other._trainable_variables, strict=False)
            for variable, its_source in own:
                variable.trainable = its_source.trainable
        pairs += zip(parts_of(one), parts_of(other), strict=False)


def freeze_around(layer: Any, is_free: Callable[[Any], bool], frozen: bool = False) -> bool:
    """Have what `is_free` is true of train in frozen layers too, and nothing else of these.

    A frozen layer trains none of its parts, at least under tf_keras. It is thawed where it holds
    what is free, and in its place its other parts and its own weights are frozen. Returns whether
    it holds anything free.
    """
    if is_free(layer):
        return True
    frozen = frozen or not layer.trainable
    parts = parts_of(layer)
    held = [freeze_around(part, is_free, frozen) for part in parts]
    if not any(held):
        return False
    if frozen:
        layer._trainable = True
        for part, holds in zip(parts, held, strict=True):
            if not holds:
                part.trainable = False
        if IS_KERAS_3:
            for variable in layer._trainable_variables:
                variable.trainable = False
        else:
            own = list(layer._trainable_weights)
            for variable in own:
                variable._trainable = False  # else the layer counts it as it was again
            layer._non_trainable_weights[:0] = own
            layer._trainable_weights[:] = []
    return True


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


def number_of(optimizer: Any, variable: Any) -> int:
    """The place of `variable` among those that `optimizer` was built for."""
    if IS_KERAS_3:
        return int(optimizer._get_variable_index(variable))
    return int(optimizer._index_dict[optimizer._var_key(variable)])


@contextlib.contextmanager
def finalizing_by(optimizer: Any, finalize: Callable[[], None]) -> Iterator[None]:
    """While it lasts, `finalize` does what Keras asks of `optimizer` at the end of training.

    Keras hands the optimizer of a model all that is trained, be it the optimizer's or not.
    """
    vars(optimizer)["finalize_variable_values"] = lambda variables: finalize()
    try:
        yield
    finally:
        vars(optimizer).pop("finalize_variable_values", None)


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Put back the global generators of Python and NumPy as they were, at the end.

    `keras.utils.set_random_seed` sets them, which are its caller's too.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def is_graph(model: Any) -> bool:
    """Whether `model` is a built functional or Sequential model that does what its graph says."""
    made_by_keras = type(model).call.__module__.split(".")[0] in ("keras", "tf_keras")
    return made_by_keras and hasattr(_graph_of(model), "_nodes_by_depth")


def replay(model: Any, call: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> Any:
    """The inputs and outputs of a graph like that of `model`, for which `is_graph` is true.

    `call(layer, args, kwargs)` is called for each call of a layer in the graph of `model`, in
    order, with tensors of the new graph in the place of those of the old one, and returns new
    tensors in the place of those that the layer returned. Both graphs have the same inputs.

    Keras' own `clone_model` does not end under tf_keras where a model that is a layer of another
    gives place to a layer that is no model.
    """
    graph = _graph_of(model)
    tensors: dict[int, Any] = {}

    def new(structure: Any) -> Any:
        return tf.nest.map_structure(lambda part: tensors.get(id(part), part), structure)

    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            if IS_KERAS_3:
                layer, args, kwargs = node.operation, node.arguments.args, node.arguments.kwargs
            else:
                layer, args, kwargs = node.layer, node.call_args, node.call_kwargs
            found = call(layer, new(args), new(kwargs))
            pairs = zip(tf.nest.flatten(node.outputs), tf.nest.flatten(found), strict=True)
            tensors.update({id(old): tensor for old, tensor in pairs})
    return graph.input, new(graph.output)


def _graph_of(model: Any) -> Any:
    return model._functional if IS_KERAS_3 and isinstance(model, keras.Sequential) else model


def attention_shapes(attention: Any) -> list[Any]:
    """The shapes of query, value and key that a `MultiHeadAttention` was built for."""
    config = attention.get_build_config()["shapes_dict"] if IS_KERAS_3 else attention.get_config()
    shapes = [config.get(f"{name}_shape") for name in ("query", "value", "key")]
    return [None if shape is None else tuple(tf.TensorShape(shape)) for shape in shapes]


def map_layers(value: Any, function: Callable[[Any], Any]) -> Any:
    """`value` with `function` of each layer in it, be it one or in lists, tuples or dicts."""
    if isinstance(value, keras.layers.Layer):
        return function(value)
    if isinstance(value, dict):
        return {key: map_layers(part, function) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [map_layers(part, function) for part in value]
        if hasattr(value, "_fields"):
            return value.__class__(*parts)
        return parts if isinstance(value, list) else tuple(parts)
    return value


def replace_layers(layer: Any, function: Callable[[Any], Any]) -> None:
    """Put `function` of each layer that is an attribute of `layer`, or in one, in its place.

    A functional model is left as it is, whose layers are its graph's.
    """
    if hasattr(_graph_of(layer), "_nodes_by_depth"):
        return
    kept_by_keras = ("_layers", "_self_tracked_trackables", "_tracked")
    for name, value in list(vars(layer).items()):
        old = _layers_in(value)
        if name in kept_by_keras or not old:
            continue
        new = map_layers(value, function)
        if any(one is not other for one, other in zip(_layers_in(new), old, strict=True)):
            _replace_attribute(layer, name, old, new)


def _layers_in(value: Any) -> list[Any]:
    found: list[Any] = []
    map_layers(value, found.append)
    return found


def _replace_attribute(layer: Any, name: str, old: list[Any], value: Any) -> None:
    if not IS_KERAS_3:
        setattr(layer, name, value)  # tf_keras forgets the old layers by itself
        return
    tracker = layer._tracker
    was_locked = tracker.locked
    tracker.unlock()
    for part in old:
        tracker.untrack(part)
    setattr(layer, name, value)
    if was_locked:
        tracker.lock()
