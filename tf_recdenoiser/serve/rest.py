"""TensorFlow Serving's REST interface to one model."""

from __future__ import annotations

from reprlib import repr as shown
from typing import Any

import tensorflow as tf
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow.core.framework import types_pb2

from tf_recdenoiser.serve.errors import RequestError
from tf_recdenoiser.serve.model import ServedModel, Signature
from tf_recdenoiser.serve.tensors import json_of, tensor_of
from tf_recdenoiser.serve.worker import Worker, answer, parsed

_DEFAULT_SIGNATURE = "serving_default"
_VERSION = "1"


def rest_routes(model: ServedModel, worker: Worker) -> list[Route]:
    """The addresses under `/v1/models`, answered as TensorFlow Serving answers them.

    Inputs that have a default may be left out, which TensorFlow Serving allows over gRPC alone; and
    an input that the model does not have is refused, since it may be one of those, misspelt.
    """

    async def status(request: Request) -> Response:
        _check_served(request, model.name)
        fine = {"error_code": "OK", "error_message": ""}
        version = {"version": _VERSION, "state": "AVAILABLE", "status": fine}
        return answer({"model_version_status": [version]})

    async def metadata(request: Request) -> Response:
        _check_served(request, model.name)
        return answer(_metadata(model))

    async def predict(request: Request) -> Response:
        _check_served(request, model.name)
        return await worker(request, lambda body: _predict(model, body))

    async def malformed(request: Request) -> Response:
        raise RequestError(f"Malformed request: {request.method} {request.url.path}")

    at = "/v1/models/{name}"
    return [
        *(
            Route(f"{base}{method}", endpoint, methods=[verb])
            for base in (f"{at}/versions/{{version:int}}", at)
            for method, endpoint, verb in (
                (":predict", predict, "POST"),
                ("/metadata", metadata, "GET"),
                ("", status, "GET"),
            )
        ),
        Route("/v1/{anything:path}", malformed, methods=["GET", "POST", "PUT", "DELETE"]),
    ]


def _check_served(request: Request, name: str) -> None:
    asked, version = request.path_params["name"], request.path_params.get("version")
    if asked != name or version not in (None, int(_VERSION)):
        which = f"Latest({asked})" if version is None else f"Specific({asked}, {version})"
        raise RequestError(f"Servable not found for request: {which}", status=404)


def _metadata(model: ServedModel) -> dict[str, Any]:
    signatures = {
        key: {
            "inputs": _described(key, one.inputs),
            "outputs": _described(key, one.outputs),
            "method_name": "tensorflow/serving/predict",
        }
        for key, one in model.signatures.items()
    }
    return {
        "model_spec": {"name": model.name, "signature_name": "", "version": _VERSION},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _described(signature: str, tensors: dict[str, tf.TensorSpec]) -> dict[str, Any]:
    return {
        name: {
            "dtype": types_pb2.DataType.Name(spec.dtype.as_datatype_enum),
            "tensor_shape": {
                "dim": [{"size": str(size or -1), "name": ""} for size in spec.shape],
                "unknown_rank": False,
            },
            "name": f"{signature}_{name}:0",
        }
        for name, spec in tensors.items()
    }


def _predict(model: ServedModel, body: bytes) -> dict[str, Any]:
    asked = parsed(body)
    name = asked.get("signature_name", "")
    signature = model.signatures.get(name or _DEFAULT_SIGNATURE) if isinstance(name, str) else None
    if signature is None:
        raise RequestError(f"Serving signature name: {shown(name)} not found in signature def")
    if ("inputs" in asked) == ("instances" in asked):
        raise RequestError(
            f"A request must have one of `inputs` and `instances`. Received: {shown(sorted(asked))}"
        )
    by_row = "instances" in asked
    columns = _columns_of(asked["instances"]) if by_row else asked["inputs"]
    tensors = _inputs(signature, columns)
    model.check_size(tensors["histories"])
    outputs = {key: json_of(tensor) for key, tensor in signature(tensors).items()}
    if not by_row:
        return {"outputs": outputs}
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


def _columns_of(rows: Any) -> dict[str, list[Any]]:
    """The inputs, from an object for each row."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RequestError(
            f"`instances` must be a list of objects, one for each history. Received: {shown(rows)}"
        )
    names = rows[0].keys()
    for number, row in enumerate(rows):
        if row.keys() != names:
            raise RequestError(
                f"`instances` must all have the keys of the first, {shown(sorted(names))}. "
                f"Received: {shown(sorted(row))} in number {number}"
            )
    return {name: [row[name] for row in rows] for name in names}


def _inputs(signature: Signature, columns: Any) -> dict[str, tf.Tensor]:
    if not isinstance(columns, dict):
        raise RequestError(
            f"`inputs` must be an object with a list for each input. Received: {shown(columns)}"
        )
    missing = sorted(signature.needed - columns.keys())
    if missing:
        raise RequestError(f"Missing named input: {missing[0]} in 'inputs' object.")
    unknown = sorted(columns.keys() - signature.inputs.keys())
    if unknown:
        raise RequestError(
            f"The inputs must be among {', '.join(signature.inputs)}. Received: {shown(unknown)}"
        )
    return {name: tensor_of(value, signature.inputs[name]) for name, value in columns.items()}
