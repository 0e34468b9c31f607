"""Values of JSON as tensors, and tensors as values of JSON, as TensorFlow Serving has them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from reprlib import repr as shown
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.serve.errors import RequestError


def tensor_of(value: Any, spec: tf.TensorSpec) -> tf.Tensor:
    """A list of JSON, as deep as the tensor's rank, as a tensor.

    Types must fit: 3.0 and "3" are no int32, and 1 is no bool. A string may also be
    `{"b64": …}`, the Base64 of its bytes.

    Raises
    ------
    RequestError
        If the value does not fit; it names the input.

    Examples
    --------
    >>> tensor_of([[1, 2], [3, 4]], tf.TensorSpec([None, None], tf.int64, "histories")).numpy()
    array([[1, 2],
           [3, 4]])
    >>> tensor_of([{"b64": "YQ=="}, "b"], tf.TensorSpec([None], tf.string, "users")).numpy()
    array([b'a', b'b'], dtype=object)
    """
    shape = _shape(value, spec)
    leaves = list(_leaves(value, shape, spec))
    return tf.reshape(tf.constant(leaves, spec.dtype), shape)


def json_of(tensor: tf.Tensor) -> list[Any]:
    """A tensor as lists; strings as text.

    Examples
    --------
    >>> json_of(tf.constant([["tea", ""]])), json_of(tf.constant([1, 2]))
    ([['tea', '']], [1, 2])
    """
    return _texts(tensor.numpy().tolist())


def _shape(value: Any, spec: tf.TensorSpec) -> list[int]:
    """By the first list of each depth; 0 where there is none."""
    shape = []
    for _ in range(spec.shape.rank):
        shape.append(len(value) if isinstance(value, list) else 0)
        value = value[0] if shape[-1] else []
    return shape


def _leaves(value: Any, shape: list[int], spec: tf.TensorSpec) -> Iterator[Any]:
    """What stands in the lists, which must be as deep and as long as the shape has it."""
    if not shape:
        yield _leaf(value, spec)
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        lists = "a list of lists of one length" if spec.shape.rank == 2 else "a list"
        raise RequestError(f"`{spec.name}` must be {lists}. Received: {shown(value)}")
    for one in value:
        yield from _leaves(one, shape[1:], spec)


def _leaf(value: Any, spec: tf.TensorSpec) -> Any:
    """`value`, if it is of the tensor's type."""
    try:
        return _CONVERT[spec.dtype](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise RequestError(
            f"`{spec.name}` must hold values of {spec.dtype.name}. Received: {shown(value)}"
        ) from error


def _only(value: Any, *types: type) -> Any:
    # Not isinstance: a bool is an int to Python.
    if type(value) not in types:
        raise TypeError(f"The value must be of {types}. Received: {type(value)}")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict) and value.keys() == {"b64"}:
        return base64.b64decode(_only(value["b64"], str), validate=True)
    return _only(value, str).encode()


def _integer(dtype: type[np.integer]) -> Callable[[Any], int]:
    limits = np.iinfo(dtype)

    def convert(value: Any) -> int:
        if not limits.min <= _only(value, int) <= limits.max:
            raise OverflowError
        return value

    return convert


_CONVERT: dict[tf.DType, Callable[[Any], Any]] = {
    tf.string: _bytes,
    tf.bool: lambda value: _only(value, bool),
    tf.int32: _integer(np.int32),
    tf.int64: _integer(np.int64),
    **dict.fromkeys((tf.float32, tf.float64), lambda value: float(_only(value, int, float))),
}


def _texts(values: Any) -> Any:
    if isinstance(values, list):
        return [_texts(value) for value in values]
    return values.decode(errors="replace") if isinstance(values, bytes) else values
