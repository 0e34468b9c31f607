"""Graphs whose small variables have become constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

LARGEST = 2**20
"""The most numbers of a variable that becomes a constant: a graph is held in a file of its own."""


def with_constants(function: Any, largest: int = LARGEST) -> Callable[..., Any]:
    """`function`, with the values that its small variables have when it is first called in a graph.

    TensorFlow then works out once, when the graph is loaded, all that depends on no input: gates
    of positions, masks, products and concatenations of weights. Rows are gathered from variables as
    before, and lookup tables stay as they are. The graph has no gradient any more.

    Parameters
    ----------
    function
        A `tf.function` with an input signature.
    largest
        The most numbers that a variable may have to become a constant.

    Returns
    -------
    A function for graphs that takes the same tensors, by position or by name.

    Examples
    --------
    >>> weight = tf.Variable(2.0)
    >>> double = tf.function(lambda x: weight * x, input_signature=[tf.TensorSpec([], name="x")])
    >>> graph = tf.function(with_constants(double)).get_concrete_function(tf.TensorSpec([]))
    >>> weight.assign(5.0)
    <...>
    >>> float(graph(tf.constant(3.0)))
    6.0
    """

    @tf.autograph.experimental.do_not_convert
    def call(*args: tf.Tensor, **kwargs: tf.Tensor) -> Any:
        with tf.init_scope():
            graph = function.get_concrete_function().graph
            values = _small_values(graph, largest)
        captured = {
            inner.name: tf.compat.v1.get_default_graph().capture(outer)
            for outer, inner in graph.captures
            if not (inner.op.name in values and _is_only_read(inner))
        }
        inner_captures = {inner.name for _, inner in graph.captures}
        names = [tensor.name for tensor in graph.inputs if tensor.name not in inner_captures]
        given = {**dict(zip(names, args, strict=False)), **{f"{k}:0": v for k, v in kwargs.items()}}
        outputs = graph.structured_outputs
        found = tf.graph_util.import_graph_def(
            _definition(graph, values),
            input_map={**given, **captured},
            return_elements=[tensor.name for tensor in tf.nest.flatten(outputs)],
            name="",
        )
        return tf.nest.pack_sequence_as(outputs, found)

    return call


def _small_values(graph: Any, largest: int) -> dict[str, Any]:
    """The values of variables that the graph reads whole, by their placeholders."""
    variables = {id(variable.handle): variable for variable in graph.variables}
    return {
        inner.op.name: variables[id(outer)].numpy()
        for outer, inner in graph.captures
        if id(outer) in variables
        and variables[id(outer)].shape.num_elements() <= largest
        and any(reader.type == "ReadVariableOp" for reader in inner.consumers())
    }


def _is_only_read(handle: tf.Tensor) -> bool:
    return all(reader.type == "ReadVariableOp" for reader in handle.consumers())


def _definition(graph: Any, values: dict[str, Any]) -> Any:
    """The graph's, with constants in the place of what reads these variables."""
    definition = graph.as_graph_def()
    removed = {
        inner.op.name
        for _, inner in graph.captures
        if inner.op.name in values and _is_only_read(inner)
    }
    nodes = [node for node in definition.node if node.name not in removed]
    for node in nodes:
        # What is told of gradients speaks of the variables.
        node.attr.pop("_gradient_op_type", None)
        if node.op == "ReadVariableOp" and node.input[0].split(":")[0] in values:
            value = tf.make_tensor_proto(values[node.input[0].split(":")[0]])
            node.op = "Const"
            del node.input[:]
            node.attr.clear()
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)
    kept = type(definition)()
    kept.CopyFrom(definition)
    del kept.node[:]
    kept.node.extend(nodes)
    return kept
