"""Pure tensor functions without Keras."""

from tf_recdenoiser.ops.dropout import dropout
from tf_recdenoiser.ops.entmax import entmax, entmax15, sparsemax
from tf_recdenoiser.ops.gates import (
    INFERENCE_GATES,
    inference_gates,
    keep_probability,
    weighted_mean,
)
from tf_recdenoiser.ops.intervals import personal_intervals
from tf_recdenoiser.ops.jacobian import jacobian_frobenius
from tf_recdenoiser.ops.linear_attention import (
    linear_attention,
    linear_weights,
    positive_features,
)
from tf_recdenoiser.ops.log_sum_exp import log_sum_exp_of_products
from tf_recdenoiser.ops.patterns import PATTERNS
from tf_recdenoiser.ops.slots import (
    from_slots,
    history_inputs,
    model_slots,
    to_slots,
    with_rows,
)
from tf_recdenoiser.ops.softmax import masked_softmax
from tf_recdenoiser.ops.swap import swap

__all__ = [
    "INFERENCE_GATES",
    "PATTERNS",
    "dropout",
    "entmax",
    "entmax15",
    "from_slots",
    "history_inputs",
    "inference_gates",
    "jacobian_frobenius",
    "keep_probability",
    "linear_attention",
    "linear_weights",
    "log_sum_exp_of_products",
    "masked_softmax",
    "model_slots",
    "personal_intervals",
    "positive_features",
    "sparsemax",
    "swap",
    "to_slots",
    "weighted_mean",
    "with_rows",
]
