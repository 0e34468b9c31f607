"""The kinds of attention by name.

A new kind is one line in `ATTENTIONS`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_recdenoiser.layers.gates import DroppingGates, Gates
from tf_recdenoiser.layers.normalizers import NORMALIZERS
from tf_recdenoiser.ops import PATTERNS
from tf_recdenoiser.ops.checks import require, require_one_of

LINEAR = "linear"


@dataclasses.dataclass(frozen=True)
class AttentionKind:
    """How edges get their weights: which there are, and how their scores become weights.

    Attributes
    ----------
    normalizer
        A name from `NORMALIZERS`, `"softmax"` by default; or `"linear"` for weights that are a
        product of features, phi(q) · phi(k) divided by the row's sum with phi(x) = elu(x) + 1
        (Katharopoulos et al. 2020), which are never worked out one by one.
    pattern
        A name from `PATTERNS` of the edges there are, beside what masks hide; None (default) for
        all. An edge that is not there takes no part in the normalisation.
    options
        Of the pattern; none by default.

    Examples
    --------
    >>> AttentionKind(pattern="sliding_window", options={"width": 1}).edges(3, 3)
    array([[ True,  True, False],
           [ True,  True,  True],
           [False,  True,  True]])
    """

    normalizer: str = "softmax"
    pattern: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        require_one_of((*NORMALIZERS, LINEAR), "normalizer", self.normalizer)
        rule = f"be None or one of {', '.join(PATTERNS)}"
        require(self.pattern is None or self.pattern in PATTERNS, "pattern", self.pattern, rule)
        rule = "be None where attention is linear, whose sums over all keys serve every query"
        require(self.pattern is None or not self.is_linear, "pattern", self.pattern, rule)
        unknown = set(self.options) - self._option_names()
        if unknown:
            raise ValueError(
                f"`options` must be options of the pattern {self.pattern}. "
                f"Received: {', '.join(sorted(unknown))}"
            )

    def _option_names(self) -> set[str]:
        if self.pattern is None:
            return set()
        return set(inspect.signature(PATTERNS[self.pattern]).parameters) - {"length"}

    @property
    def is_linear(self) -> bool:
        """Whether weights are never worked out one by one."""
        return self.normalizer == LINEAR

    def check_gates(self, gates: Gates | DroppingGates | None) -> None:
        """ValueError if `gates` are of pairs, whose weights are never worked out one by one."""
        if self.is_linear and gates is not None and not gates.same_in_every_row:
            raise ValueError(
                "`gates` must be None or the same for every query where attention is linear, "
                "which never forms the weights of pairs; use key gates. "
                f"Received: gates={type(gates).__name__}"
            )

    def edges(self, queries: int | None, keys: int | None) -> np.ndarray | None:
        """The edges of the pattern, boolean `[n, n]`; None for all."""
        if self.pattern is None:
            return None
        if queries is None or queries != keys:
            raise ValueError(
                "Patterns are for self-attention over sequences of a fixed length; give "
                f"`keras.Input` a length. Received: {queries} queries and {keys} keys"
            )
        return PATTERNS[self.pattern](queries, **self.options)


ATTENTIONS: dict[str, AttentionKind] = {
    "softmax": AttentionKind(),
    "entmax15": AttentionKind("entmax15"),
    "sparsemax": AttentionKind("sparsemax"),
    "entmax": AttentionKind("entmax"),
    **{name: AttentionKind(pattern=name) for name in PATTERNS},
    "linear": AttentionKind(LINEAR),
}
"""Every kind of attention by name."""


def get_attention(identifier: str | Mapping[str, Any] | AttentionKind) -> AttentionKind:
    """The kind of that name, or of a `serialize_attention` record.

    Beside its `name`, a mapping may have the options of a pattern.

    Examples
    --------
    >>> get_attention("sparsemax").normalizer
    'sparsemax'
    >>> get_attention({"name": "dilated_window", "width": 4, "dilation": 3}).options
    {'width': 4, 'dilation': 3}
    """
    if isinstance(identifier, AttentionKind):
        return identifier
    if isinstance(identifier, Mapping) and "name" not in identifier:
        return AttentionKind(**identifier)
    options = dict(identifier) if isinstance(identifier, Mapping) else {"name": identifier}
    name = options.pop("name")
    if name not in ATTENTIONS:
        raise ValueError(
            f"`attention` must be an AttentionKind or one of {', '.join(ATTENTIONS)}. "
            f"Received: attention={identifier!r}"
        )
    return dataclasses.replace(ATTENTIONS[name], options=options)


def serialize_attention(kind: AttentionKind) -> str | dict[str, Any]:
    """A name, or else a record, from which `get_attention` makes `kind` again.

    Examples
    --------
    >>> serialize_attention(AttentionKind("sparsemax"))
    'sparsemax'
    """
    for name, listed in ATTENTIONS.items():
        if kind == listed:
            return name
    return dataclasses.asdict(kind)
