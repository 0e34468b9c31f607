"""Linear attention with gates on its keys."""

from __future__ import annotations

from typing import Any, ClassVar

import tensorflow as tf

from tf_recdenoiser._keras import register
from tf_recdenoiser.layers.attention_kinds import ATTENTIONS, LINEAR
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.gates import DroppingGates, Gates
from tf_recdenoiser.ops import gated_linear_attention


@register
class DenoisingLinearAttention(GatedAttention):
    """Attention whose cost grows with n and not with its square, with a gate for each key.

    With phi(x) = elu(x) + 1 (Katharopoulos et al. 2020, arXiv 2006.16236)

        output_u = sum_v (phi(q_u) · phi(k_v)) Z_uv x_v / sum_v phi(q_u) · phi(k_v)

    has a sum over v that does not depend on u only if Z_uv does not. So gates that are one for
    each key or for the whole matrix can be used, and gates of pairs are refused. Dropout is on the
    values x.

    Parameters
    ----------
    num_heads, key_dim, value_dim
        H and the widths of a head; see `GatedAttention`.
    gates
        `"key"` by default, or another kind that is the same for every query; None for none.
    kwargs
        See `GatedAttention`, as well as for the call arguments, of which `attention_mask` must be
        None.

    Examples
    --------
    >>> x = tf.random.normal([3, 5, 8])
    >>> tuple(DenoisingLinearAttention(num_heads=2, key_dim=4)(x, x).shape)
    (3, 5, 8)
    """

    masks_the_future: ClassVar[bool] = False  # it is left out of the sums instead

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        *,
        gates: str | dict[str, Any] | Gates | DroppingGates | None = "key",
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, value_dim, gates=gates, **kwargs)
        ATTENTIONS[LINEAR].check_gates(self.gates)

    def attend(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        value: tf.Tensor,
        mask: tf.Tensor | None,
        gates: tf.Tensor | None,
        key_weights: tf.Tensor | None,
        causal: bool,
        context: Any,
        training: bool | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return gated_linear_attention(
            query,
            key,
            self.attention_dropout(value, training=training),
            mask,
            gates,
            causal=causal,
            key_weights=key_weights,
            renormalize=self.renormalize,
        )

    def check_call(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        attention_mask: tf.Tensor | None,
        causal: bool,
        gates: tf.Tensor | None,
    ) -> None:
        if attention_mask is not None:
            raise ValueError(
                "`attention_mask` must be None where attention is linear, which never forms the "
                f"weights of pairs. Received: a mask of shape {attention_mask.shape}"
            )
        queries, keys = query.shape[1], key.shape[1]
        if causal and queries != keys:
            raise ValueError(
                "`use_causal_mask` must be False where attention is linear and queries and keys "
                f"are not the same positions. Received: {queries} queries, {keys} keys"
            )
        if gates is not None and gates.shape[-2] != 1:
            raise ValueError(
                "`gates` must be None or the same for every query, `[…, 1, m]`, where attention is "
                f"linear. Received: a tensor of shape {gates.shape}"
            )
