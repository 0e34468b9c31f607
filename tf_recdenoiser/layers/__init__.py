"""Keras layers: gated attention, the Jacobian penalty, Transformer blocks, embeddings."""

from tf_recdenoiser.layers.attention import DenoisingMultiHeadAttention
from tf_recdenoiser.layers.attention_kinds import (
    ATTENTIONS,
    AttentionKind,
    get_attention,
    serialize_attention,
)
from tf_recdenoiser.layers.catalogue import Catalogue, CatalogueLogProbability
from tf_recdenoiser.layers.context import ContextFeatures
from tf_recdenoiser.layers.dropout import Dropout
from tf_recdenoiser.layers.embeddings import AppendOne, PositionEmbedding
from tf_recdenoiser.layers.gates import (
    DROPPING,
    GATES,
    PENALTIES,
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
from tf_recdenoiser.layers.noise_mixture import NoiseMixture
from tf_recdenoiser.layers.sampled_softmax import SampledLogProbability
from tf_recdenoiser.layers.scores import CandidateScores
from tf_recdenoiser.layers.soften import Soften
from tf_recdenoiser.layers.swap import Swap
from tf_recdenoiser.layers.time_aware import (
    TimeAwareAttention,
    TimeAwareBlock,
    TimeContext,
    TimeEmbedding,
)
from tf_recdenoiser.layers.transformer import NORMS, TransformerBlock
from tf_recdenoiser.layers.users import BesideUser, UserEmbedding

__all__ = [
    "ATTENTIONS",
    "DROPPING",
    "GATES",
    "NORMS",
    "PENALTIES",
    "AppendOne",
    "AttentionKind",
    "BesideUser",
    "CandidateScores",
    "Catalogue",
    "CatalogueLogProbability",
    "ContextFeatures",
    "DenoisingMultiHeadAttention",
    "Dropout",
    "DroppingGates",
    "Gates",
    "HeadDrop",
    "ItemGates",
    "JacobianRegularizedBlock",
    "KeyGates",
    "LayerDrop",
    "NoiseMixture",
    "PairwiseGates",
    "PositionEmbedding",
    "PositionalGates",
    "RelativeGates",
    "SampledLogProbability",
    "Soften",
    "Swap",
    "TimeAwareAttention",
    "TimeAwareBlock",
    "TimeContext",
    "TimeEmbedding",
    "TransformerBlock",
    "UserEmbedding",
    "get_attention",
    "get_gates",
    "serialize_attention",
]
