"""The deterministic gates of inference against their rules."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_recdenoiser.ops import INFERENCE_GATES, inference_gates, keep_probability

LOGITS = np.array([[-30.0, -1.0, -1e-3], [0.0, 1e-3, 4.0]])
KEEP = 1 / (1 + np.exp(-LOGITS))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("clip", np.where(KEEP > 0.5, KEEP, 0)),
        ("hard", (LOGITS > 0).astype(float)),
        ("expectation", KEEP),
    ],
)
def test_each_rule(how: str, expected: np.ndarray) -> None:
    gates = inference_gates(tf.constant(LOGITS, tf.float32), how)
    np.testing.assert_allclose(gates, expected, atol=1e-7)


def test_one_half_is_pruned() -> None:
    assert float(inference_gates(tf.zeros([]), "clip")) == 0
    assert float(inference_gates(tf.zeros([]), "hard")) == 0


def test_the_paper_s_rule_is_the_default() -> None:
    logits = tf.constant(LOGITS, tf.float32)
    np.testing.assert_array_equal(inference_gates(logits), inference_gates(logits, "clip"))


def test_keep_probability_is_the_logistic_function() -> None:
    np.testing.assert_allclose(keep_probability(tf.constant(LOGITS)), KEEP, rtol=1e-12)


def test_an_unknown_rule_is_named() -> None:
    names = ", ".join(INFERENCE_GATES)
    with pytest.raises(ValueError, match=rf"`inference` must be one of {names}\. Received: .*soft"):
        inference_gates(tf.zeros([1]), "soft")
