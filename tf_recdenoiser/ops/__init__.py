"""Pure tensor functions without Keras."""

from tf_recdenoiser.ops.dropout import dropout
from tf_recdenoiser.ops.entmax import entmax, entmax15, sparsemax
from tf_recdenoiser.ops.gated_attention import gated_attention
from tf_recdenoiser.ops.gates import INFERENCE_GATES, inference_gates, keep_probability
from tf_recdenoiser.ops.jacobian import jacobian_frobenius
from tf_recdenoiser.ops.linear_attention import gated_linear_attention, linear_attention
from tf_recdenoiser.ops.patterns import PATTERNS
from tf_recdenoiser.ops.softmax import masked_softmax
from tf_recdenoiser.ops.swap import swap

__all__ = [
    "INFERENCE_GATES",
    "PATTERNS",
    "dropout",
    "entmax",
    "entmax15",
    "gated_attention",
    "gated_linear_attention",
    "inference_gates",
    "jacobian_frobenius",
    "keep_probability",
    "linear_attention",
    "masked_softmax",
    "sparsemax",
    "swap",
]
