"""A Keras model made of Keras' own layers, turned into one that denoises."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser._keras import keras, register
from tf_recdenoiser._settings import default
from tf_recdenoiser.layers import (
    DenoisingMultiHeadAttention,
    Dropout,
    DroppingGates,
    GatedAttention,
    Gates,
    JacobianRegularizedBlock,
)
from tf_recdenoiser.training.denoising_model import DenoisingModel

_GATES = default(GatedAttention.__init__, "gates")

_WITHOUT_EFFECT = ("seed", "flash_attention", "softmax_robust_masking")
"""Those that change no output, save of positions that attend to nothing."""


def denoise(
    model: Any,
    gates: str | dict[str, Any] | Gates | DroppingGates | None = _GATES,
    blocks: str | Collection[str] | Callable[[Any], bool] = (),
    gamma: float = 0.0,
    jacobian_batch_size: int | None = None,
) -> DenoisingModel:
    """A copy of a Keras model in which attention is gated and chosen blocks are regularised.

    Every `keras.layers.MultiHeadAttention` becomes a `DenoisingMultiHeadAttention` of the same
    name and weights, whether it is a layer of the model, of a functional or Sequential model
    inside it, or an attribute (also in lists, tuples and dicts) of another layer, such as a
    `TransformerEncoder` of keras-hub. So does the `CachedMultiHeadAttention` in keras-hub's
    `TransformerDecoder`, which can then be called on whole sequences alone, without a cache.
    `keras.layers.Dropout` becomes `layers.Dropout`, which drops alike in every evaluation of a
    step. With all gates open the outputs are those of `model`, save at padded positions, of which
    attention makes nothing of worth in either. `model` itself stays as it is; the copy shares no
    weights with it, and is not compiled. What is frozen in `model` is frozen in the copy, where
    the new gates are trained.

    A model that is a class of its own is converted as a layer of a functional one:
    `denoise(keras.Model(inputs, model(inputs)))`. So are the weights of its layers, but not its
    other methods, such as a loss.

    Where attention was an attribute, the copy can be saved by `save_weights` only, to be loaded
    into what `denoise` makes of the same model again, or exported: the class by which Keras would
    load the layer makes Keras' attention.

    Parameters
    ----------
    model
        A functional or Sequential model, built.
    gates
        As `DenoisingMultiHeadAttention` takes them; `"positional"` by default, which need a
        length: for a model of sequences of any length give them one, as in
        `PositionalGates(max_length=50)`, or take gates that need none, such as `"relative"`.
    blocks
        The layers to wrap in `JacobianRegularizedBlock`, of the model or of one inside it: names,
        or a function that is true of a layer to wrap; none by default. Each maps
        `[B, n, d]` to `[B, n, d']` and keeps its name.
    gamma, jacobian_batch_size
        Weight of their penalty, above 0 if there are any, and how many sequences of a batch it
        uses; see `JacobianRegularizedBlock`.

    Raises
    ------
    ValueError
        If an argument is wrong, or a layer cannot be converted, which is named.

    Examples
    --------
    >>> inputs = keras.Input([4, 8])
    >>> attended = keras.layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    >>> outputs = keras.layers.Dense(8, name="mix")(attended)
    >>> model = denoise(keras.Model(inputs, outputs), blocks=["mix"], gamma=0.01)
    >>> [type(model.get_layer(name)).__name__ for name in ("attention", "mix")]
    ['DenoisingMultiHeadAttention', 'JacobianRegularizedBlock']
    """
    if not isinstance(model, keras.Model) or not _keras.is_graph(model):
        raise ValueError(
            "`model` must be a functional or built Sequential Keras model; make one of any other "
            "by `keras.Model(inputs, model(inputs))`. "
            f"Received: {getattr(model, 'name', model)} ({type(model).__name__})"
        )
    copy = _Copy().graph(model)
    _keras.take_over_trainable(copy, model)  # first, since weights are in its order
    copy.set_weights(model.get_weights())
    for layer in _keras.layers_of(copy):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # of what `adapt` has found, which is in the weights
    conversion = _Conversion(gates, blocks, gamma, jacobian_batch_size)
    inputs, outputs = _keras.replay(copy, conversion.call)
    converted = DenoisingModel(inputs=inputs, outputs=outputs, name=model.name)
    conversion.check(converted)
    converted._trainable = copy.trainable
    _keras.freeze_around(converted, lambda layer: isinstance(layer, (Gates, DroppingGates)))
    return converted


class _Copy:
    """A copy of each layer of a model, one for all the places where it stands."""

    def __init__(self) -> None:
        self.copies: dict[int, Any] = {}

    def graph(self, model: Any) -> Any:
        inputs, outputs = _keras.replay(
            model, lambda layer, args, kwargs: self._layer(layer)(*args, **kwargs)
        )
        copied = keras.Model(inputs, outputs, name=model.name)
        copied_names = {layer.name for layer in copied.layers}
        left = sorted(layer.name for layer in model.layers if layer.name not in copied_names)
        if left:
            raise ValueError(
                "`model` must have only layers that its outputs depend on; add losses and metrics "
                f"by `compile`. Received: {', '.join(left)}"
            )
        return copied

    def _layer(self, layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer) or type(layer) is keras.layers.Lambda:
            return layer  # a function, or an operation of Keras 3: neither has weights
        if hasattr(layer, "get_vocabulary") or hasattr(layer, "bin_boundaries"):
            return layer  # what it knows is in no weight, and is not trained
        if id(layer) not in self.copies:
            copied = self.graph(layer) if _keras.is_graph(layer) else _made_again(layer)
            self.copies[id(layer)] = copied
        return self.copies[id(layer)]


def _made_again(layer: Any) -> Any:
    """A layer from the configuration of `layer`, or else from what it kept of its arguments."""
    try:
        config = layer.get_config()
    except NotImplementedError:
        config = _kept_arguments(layer)
    try:
        copied = type(layer).from_config(config)
    except TypeError as error:
        raise _no_copy(layer, str(error)) from error
    _keras.rename(copied, layer.name)
    return copied


def _kept_arguments(layer: Any) -> dict[str, Any]:
    """The arguments of the constructor, where `layer` has them as attributes of their names."""
    _, *parameters = inspect.signature(type(layer).__init__).parameters.values()
    names = [
        one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    plain = (str, int, float, bool, type(None))
    missing = [name for name in names if not isinstance(getattr(layer, name, ()), plain)]
    if missing:
        raise _no_copy(layer, f"no plain value of {', '.join(missing)}")
    return {name: getattr(layer, name) for name in names}


def _no_copy(layer: Any, why: str) -> ValueError:
    return ValueError(
        f"`{layer.name}` ({type(layer).__name__}) cannot be copied; give it a `get_config` with "
        f"all that its constructor takes. Received: {why}"
    )


class _Conversion:
    """What becomes of each layer of a model, which may be changed, for the model is a copy."""

    def __init__(
        self, gates: Any, blocks: Any, gamma: float, jacobian_batch_size: int | None
    ) -> None:
        self.gates = gates
        self.blocks = (blocks,) if isinstance(blocks, str) else blocks
        self.gamma = gamma
        self.jacobian_batch_size = jacobian_batch_size
        if self.blocks and gamma <= 0:
            raise ValueError(
                f"`gamma` must be above 0 where there are `blocks`. Received: gamma={gamma}"
            )
        self.converted: dict[int, Any] = {}
        self.wrapped: dict[int, Any] = {}

    def call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What `layer` gave in the graph of the model, of what stands in its place."""
        if not isinstance(layer, keras.layers.Layer):
            return layer(*args, **kwargs)
        chosen = self.blocks(layer) if callable(self.blocks) else layer.name in self.blocks
        if not chosen and not _is_attention(layer):
            return self._layer(layer)(*args, **kwargs)
        # By name, since the order of arguments after the first is not the same.
        first, others = _split(layer, args, kwargs)
        if chosen:
            return self._call_block(layer, first, others)
        return self._layer(layer)(first, **others)

    def check(self, model: DenoisingModel) -> None:
        """ValueError unless all that was to be converted was."""
        left = [
            f"{layer.name} ({type(layer).__name__})"
            for layer in _keras.layers_of(model)
            if isinstance(layer, keras.layers.MultiHeadAttention)
        ]
        if left:
            raise ValueError(
                "`model` must hold attention only as `keras.layers.MultiHeadAttention` itself, in "
                "graphs, attributes of layers, or lists, tuples and dicts that are such "
                "attributes; put `DenoisingMultiHeadAttention` in the place of any other "
                f"yourself. Received: {', '.join(left)}"
            )
        names = {block.name for block in self.wrapped.values()}
        missing = [] if callable(self.blocks) else sorted(set(self.blocks) - names)
        if missing:
            raise ValueError(
                "`blocks` must name layers of the model's graph, or of a graph in it. "
                f"Received: {', '.join(missing)}"
            )
        if not names and not any(
            isinstance(layer, DenoisingMultiHeadAttention) for layer in _keras.layers_of(model)
        ):
            raise ValueError(
                "`model` must hold a `keras.layers.MultiHeadAttention`, or layers to be chosen by "
                f"`blocks`. Received: {model.name}, which holds neither"
            )

    def _call_block(self, layer: Any, first: Any, others: dict[str, Any]) -> Any:
        """What the regularised block made of `layer` gives."""
        if _is_sequence(first) and all(part is not first for part in tf.nest.flatten(others)):
            if id(layer) not in self.wrapped:
                self.wrapped[id(layer)] = JacobianRegularizedBlock(
                    self._layer(layer),
                    self.gamma,
                    batch_size=self.jacobian_batch_size,
                    name=layer.name,
                )
            found = self.wrapped[id(layer)](first, **others)
            if _is_sequence(found):
                return found
        raise ValueError(
            "`blocks` must map one tensor [B, n, d] to one [B, n, d']. "
            f"Received: {layer.name} ({type(layer).__name__})"
        )

    def _layer(self, layer: Any) -> Any:
        if id(layer) not in self.converted:
            if _is_attention(layer):
                self.converted[id(layer)] = self._attention(layer)
            elif type(layer) is keras.layers.Dropout and _is_plain(layer):
                self.converted[id(layer)] = Dropout(
                    layer.rate,
                    name=layer.name,
                    trainable=layer.trainable,
                    dtype=_keras.policy_of(layer),
                )
            elif _keras.is_graph(layer):
                inputs, outputs = _keras.replay(layer, self.call)
                graph = keras.Model(inputs, outputs, name=layer.name)
                graph._trainable = layer.trainable  # its layers have each their own
                self.converted[id(layer)] = graph
            else:
                self.converted[id(layer)] = layer  # before its parts, which may point back to it
                _keras.replace_layers(layer, self._layer)
        return self.converted[id(layer)]

    def _attention(self, layer: Any) -> DenoisingMultiHeadAttention:
        kind = _WholeSequences if _takes_cache(layer) else DenoisingMultiHeadAttention
        try:
            ours = kind(**_arguments(layer), gates=self.gates, dtype=_keras.policy_of(layer))
            if layer.built:
                _keras.build_in_place_of(layer, ours, *_keras.attention_shapes(layer))
        except ValueError as error:
            raise ValueError(f"`{layer.name}` cannot be converted: {error}") from error
        if layer.built:
            _copy_projections(layer, ours)
        return ours


@register
class _WholeSequences(DenoisingMultiHeadAttention):
    """Takes the call arguments of keras-hub's `CachedMultiHeadAttention`, but no cache."""

    def call(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        attention_mask: Any = None,
        cache: Any = None,
        cache_update_index: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Any:
        if cache is not None:
            raise ValueError(
                "`cache` must be None where attention has gates, which are of positions of whole "
                f"sequences. Received: a cache of shape {cache.shape}"
            )
        return super().call(
            query,
            value,
            key,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )


def _split(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The first argument of a call of `layer`, and by name the others that are no defaults."""
    signature = inspect.signature(layer.call)
    (_, first), *others = signature.bind(*args, **kwargs).arguments.items()
    return first, {
        name: value for name, value in others if value is not signature.parameters[name].default
    }


def _is_attention(layer: Any) -> bool:
    return type(layer) is keras.layers.MultiHeadAttention or _takes_cache(layer)


def _takes_cache(layer: Any) -> bool:
    kind = type(layer)
    return kind.__name__ == "CachedMultiHeadAttention" and kind.__module__.startswith("keras_hub.")


def _arguments(layer: Any) -> dict[str, Any]:
    """Those of `DenoisingMultiHeadAttention`; ValueError where it has none like one of `layer`."""
    config = layer.get_config()
    theirs = inspect.signature(keras.layers.MultiHeadAttention.__init__).parameters
    names = theirs.keys() & config.keys() - set(_WITHOUT_EFFECT)
    shared = names & inspect.signature(GatedAttention.__init__).parameters.keys()
    extra = [name for name in names - shared if config[name] != theirs[name].default]
    if extra:
        raise ValueError(
            f"`{layer.name}` must not have arguments that `DenoisingMultiHeadAttention` does not "
            "take, to be converted; make the model without them. "
            f"Received: {', '.join(f'{name}={config[name]!r}' for name in sorted(extra))}"
        )
    return {**{name: config[name] for name in shared}, "name": layer.name}


def _copy_projections(theirs: Any, ours: DenoisingMultiHeadAttention) -> None:
    projections = (ours.query_dense, ours.key_dense, ours.value_dense, ours.output_dense)
    for dense, name in zip(projections, ("query", "key", "value", "output"), strict=True):
        their_dense = getattr(theirs, f"_{name}_dense")
        dense.set_weights(their_dense.get_weights())
        # Not of the whole layer, which has gates too.
        dense.trainable = theirs.trainable and their_dense.trainable


def _is_sequence(tensor: Any) -> bool:
    return hasattr(tensor, "shape") and len(tensor.shape) == 3


def _is_plain(dropout: Any) -> bool:
    return dropout.noise_shape is None and dropout.rate < 1
