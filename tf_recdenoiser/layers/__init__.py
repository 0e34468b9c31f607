"""Keras layers: gated attention, the Jacobian penalty, Transformer blocks, embeddings."""

from tf_recdenoiser.layers.attention import DenoisingMultiHeadAttention
from tf_recdenoiser.layers.attention_kinds import (
    ATTENTIONS,
    AttentionKind,
    get_attention,
    serialize_attention,
)
from tf_recdenoiser.layers.dropout import Dropout
from tf_recdenoiser.layers.embeddings import PositionEmbedding
from tf_recdenoiser.layers.gated_attention import GatedAttention
from tf_recdenoiser.layers.gates import (
    DROPPING,
    GATES,
    DroppingGates,
    Gates,
    HeadDrop,
    ItemGates,
    KeyGates,
    LayerDrop,
    PairwiseGates,
    PositionalGates,
    RelativeGates,
    get_gates,
)
from tf_recdenoiser.layers.jacobian import JacobianRegularizedBlock
from tf_recdenoiser.layers.linear_attention import DenoisingLinearAttention
from tf_recdenoiser.layers.normalization import LayerNormalization
from tf_recdenoiser.layers.swap import Swap
from tf_recdenoiser.layers.time_aware import TimeAwareAttention, TimeAwareBlock, TimeEmbedding
from tf_recdenoiser.layers.transformer import TransformerBlock
from tf_recdenoiser.layers.users import UserEmbedding

__all__ = [
    "ATTENTIONS",
    "DROPPING",
    "GATES",
    "AttentionKind",
    "DenoisingLinearAttention",
    "DenoisingMultiHeadAttention",
    "Dropout",
    "DroppingGates",
    "GatedAttention",
    "Gates",
    "HeadDrop",
    "ItemGates",
    "JacobianRegularizedBlock",
    "KeyGates",
    "LayerDrop",
    "LayerNormalization",
    "PairwiseGates",
    "PositionEmbedding",
    "PositionalGates",
    "RelativeGates",
    "Swap",
    "TimeAwareAttention",
    "TimeAwareBlock",
    "TimeEmbedding",
    "TransformerBlock",
    "UserEmbedding",
    "get_attention",
    "get_gates",
    "serialize_attention",
]
