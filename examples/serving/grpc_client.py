"""Ask a served recommender over gRPC. It needs tensorflow-serving-api.

python examples/serving/grpc_client.py MODEL --history ID,ID,ID
python examples/serving/grpc_client.py MODEL --history ID,ID,ID --explain
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from client import Client
from command_line import run

try:
    import grpc
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
except ImportError as error:
    raise SystemExit(
        f"The gRPC client needs gRPC and the server's messages: pip install grpcio "
        f"tensorflow-serving-api (rest_client.py needs neither). Received: {error}"
    ) from error


class GrpcClient(Client):
    """One model of a server.

    Parameters
    ----------
    model
        Its name.
    server
        Host and gRPC port.
    length
        How many columns histories are sent in; see `request_columns`.
    timeout
        Seconds to wait for an answer.

    Raises
    ------
    ConnectionError
        If there is no server.
    ValueError
        If it refuses a request; the message is the server's.
    """

    def __init__(
        self,
        model: str,
        server: str = "localhost:8500",
        length: int | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._model = model
        self._server = server
        self.length = length
        self._timeout = timeout
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(
            grpc.insecure_channel(server)
        )
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = model
        packed = self._call(self._service.GetModelMetadata, request).metadata["signature_def"]
        signatures = get_model_metadata_pb2.SignatureDefMap.FromString(packed.value).signature_def
        self.dtypes = {
            name: {
                tensor: types_pb2.DataType.Name(info.dtype)
                for tensor, info in signature.inputs.items()
            }
            for name, signature in signatures.items()
        }

    def predict(self, signature: str, inputs: Mapping[str, list[Any]]) -> dict[str, Any]:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        for name, rows in inputs.items():
            dtype = types_pb2.DataType.Value(self.dtypes[signature][name])
            request.inputs[name].CopyFrom(tf.make_tensor_proto(rows, dtype))
        outputs = self._call(self._service.Predict, request).outputs
        return {name: _rows(tensor) for name, tensor in outputs.items()}

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise ConnectionError(
                    f"A server must answer at {self._server}: README.md, beside this file, says "
                    f"how to start one. Received: {error.details()}"
                ) from error
            raise ValueError(error.details()) from error


def _rows(tensor: Any) -> Any:
    values = tf.make_ndarray(tensor).tolist()
    return _decoded(values) if tensor.dtype == types_pb2.DT_STRING else values


def _decoded(values: Any) -> Any:
    return values.decode() if isinstance(values, bytes) else [_decoded(value) for value in values]


if __name__ == "__main__":
    run(GrpcClient, "localhost:8500", __doc__)
