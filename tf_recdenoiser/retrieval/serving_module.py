"""A recommender as a graph from raw ids to raw ids, which TensorFlow alone can run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tf_recdenoiser import _keras
from tf_recdenoiser.noise import Cleaning, NoiseScorer, Softening, Treatment
from tf_recdenoiser.ops.slots import from_slots, history_inputs, to_slots
from tf_recdenoiser.retrieval.constants import with_constants
from tf_recdenoiser.retrieval.top_k import nearest_items
from tf_recdenoiser.training.explain import explanation_tensors
from tf_recdenoiser.training.recommender import Recommender

DEFAULT_K = 10
"""How many items are returned to a request that does not say, if `max_k` allows it."""

LOWEST_SCORE = float(np.finfo(np.float32).min)
"""The score of a column that holds no item, as it is served: JSON has no word for -inf."""


UNKNOWN = -1.0
"""Stands where nothing is known of how an entry was liked: JSON has no word for NaN."""


class ServingModule(tf.Module):
    """What a SavedModel of a recommender holds: variables, vocabulary and two functions.

    It tracks the variables behind the Keras model and not the model: under Keras 3 a SavedModel
    that tracks the model stores its variables twice, and TensorFlow's C++ loader restores the
    wrong ones. `recommend` has small weights as constants, as they are when it is first called or
    saved (`with_constants`); `explain` reads all of them from their variables.

    Parameters
    ----------
    recommender
        The trained model.
    item_ids
        The raw ids `[item_count]`, integers or strings: the item with the code c has the id
        `item_ids[c - 1]`.
    max_k
        The most items that a row is answered with, whatever it asks for.
    noise
        What finds noise in histories of the same n and codes; None (default) for none.
    cleaning
        What becomes of histories whose noise is known; None (default) for `Softening()` where
        the backbone softens, and for `Cleaning()` elsewhere.
    user_ids
        The raw ids `[user_count]` of the users the backbone knows, integers or strings, in the
        order of their codes; None (default) if it knows none.
    titles
        What people call the items, texts `[item_count]`, empty for an item without one; None
        (default) if none has one.

    Attributes
    ----------
    item_ids
        The raw ids, int64 or object (of str) `[item_count]`.
    max_k
        As it was given.
    max_length
        n, how many items of a history the model reads.
    no_id
        What stands where there is no item: an empty string; of numbers -1, or the next below all
        ids where -1 is the id of an item.
    recommend, explain
        The functions behind the signatures; see `signatures`.

    Examples
    --------
    >>> from tf_recdenoiser.backbones import SASRec
    >>> model = Recommender(SASRec(item_count=3, max_length=4, hidden_dim=8))
    >>> module = ServingModule(model, np.array(["apple", "pear", "plum"]), max_k=10)
    >>> answer = module.recommend(tf.constant([["pear", "no such thing", "apple"]]))
    >>> answer["item_ids"].numpy()[0, :2]
    array([b'plum', b''], dtype=object)
    """

    def __init__(
        self,
        recommender: Recommender,
        item_ids: np.ndarray,
        max_k: int,
        noise: NoiseScorer | None = None,
        cleaning: Treatment | None = None,
        user_ids: np.ndarray | None = None,
        titles: np.ndarray | None = None,
    ) -> None:
        super().__init__(name="recommender")
        backbone = recommender.backbone
        if ("user_ids" in backbone.extra_inputs) != (user_ids is not None):
            raise ValueError(
                "`user_ids` must be given if the backbone reads users, and only then. Received: "
                f"{'none' if user_ids is None else len(user_ids)} for {type(backbone).__name__}"
            )
        if max_k < 1:
            raise ValueError(f"`max_k` must be at least 1. Received: max_k={max_k}")
        self.max_length = backbone.max_length
        self.max_k = max_k
        self.item_ids = _vocabulary("item", item_ids, backbone.item_count)
        keys = tf.constant(self.item_ids)
        self._codes = _codes_of(self.item_ids)
        self._softens = "clean_probability" in backbone.extra_inputs
        self._further: dict[str, _Input] = {}
        if "times" in backbone.extra_inputs:
            self._further["times"] = _Input(tf.TensorSpec([None, None], tf.float64))
        if user_ids is not None:
            users = _vocabulary("user", user_ids, backbone.user_count)
            self._user_codes = _codes_of(users)
            self._further["users"] = _Input(
                tf.TensorSpec([None], self._user_codes.key_dtype),
                tf.constant([_no_id(users)], self._user_codes.key_dtype),
            )
        if noise is not None and noise.reads_feedback:
            self._further["disliked"] = _Input(
                tf.TensorSpec([None, None], tf.float32), tf.constant([[UNKNOWN]])
            )
        self.no_id = _no_id(self.item_ids)
        # Row 0 is what stands where there is no item to return.
        no_item = tf.constant([self.no_id], keys.dtype)
        self._ids = tf.Variable(tf.concat([no_item, keys], axis=0), trainable=False)
        self._titles = None if titles is None else _titles(titles, backbone.item_count)
        self._noise = noise
        self._cleaning = cleaning or (Softening() if self._softens else Cleaning())
        detectors = noise.detectors if noise else ()
        self._weights = [
            _keras.raw_variable(variable)
            for model in (backbone, *detectors)
            for variable in model.variables
        ]
        self.recommend = self._recommend_function(recommender)
        self.explain = self._explain_function(recommender)

    @property
    def signatures(self) -> dict[str, Any]:
        """The functions by the names of their signatures.

        Inputs of both:

        * `histories` `[B, L]`, of the vocabulary's type (int64 or string): raw ids as in the
          log, oldest first, any L. Ids that are not in the vocabulary are passed over wherever
          they stand, so any of them (such as `no_id`) serves as padding. The
          model reads the newest n of the others. Without any, the scores are the model's own
          for an empty history: finite, and the same for every such row.
        * `lengths` int32 `[B]` or `[1]`: only the first `lengths[b]` columns count; a negative
          number (-1 is the default) stands for all;
        * `times` float64 `[B, L]`, if the backbone reads them: when each interaction of
          `histories` happened, in seconds since 1970 (as they stand in the log, if its times are
          other numbers); an entry whose time is not finite is passed over;
        * `users` `[B]` or `[1]`, if the backbone knows users, of the type of their ids: the raw
          id of each row's user. An id that the model does not know, which is the default, stands
          for any user of whom nothing was learned;
        * `disliked` float32 `[B, L]` or `[1, 1]`, if what finds noise reads it: 1 where the user
          disliked the entry of `histories`, 0 where they liked it, 0.5 for neither, and a negative
          number (-1 is the default) or NaN where nothing is known. More than 1 is taken for 1.
          What was disliked is noise for certain, what was not is none, and other entries are
          judged by both;
        * `clean_history` bool `[B]` or `[1]`, if the model was exported with what finds noise:
          whether items that are probably noise are left out of the history before the model
          reads it (they still count as seen), or softened if it was trained so; true by
          default.

        `serving_default` also takes

        * `k` int32 `[B]` or `[1]`: how many items to return, at least 1 and at most `max_k`;
          what is less or more is taken for these, so that no row makes the others of its batch
          fail. 10 by default, or `max_k` if that is less;
        * `exclude_seen` bool `[B]` or `[1]`: whether to leave out the items of the history,
          those included that are too old for the model; true by default;

        and returns, best first, `item_ids` and `scores` float32, both `[B, max(k)]`, and `k`
        int32 `[B]`, the number that each row's was taken for. Columns beyond a row's own k, or
        beyond the items there are, hold `no_id` and the score `LOWEST_SCORE`, the lowest float32.
        If the model was exported with titles, `titles` string `[B, max(k)]` are those of the items.

        `explain` returns, in the places of `histories`, `kept` float32 `[B, L]`,
        `kept_per_layer` and `attention_per_layer` float32 `[B, layers, L]` (see `Explanation`;
        0 for entries that the model does not read, such as those left out as noise) and `known`
        bool `[B, L]`: whether the entry counts and is in the vocabulary; and, if the model was
        exported with what finds noise, `noise` float32 `[B, L]`: the probability that the entry
        is noise, or, if the model takes `disliked`, that the user disliked it.

        The defaults are in the SavedModel: TensorFlow Serving uses them for gRPC requests that
        leave inputs out; its REST interface wants all inputs. With batching on, the server
        wants each input to have as many rows as the others (`disliked` of `[B, L]`), and histories
        of different L only with `pad_variable_length_inputs`; send `lengths` then, since it pads
        with items.
        """
        return {"serving_default": self.recommend, "explain": self.explain}

    def _read(self, histories: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """The code of each entry, int32 `[B, L]`; 0 for what is unknown or does not count."""
        lengths = _checked_rows("lengths", lengths, histories)[:, tf.newaxis]
        counts = (lengths < 0) | (tf.range(tf.shape(histories)[1]) < lengths)
        return tf.where(counts, self._codes.lookup(histories), 0)

    def _recommend_function(self, recommender: Recommender) -> Callable[..., dict[str, tf.Tensor]]:
        backbone = recommender.backbone

        def recommend(
            histories: tf.Tensor, k: tf.Tensor, exclude_seen: tf.Tensor, **inputs: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            asked = self._asked(histories, **inputs)
            vectors = backbone.newest(asked.inputs)
            excluded = _checked_rows("exclude_seen", exclude_seen, histories)[:, tf.newaxis]
            k = tf.clip_by_value(_per_row("k", k, histories), 1, self.max_k)
            excluded = tf.where(excluded, asked.codes, 0)
            best, best_scores = nearest_items(vectors, backbone.item_vectors(), excluded, k)
            titles = {} if self._titles is None else {"titles": tf.gather(self._titles, best)}
            return {
                "item_ids": tf.gather(self._ids, best),
                "scores": tf.where(best > 0, best_scores, LOWEST_SCORE),
                "k": k,
                **titles,
            }

        choices = {
            "k": _Input(_ROWS_OF_INTEGERS, tf.constant([min(DEFAULT_K, self.max_k)])),
            "exclude_seen": _Input(_ROWS_OF_BOOLEANS, tf.constant([True])),
        }
        inputs = {**self._history_inputs(), **choices}
        return _graph_function(with_constants(_graph_function(recommend, inputs)), inputs)

    def _asked(
        self,
        histories: tf.Tensor,
        lengths: tf.Tensor,
        clean_history: tf.Tensor | None = None,
        **further: tf.Tensor,
    ) -> _Asked:
        """What the backbone reads of a request."""
        codes = self._read(histories, lengths)
        if "times" in further:
            further["times"] = _per_entry("times", further["times"], histories)
            codes = tf.where(tf.math.is_finite(further["times"]), codes, 0)
        inputs, slots = history_inputs(codes, self.max_length, further.get("times"))
        if "users" in further:
            users = _per_row("users", further["users"], histories)
            inputs["user_ids"] = self._user_codes.lookup(users)
        if self._softens:
            inputs["clean_probability"] = tf.ones_like(inputs["item_ids"], tf.float32)
        if self._noise is None:
            return _Asked(codes, inputs, slots, {})
        clean = _per_row("clean_history", clean_history, histories)[:, tf.newaxis]
        disliked = None
        if "disliked" in further:
            disliked = _per_entry("disliked", further["disliked"], histories, or_one=True)
            disliked = to_slots(_known(disliked), slots, self.max_length)
        noise = self._noise.probabilities(inputs["item_ids"], disliked)
        treated = tf.where(clean, noise, 0.0)
        return _Asked(
            codes,
            self._cleaning.treat(inputs, treated),
            from_slots(self._cleaning.slots(inputs["item_ids"], treated), slots),
            {"noise": from_slots(noise, slots)},
        )

    def _explain_function(self, recommender: Recommender) -> Callable[..., dict[str, tf.Tensor]]:
        def explain(histories: tf.Tensor, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
            asked = self._asked(histories, **inputs)
            parts = explanation_tensors(recommender.backbone, asked.inputs)
            aligned = {name: from_slots(part, asked.slots) for name, part in parts.items()}
            return {**aligned, **asked.noise, "known": asked.codes > 0}

        return _graph_function(explain, self._history_inputs())

    def _history_inputs(self) -> dict[str, _Input]:
        inputs = {
            "histories": _Input(tf.TensorSpec([None, None], self._codes.key_dtype)),
            "lengths": _Input(_ROWS_OF_INTEGERS, tf.constant([-1])),
            **self._further,
        }
        if self._noise is not None:
            inputs["clean_history"] = _Input(_ROWS_OF_BOOLEANS, tf.constant([True]))
        return inputs


class _Asked(NamedTuple):
    """What is read of a request.

    Attributes
    ----------
    codes
        Of the entries, int32 `[B, L]`; 0 for what is unknown or does not count.
    inputs
        The backbone's, treated for noise.
    slots
        Of `inputs`, which the entries fill, int32 `[B, L]`; 0 for what is not read.
    noise
        `noise`, the probability that each entry is noise, `[B, L]`, where it is known.
    """

    codes: tf.Tensor
    inputs: dict[str, tf.Tensor]
    slots: tf.Tensor
    noise: dict[str, tf.Tensor]


class _Input(NamedTuple):
    """An input of a signature; without a default it must be given."""

    spec: tf.TensorSpec
    default: tf.Tensor | None = None


_LARGEST = np.iinfo(np.int64).max
_ROWS_OF_INTEGERS = tf.TensorSpec([None], tf.int32)
_ROWS_OF_BOOLEANS = tf.TensorSpec([None], tf.bool)


def _graph_function(
    function: Callable[..., dict[str, tf.Tensor]], inputs: dict[str, _Input]
) -> Callable[..., dict[str, tf.Tensor]]:
    """`function`, which takes these inputs by name, as a graph that takes them in this order.

    Those that must be given come first.
    """
    ordered = dict(sorted(inputs.items(), key=lambda entry: entry[1].default is not None))

    def call(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return function(**dict(zip(ordered, values, strict=True)))

    # TensorFlow takes names and defaults from here, and writes them into the SavedModel.
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if default is None else default,
            )
            for name, (_, default) in ordered.items()
        ]
    )
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, (spec, _) in ordered.items()]
    return tf.function(call, input_signature=specs)


def _codes_of(ids: np.ndarray) -> tf.lookup.StaticHashTable:
    """A table from raw ids to their numbers from 1; 0 for others."""
    numbers = tf.range(1, len(ids) + 1)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(ids), numbers), default_value=0
    )


def _no_id(ids: np.ndarray) -> int | str:
    """An id, of the type of `ids`, that none of them is."""
    if ids.dtype == object:
        return ""
    return -1 if -1 not in ids else int(ids.min()) - 1


def _titles(titles: np.ndarray, count: int) -> tf.Variable:
    """A title for each code, after an empty one for the code 0, which is no item."""
    if np.shape(titles) != (count,):
        raise ValueError(
            f"`titles` must hold a text for each of the model's {count} items. "
            f"Received: shape {np.shape(titles)}"
        )
    return tf.Variable(tf.constant(["", *map(str, titles)]), trainable=False)


def _vocabulary(kind: str, raw_ids: np.ndarray, count: int) -> np.ndarray:
    """`raw_ids` as int64, or as objects of str; an error if they cannot be a vocabulary."""
    ids = np.asarray(raw_ids)
    if ids.dtype.kind not in "iuOU":
        raise TypeError(f"`{kind}_ids` must be integers or strings. Received: {ids.dtype}")
    if ids.dtype.kind == "u" and (ids > _LARGEST).any():
        raise ValueError(
            f"`{kind}_ids` must be at most {_LARGEST}, the largest int64; larger ones can be given "
            f"as strings. Received: {ids.max()}"
        )
    ids = ids.astype(np.int64 if ids.dtype.kind in "iu" else object)
    if ids.shape != (count,):
        raise ValueError(
            f"`{kind}_ids` must hold one id for each of the model's {count} {kind}s. "
            f"Received: shape {ids.shape}"
        )
    values = ids.tolist()
    if ids.dtype == object and not all(isinstance(value, str) and value for value in values):
        wrong = next(value for value in values if not (isinstance(value, str) and value))
        raise ValueError(
            f"`{kind}_ids` must be strings that are not empty: the empty string stands for "
            f"none. Received: {wrong!r}"
        )
    if len(set(values)) < len(values):
        raise ValueError(
            f"`{kind}_ids` must differ from one another. "
            f"Received: {len(values) - len(set(values))} repeated"
        )
    return ids


def _per_row(name: str, values: tf.Tensor, histories: tf.Tensor) -> tf.Tensor:
    """`values` `[B]` or `[1]`, as one for each of B histories."""
    return tf.broadcast_to(_checked_rows(name, values, histories), [tf.shape(histories)[0]])


def _checked_rows(name: str, values: tf.Tensor, histories: tf.Tensor) -> tf.Tensor:
    """`values`, if they are `[B]` or `[1]` beside B histories."""
    size, batch = tf.size(values), tf.shape(histories)[0]
    rule = f"`{name}` must have one row, or as many as `histories`. Received: rows ="
    check = tf.debugging.Assert((size == 1) | (size == batch), [rule, size, "histories =", batch])
    with tf.control_dependencies([check]):
        return tf.identity(values)


def _per_entry(
    name: str, values: tf.Tensor, histories: tf.Tensor, or_one: bool = False
) -> tf.Tensor:
    """`values`, if they are of the shape of `histories`; TensorFlow would broadcast others.

    With `or_one`, a single value may stand for all.
    """
    shape, wanted = tf.shape(values), tf.shape(histories)
    fits = tf.reduce_all(shape == wanted)
    rule = f"`{name}` must have the shape of `histories`"
    if or_one:
        fits |= tf.reduce_all(shape == 1)
        rule += ", or hold one value"
    check = tf.debugging.Assert(fits, [f"{rule}. Received: shape =", shape, "histories =", wanted])
    with tf.control_dependencies([check]):
        return tf.broadcast_to(values, wanted)


def _known(disliked: tf.Tensor) -> tf.Tensor:
    """What is known of how entries were liked, from 0 to 1, with NaN where nothing is."""
    return tf.where(disliked >= 0, tf.minimum(disliked, 1.0), np.nan)
