"""Requests that TensorFlow Serving plays to a model before it takes real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_recdenoiser.retrieval.serving_module import UNKNOWN

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")
"""Where TensorFlow Serving looks for the requests, inside a version directory."""

BATCH_SIZES = (1, 32)


def write_warmup_requests(
    version_directory: Path,
    item_ids: np.ndarray,
    max_length: int,
    model_name: str,
    cleans: bool = False,
    user_ids: np.ndarray | None = None,
    timed: bool = False,
    reads_feedback: bool = False,
) -> None:
    """Write requests to both signatures, one for each of `BATCH_SIZES`.

    Parameters
    ----------
    version_directory
        The SavedModel's; it must exist.
    item_ids
        The raw ids, int64 or object (of str) `[item_count]`.
    max_length
        n, the length of the histories in the requests.
    model_name
        What the server calls the model.
    cleans
        Whether the model takes `clean_history`.
    user_ids
        The raw ids of the users that the model knows; None if it takes no `users`.
    timed
        Whether the model takes `times`.
    reads_feedback
        Whether the model takes `disliked`.
    """
    file = version_directory / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for batch_size in BATCH_SIZES:
            inputs = {
                "histories": np.resize(item_ids, [batch_size, max_length]),
                "lengths": np.full(batch_size, max_length, np.int32),
            }
            if user_ids is not None:
                inputs["users"] = np.resize(user_ids, batch_size)
            if timed:
                inputs["times"] = np.tile(np.arange(float(max_length)), [batch_size, 1])
            if reads_feedback:
                inputs["disliked"] = np.full([batch_size, max_length], UNKNOWN, np.float32)
            if cleans:
                inputs["clean_history"] = np.ones(batch_size, bool)
            choices = {
                "k": np.ones(batch_size, np.int32),
                "exclude_seen": np.ones(batch_size, bool),
            }
            writer.write(_record(model_name, "serving_default", {**inputs, **choices}))
            writer.write(_record(model_name, "explain", inputs))


def _record(model_name: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    # Here and not above, so that a model can be built and called without the package.
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    log = prediction_log_pb2.PredictLog(request=request)
    return bytes(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
