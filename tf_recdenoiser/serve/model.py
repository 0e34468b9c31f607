"""The model that is served: what `export` would write, called without being written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_recdenoiser.retrieval import ServingModule
from tf_recdenoiser.serve.errors import RequestError

_MOST_ROWS = 512
_MOST_CELLS = 1 << 24
_MOST_ENTRIES = 1 << 17
# The model's own words, within what TensorFlow says of where they were raised.
_OF_MODEL = re.compile(r"assertion failed: [^\n]*?(?= \[\[\{\{|\n|$)")


class Signature:
    """One function of a model, by name.

    Parameters
    ----------
    function
        A function of `ServingModule.signatures`.

    Attributes
    ----------
    inputs, outputs
        The specifications of its tensors.
    needed
        The names of the inputs without a default.
    """

    def __init__(self, function: Any) -> None:
        # Made before the first request, which would wait for it.
        self._graph = function.get_concrete_function()
        self.inputs: dict[str, tf.TensorSpec] = {
            spec.name: spec for spec in function.input_signature
        }
        self.outputs: dict[str, tf.TensorSpec] = self._graph.structured_outputs
        parameters = inspect.signature(function.python_function).parameters
        self._defaults = {
            name: one.default for name, one in parameters.items() if one.default is not one.empty
        }
        self.needed = self.inputs.keys() - self._defaults.keys()

    def __call__(self, given: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The outputs; inputs that are not given have their defaults.

        Raises
        ------
        RequestError
            If the model refuses the inputs.
        """
        values = {**self._defaults, **given}
        try:
            return self._graph(*(values[name] for name in self.inputs))
        except tf.errors.InvalidArgumentError as error:
            found = _OF_MODEL.search(error.message)
            raise RequestError(found[0] if found else error.message) from error


class ServedModel:
    """A model by the name that requests have for it.

    Parameters
    ----------
    name
        The name.
    module
        What is served.

    Attributes
    ----------
    signatures
        By name.
    most_rows
        How many histories one request may have, so that none needs much memory: at most 512, and
        fewer where the items, or the positions that attend to each other, are many.
    """

    def __init__(self, name: str, module: ServingModule) -> None:
        self.name = name
        self.module = module
        self.signatures = {key: Signature(one) for key, one in module.signatures.items()}
        cells = max(len(module.item_ids), module.max_length**2)
        self.most_rows = max(1, min(_MOST_ROWS, _MOST_CELLS // cells))

    def check_size(self, histories: tf.Tensor) -> None:
        """Raise RequestError if there are too many histories, or too long ones."""
        rows, columns = histories.shape
        if rows > self.most_rows:
            raise RequestError(
                f"A request must have at most {self.most_rows} histories here. Received: {rows}"
            )
        if rows * columns > _MOST_ENTRIES:
            raise RequestError(
                f"A request must have at most {_MOST_ENTRIES} entries in all. "
                f"Received: {rows} histories of {columns}"
            )
