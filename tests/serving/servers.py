"""Servers that clients can be tried on: TensorFlow Serving, one that answers as it does, and ours.

The stand-in takes its answers from the C++ loader, the same that TensorFlow Serving has. What it
adds is what TensorFlow Serving does around a model: addresses, metadata, JSON, and errors.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import c_loader
from tests.serving.c_loader import LoadedModel, TensorFlowError
from tf_recdenoiser.retrieval import ServingModule, export_saved_model
from tf_recdenoiser.serve import address_of, listen, server_of
from tf_recdenoiser.serve.app import app_of
from tf_recdenoiser.serve.model import ServedModel
from tf_recdenoiser.serve.rest import rest_routes
from tf_recdenoiser.serve.worker import Worker
from tf_recdenoiser.training import Recommender

BINARY = shutil.which("tensorflow_model_server")


class Addresses(NamedTuple):
    """Where a server listens."""

    rest: str
    grpc: str


@dataclasses.dataclass(frozen=True)
class Shop:
    """What is to be served as "shop", and a folder for it."""

    model: Recommender
    ids: npt.NDArray[Any]
    folder: Path
    options: dict[str, Any]

    def export(self) -> Path:
        return export_saved_model(self.model, self.ids, self.folder / "shop", **self.options)

    def module(self) -> ServingModule:
        return ServingModule(self.model, self.ids, **{"max_k": 100, **self.options})

    def served_by(self, server: Any) -> AbstractContextManager[Addresses]:
        return server(self.module() if server is first_look else self.export())


@contextmanager
def first_look(module: ServingModule) -> Iterator[Addresses]:
    """The package's own server, which answers over REST alone."""
    with rest_server(module, "shop") as url:
        yield Addresses(url, "")


@contextmanager
def rest_server(module: ServingModule, name: str) -> Iterator[str]:
    with app_server(app_of(rest_routes(ServedModel(name, module), Worker()))) as url:
        yield url


@contextmanager
def app_server(app: Any) -> Iterator[str]:
    """Runs an application of the package's as its command does, in a thread."""
    server = server_of(app)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address_of(listener).url
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def stand_in(version: Path) -> Iterator[Addresses]:
    """Serve one version of a model under its directory's name."""
    name = version.parent.name
    with c_loader.load(version) as model, _rest(model, name) as rest, _grpc(model, name) as channel:
        yield Addresses(rest, channel)


@contextmanager
def tensorflow_serving(version: Path) -> Iterator[Addresses]:
    """Serve a model's newest version by the real server, batching, as its files say."""
    assert BINARY is not None
    folder = version.parent
    ports = {"port": _free_port(), "rest_api_port": _free_port()}
    config = folder / "models.config"
    here = config.read_text().replace(f'"/models/{folder.name}"', json.dumps(str(folder)))
    (folder / "here.config").write_text(here)
    command = [
        BINARY,
        *(f"--{name}={port}" for name, port in ports.items()),
        f"--model_config_file={folder / 'here.config'}",
        "--enable_batching",
        f"--batching_parameters_file={folder / 'batching.config'}",
    ]
    server = subprocess.Popen(command)
    try:
        rest = f"http://localhost:{ports['rest_api_port']}"
        _wait_for(f"{rest}/v1/models/{folder.name}", server)
        yield Addresses(rest, f"localhost:{ports['port']}")
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended with status {server.returncode}"
        try:
            with urllib.request.urlopen(url) as answer:
                if json.load(answer)["model_version_status"][0]["state"] == "AVAILABLE":
                    return
        except urllib.error.URLError:
            pass  # it does not listen yet
        time.sleep(0.2)
    raise TimeoutError(f"{url} must answer within a minute")


def _tensor_infos(tensors: dict[str, c_loader.TensorInfo]) -> dict[str, meta_graph_pb2.TensorInfo]:
    return {
        name: meta_graph_pb2.TensorInfo(
            name=info.tensor,
            dtype=tf.as_dtype(np.dtype(info.dtype)).as_datatype_enum,
            tensor_shape=tf.TensorShape(info.shape).as_proto(),
        )
        for name, info in tensors.items()
    }


def _inputs(model: LoadedModel, signature: str) -> dict[str, c_loader.TensorInfo]:
    if signature not in model.signatures:
        raise TensorFlowError(3, f'Serving signature name: "{signature}" not found')
    return model.signatures[signature].inputs


# --- REST -------------------------------------------------------------------------------------


@contextmanager
def _rest(model: LoadedModel, name: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == f"/v1/models/{name}/metadata":
                signatures = {
                    key: {
                        "inputs": {
                            tensor: {"dtype": types_pb2.DataType.Name(info.dtype)}
                            for tensor, info in _tensor_infos(signature.inputs).items()
                        }
                    }
                    for key, signature in model.signatures.items()
                }
                self._answer(200, {"metadata": {"signature_def": {"signature_def": signatures}}})
            else:
                self._not_found()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != f"/v1/models/{name}:predict":
                return self._not_found()
            try:
                outputs = _predict_json(model, body)
            except TensorFlowError as error:
                return self._answer(400, {"error": str(error)})
            self._answer(200, {"outputs": outputs})

        def _not_found(self) -> None:
            self._answer(404, {"error": f"Servable not found for request: {self.path}"})

        def _answer(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            text = json.dumps(body, ensure_ascii=False, allow_nan=False)
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _predict_json(model: LoadedModel, body: dict[str, Any]) -> dict[str, Any]:
    signature = body.get("signature_name", "serving_default")
    inputs = {}
    for name, info in _inputs(model, signature).items():
        if name not in body["inputs"]:
            raise TensorFlowError(3, f"Missing named input: {name} in 'inputs' object.")
        inputs[name] = np.array(body["inputs"][name], np.dtype(info.dtype))
    outputs = model.run(signature, inputs)
    return {name: _json(values.tolist()) for name, values in outputs.items()}


def _json(values: Any) -> Any:
    if isinstance(values, list):
        return [_json(value) for value in values]
    return values.decode() if isinstance(values, bytes) else values


# --- gRPC -------------------------------------------------------------------------------------


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model: LoadedModel, name: str) -> None:
        self._model = model
        self._name = name

    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        self._check(request, context)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for key, signature in self._model.signatures.items():
            for name, info in _tensor_infos(signature.inputs).items():
                definitions.signature_def[key].inputs[name].CopyFrom(info)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(definitions)
        return response

    def Predict(self, request: Any, context: Any) -> Any:
        self._check(request, context)
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        signature = request.model_spec.signature_name
        response = predict_pb2.PredictResponse()
        try:
            _inputs(self._model, signature)
            outputs = self._model.run(signature, inputs)
        except TensorFlowError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def _check(self, request: Any, context: Any) -> None:
        if request.model_spec.name != self._name:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")


@contextmanager
def _grpc(model: LoadedModel, name: str) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(model, name), server
    )
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(grace=None).wait()
