"""What every sequence encoder provides."""

from __future__ import annotations

from typing import Any, ClassVar

from tf_recdenoiser._keras import keras


class Backbone(keras.Model):
    """Base of the sequence encoders: functional models from a dict of inputs to `[B, n, d]`.

    Inputs are `item_ids` `[B, n]` (int32; left-padded with 0, so that position n is always
    the newest item) and whatever else a backbone declares in `extra_inputs`. Scores are inner
    products with the item table, row 0 of which is padding.

    A subclass's constructor builds its layers as locals, calls
    `super().__init__(inputs=…, outputs=…)` and then `_set(…)` with every argument of its own.

    Attributes
    ----------
    causal
        Whether position u depends on positions up to u alone, which causal credit needs.
    extra_inputs
        Names of inputs beyond `item_ids`.
    item_embedding
        The `Embedding` layer with the item table, `[item_count + 1, d]`.
    """

    causal: ClassVar[bool]
    extra_inputs: ClassVar[tuple[str, ...]] = ()

    def _set(self, item_embedding: Any, **config: Any) -> None:
        self.item_embedding = item_embedding
        self.item_count: int = config["item_count"]
        self.max_length: int = config["max_length"]
        self._arguments = config

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, **self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Backbone:
        return cls(**config)
