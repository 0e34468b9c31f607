"""What the page shows of a run: a history tried, and what the model makes of it."""

from __future__ import annotations

from random import Random
from reprlib import repr as shown
from typing import Any

import numpy as np
import tensorflow as tf

from tf_recdenoiser.retrieval.serving_module import DEFAULT_K, UNKNOWN
from tf_recdenoiser.runs import Run, RunError
from tf_recdenoiser.serve.catalogue import Catalogue
from tf_recdenoiser.serve.errors import RequestError
from tf_recdenoiser.serve.model import ServedModel
from tf_recdenoiser.serve.tensors import json_of, tensor_of

_MOST_ITEMS = 500
_FOUND = 20
_ALIKE = 5
_DAY = 86400.0


class Trial:
    """Answers what the page asks.

    Parameters
    ----------
    run
        The run.
    model
        Its model, as it is served.
    """

    def __init__(self, run: Run, model: ServedModel) -> None:
        self._run = run
        self._model = model
        self.catalogue = Catalogue(run.item_ids, run.titles)
        self._users = {} if run.user_ids is None else {str(one): one for one in run.user_ids}

    def about(self) -> dict[str, Any]:
        """What the page must know to be laid out."""
        inputs = self._model.signatures["serving_default"].inputs
        return {
            "name": self._model.name,
            "model": self._run.settings.model.name,
            "items": len(self.catalogue),
            "length": self._model.module.max_length,
            "gates": bool(self._run.recommender.gate_layers),
            "noise": "clean_history" in inputs,
            "feedback": "disliked" in inputs,
            "softens": "clean_probability" in self._run.recommender.backbone.extra_inputs,
            "titles": self.catalogue.has_titles,
            "users": "users" in inputs,
            "times": "times" in inputs,
            "most": _MOST_ITEMS,
            "most_k": self._model.module.max_k,
        }

    def found(self, text: str) -> dict[str, Any]:
        """Items to pick from: the first that match a text."""
        return {"items": self.catalogue.search(text, _FOUND)}

    def example(self, random: Random) -> dict[str, Any]:
        """A history that shows something: items that are alike, and one that is like none of them.

        Drawn anew each time. Where items cannot be compared, any.
        """
        count = len(self.catalogue)
        first, stranger = random.randint(1, count), random.randint(1, count)
        try:
            alike = self._run.similar(self.catalogue.shown(first)["id"], _ALIKE)
            codes = [*self.catalogue.codes(str(one.item) for one in alike), first]
        except RunError:
            codes = [random.randint(1, count) for _ in range(_ALIKE + 1)]
        codes.insert(len(codes) // 2, stranger)
        return {"history": [self.catalogue.shown(code) for code in dict.fromkeys(codes)]}

    def tried(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What is recommended after a history, and what was made of each of its items.

        Parameters
        ----------
        asked
            `history`, ids as texts, oldest first; and, if not their defaults, `k` (10),
            `exclude_seen` (true), `clean_history` (true), `user` (none) and `disliked` (of no item
            anything is known), a number for each item as the model takes it. A model that reads
            times is told that a day lies between one item and the next.

        Raises
        ------
        RequestError
            If something is of another type, or the history too long.
        """
        ids = _checked(asked, "history", list, [])
        if len(ids) > _MOST_ITEMS or not all(isinstance(one, str) for one in ids):
            raise RequestError(
                f"`history` must hold at most {_MOST_ITEMS} ids, as texts. Received: {shown(ids)}"
            )
        codes = self.catalogue.codes(ids)
        inputs = self._inputs(asked, codes)
        told, best = self._ask("explain", inputs), self._ask("serving_default", inputs)
        made = self._made_of(codes, told, asked)
        found = zip(self.catalogue.codes(map(str, best["item_ids"])), best["scores"], strict=True)
        return {
            "history": [
                {**self._shown(one, code), **rest}
                for one, code, rest in zip(ids, codes, made, strict=True)
            ],
            "recommended": [
                {**self.catalogue.shown(code), "score": score} for code, score in found if code
            ],
        }

    def _inputs(self, asked: dict[str, Any], codes: list[int]) -> dict[str, tf.Tensor]:
        """Those of a request with this one history, in so far as the model has them."""
        module, specs = self._model.module, self._model.signatures["serving_default"].inputs
        raw_ids = [module.item_ids[code - 1] if code else module.no_id for code in codes]
        given: dict[str, Any] = {
            "histories": np.array([raw_ids], module.item_ids.dtype),
            "times": _DAY * np.arange(len(codes))[np.newaxis],
            "k": [max(1, min(_checked(asked, "k", int, DEFAULT_K), module.max_k))],
            "exclude_seen": [_checked(asked, "exclude_seen", bool, True)],
            "clean_history": [_checked(asked, "clean_history", bool, True)],
        }
        if "disliked" in specs:
            said = _checked(asked, "disliked", list, [UNKNOWN] * len(codes))
            given["disliked"] = tensor_of([said], specs["disliked"])
        user = _checked(asked, "user", str, "")
        if user in self._users:  # of others the default stands for any
            given["users"] = [self._users[user]]
        return {
            name: tf.constant(given[name], spec.dtype)
            for name, spec in specs.items()
            if name in given
        }

    def _ask(self, name: str, inputs: dict[str, tf.Tensor]) -> dict[str, list[Any]]:
        """The row that a signature answers with."""
        signature = self._model.signatures[name]
        read = {key: value for key, value in inputs.items() if key in signature.inputs}
        return {key: json_of(value)[0] for key, value in signature(read).items()}

    def _made_of(
        self, codes: list[int], told: dict[str, list[Any]], asked: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Of each item: whether it is known and read, whether it stays, and what was kept of it."""
        known = [place for place, code in enumerate(codes) if code]
        read = known[-self._model.module.max_length :]
        noise = told.get("noise")
        stays = dict.fromkeys(read, True)
        if noise is not None and asked.get("clean_history", True) and read:
            rows = tf.constant([[codes[place] for place in read]])
            probability = tf.constant([[noise[place] for place in read]])
            stay = self._run.settings.treatment.stays(rows, probability).numpy()[0].tolist()
            stays = dict(zip(read, stay, strict=True))
        return [
            {
                "known": code > 0,
                "read": place in stays,
                "stays": stays.get(place, False),
                "noise": noise[place] if noise is not None and place in stays else None,
                "kept": [layer[place] for layer in told["kept_per_layer"]],
            }
            for place, code in enumerate(codes)
        ]

    def _shown(self, raw: str, code: int) -> dict[str, Any]:
        return self.catalogue.shown(code) if code else {"id": raw, "title": ""}


def _checked(asked: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """What is asked by this name, if it is of this type."""
    value = asked.get(name, default)
    if type(value) is not kind:
        raise RequestError(f"`{name}` must be of type {kind.__name__}. Received: {shown(value)}")
    return value
