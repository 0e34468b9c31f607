"""The package's own server answers over REST what an export answers, whoever asks it what."""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.params import only
from tests.retrieval.reference import ITEM_COUNT, LOWEST, MAX_K, VOCABULARIES, random_recommender
from tests.serving import c_loader
from tests.serving.c_loader import LoadedModel, TensorFlowError
from tests.serving.random_requests import (
    KINDS,
    Array,
    Kind,
    Request,
    inputs_of,
    random_request,
    rules_broken,
)
from tests.serving.servers import app_server, rest_server
from tf_recdenoiser.retrieval import ServingModule
from tf_recdenoiser.serve.app import app_of
from tf_recdenoiser.serve.model import ServedModel
from tf_recdenoiser.serve.rest import rest_routes
from tf_recdenoiser.serve.tensors import json_of
from tf_recdenoiser.serve.worker import MOST_BYTES, Worker

STATM = Path("/proc/self/statm")
PREDICT = "/v1/models/shop:predict"


class Answer(NamedTuple):
    """What a server answered: its status, and its body as JSON."""

    status: int
    body: Any


def ask(url: str, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request; a body that is not bytes is sent as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        # As strict parsers are: no NaN, no infinity.
        return Answer(answer.status, json.loads(answer.read(), parse_constant=pytest.fail))
    finally:
        connection.close()


# --- Against the export -----------------------------------------------------------------------


class Served(NamedTuple):
    """A model, its export in TensorFlow's C++ loader, and where our server has it as "shop"."""

    kind: Kind
    exported: LoadedModel
    url: str


@pytest.fixture(scope="module")
def served_as(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Served]]:
    if not c_loader.SUPPORTED:
        pytest.skip("TensorFlow's C library is found on Linux only")
    found: dict[str, Served] = {}
    with ExitStack() as running:

        def serve(name: str) -> Served:
            if name not in found:
                kind = KINDS[name]()
                exported = c_loader.load(kind.export(tmp_path_factory.mktemp("rest")))
                url = rest_server(kind.module(), "shop")
                found[name] = Served(
                    kind, running.enter_context(exported), running.enter_context(url)
                )
            return found[name]

        yield serve


# Ids that are numbers; in the slow tests text, users, times, noise, gates of all kinds.
@pytest.mark.parametrize("name", only(lambda name: name == "numbers", KINDS))
@pytest.mark.parametrize("seed", range(40))
def test_it_answers_as_the_export_does(
    served_as: Callable[[str], Served], name: str, seed: int
) -> None:
    served, random = served_as(name), Random(f"rest {name} {seed}")
    request = random_request(served.kind, random)
    for signature in ("serving_default", "explain"):
        inputs = inputs_of(signature, request)
        body = {"signature_name": signature, "inputs": written(inputs, random)}
        answer = ask(served.url, "POST", PREDICT, body)
        try:
            expected = served.exported.run(signature, inputs)
        except TensorFlowError:
            rules = rules_broken(signature, request)
            assert answer.status == 400
            assert any(rule in answer.body["error"] for rule in rules), answer.body
            continue
        assert answer.status == 200, answer.body
        assert_same(answer.body["outputs"], expected)
        rows = len(request["histories"])
        if rows and all(len(values) == rows for values in inputs.values()):
            columns = written(inputs, random)
            instances = [{key: columns[key][row] for key in columns} for row in range(rows)]
            body = {"signature_name": signature, "instances": instances}
            answer = ask(served.url, "POST", PREDICT, body)
            predictions = answer.body["predictions"]
            assert len(predictions) == rows
            assert_same({key: [p[key] for p in predictions] for key in expected}, expected)


def written(inputs: Request, random: Random) -> dict[str, Any]:
    """The inputs as JSON has them; strings as text or as Base64."""

    def one(value: Any) -> Any:
        if isinstance(value, list):
            return [one(part) for part in value]
        if not isinstance(value, bytes):
            return value
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = None
        encoded = {"b64": base64.b64encode(value).decode()}
        return encoded if text is None or random.random() < 0.3 else text

    def as_bytes(value: Any) -> Any:
        return value.encode() if isinstance(value, str) else value

    lists = {
        name: np.vectorize(as_bytes, otypes="O")(v) if v.dtype == object and v.size else v
        for name, v in inputs.items()
    }
    return {name: one(values.tolist()) for name, values in lists.items()}


def assert_same(got: dict[str, Any], expected: dict[str, Array]) -> None:
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        if values.dtype == object:
            assert got[name] == [[item.decode() for item in row] for row in values.tolist()]
        elif values.dtype == np.float32:
            assert np.shape(got[name])[: values.ndim] == values.shape or not values.size
            if values.size:
                np.testing.assert_allclose(got[name], values, rtol=1e-4, atol=1e-5)
        else:
            assert got[name] == values.tolist()


# --- One model --------------------------------------------------------------------------------

IDS = VOCABULARIES["str"]


@pytest.fixture(scope="module")
def module() -> ServingModule:
    return ServingModule(random_recommender(), IDS, MAX_K)


@pytest.fixture(scope="module")
def url(module: ServingModule) -> Iterator[str]:
    with rest_server(module, "shop") as url:
        yield url


def test_status_and_metadata_are_those_of_tensorflow_serving(
    url: str, module: ServingModule
) -> None:
    for base in ("/v1/models/shop", "/v1/models/shop/versions/1"):
        assert ask(url, "GET", base) == (
            200,
            {
                "model_version_status": [
                    {
                        "version": "1",
                        "state": "AVAILABLE",
                        "status": {"error_code": "OK", "error_message": ""},
                    }
                ]
            },
        )
        status, found = ask(url, "GET", f"{base}/metadata")
        assert status == 200
        assert found["model_spec"] == {"name": "shop", "signature_name": "", "version": "1"}
        signatures = found["metadata"]["signature_def"]["signature_def"]
        assert signatures.keys() == {"serving_default", "explain"}
        assert signatures["explain"]["outputs"].keys() == {
            *("attention_per_layer", "kept", "kept_per_layer", "known")
        }
        ids = signatures["serving_default"]["inputs"]["histories"]
        assert ids["dtype"] == "DT_STRING"
        assert ids["tensor_shape"] == {
            "dim": [{"size": "-1", "name": ""}] * 2,
            "unknown_rank": False,
        }


def test_what_has_a_default_may_be_left_out(url: str, module: ServingModule) -> None:
    histories = [["7", "a"], ["ä", ""]]
    expected = {
        name: json_of(values) for name, values in module.recommend(np.array(histories)).items()
    }
    for named in ({}, {"signature_name": ""}, {"signature_name": "serving_default"}):
        answer = ask(url, "POST", PREDICT, {"inputs": {"histories": histories}, **named})
        assert answer == (200, {"outputs": expected})
    path = "/v1/models/shop/versions/1:predict"
    (row,) = ask(url, "POST", path, {"instances": [{"histories": ["7", "a"]}]}).body["predictions"]
    assert row["item_ids"] == expected["item_ids"][0] and row["k"] == 10
    assert row["scores"] == pytest.approx(expected["scores"][0], rel=1e-5)


def test_where_there_is_no_item_there_is_a_number(url: str) -> None:
    inputs = {"histories": [IDS.tolist(), ["7"]], "k": [2]}
    inputs["histories"][1] += [""] * (ITEM_COUNT - 1)
    found = ask(url, "POST", PREDICT, {"inputs": inputs}).body["outputs"]
    assert found["item_ids"][0] == ["", ""] and found["scores"][0] == [LOWEST, LOWEST]


# --- Strangers --------------------------------------------------------------------------------

HISTORY: dict[str, Any] = {"histories": [["7"]]}


def deep(depth: int) -> bytes:
    return b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error"),
        (b"{", "JSON Parse error"),
        (b"\xff\xfe\x00", "JSON Parse error"),
        (b'{"inputs": "\xe4"}', "JSON Parse error"),
        (deep(200_000), "JSON Parse error"),
        (deep(900), "."),
        (b'{"inputs": {"k": ' + b"9" * 100_000 + b"}}", "JSON Parse error"),
        ([], "The body must be a JSON object. Received: list"),
        ({}, "must have one of `inputs` and `instances`. Received: []"),
        ({"inputs": HISTORY, "instances": [HISTORY]}, "must have one of `inputs` and `instances`"),
        ({"inputs": HISTORY, "signature_name": "x" * 999}, "not found in signature def"),
        ({"inputs": HISTORY, "signature_name": ["explain"]}, "not found in signature def"),
        ({"inputs": [["7"]]}, "`inputs` must be an object with a list for each input"),
        ({"inputs": {"k": [3]}}, "Missing named input: histories in 'inputs' object."),
        ({"inputs": {**HISTORY, "exclude": [True]}}, "must be among histories, lengths, k, excl"),
        ({"instances": {}}, "`instances` must be a list of objects"),
        ({"instances": []}, "`instances` must be a list of objects"),
        ({"instances": [["7"]]}, "`instances` must be a list of objects"),
        ({"instances": [{"histories": []}, {"k": 1}]}, "must all have the keys of the first"),
        ({"instances": [{"histories": []}, {"histories": ["7"]}]}, "lists of one length"),
        ({"inputs": {"histories": "7"}}, "`histories` must be a list of lists of one length"),
        ({"inputs": {"histories": ["7"]}}, "`histories` must be a list of lists of one length"),
        ({"inputs": {"histories": [["7"], "7"]}}, "must be a list of lists of one length"),
        ({"inputs": {"histories": [["7", "a"], ["7"], ["a", "7", "b"]]}}, "of one length"),
        ({"inputs": {"histories": [[["7"]]]}}, "`histories` must hold values of string"),
        ({"inputs": {"histories": [[7]]}}, "`histories` must hold values of string. Received: 7"),
        ({"inputs": {"histories": [[None]]}}, "`histories` must hold values of string"),
        ({"inputs": {"histories": [["\ud800"]]}}, "`histories` must hold values of string"),
        ({"inputs": {"histories": [[{"b64": "?"}]]}}, "`histories` must hold values of string"),
        ({"inputs": {"histories": [[{"b64": 7}]]}}, "`histories` must hold values of string"),
        ({"inputs": {"histories": [[{"b64": "", "x": 1}]]}}, "must hold values of string"),
        ({"inputs": {**HISTORY, "k": 3}}, "`k` must be a list. Received: 3"),
        ({"inputs": {**HISTORY, "k": ["3"]}}, "`k` must hold values of int32. Received: '3'"),
        ({"inputs": {**HISTORY, "k": [3.0]}}, "`k` must hold values of int32. Received: 3.0"),
        ({"inputs": {**HISTORY, "k": [True]}}, "`k` must hold values of int32. Received: True"),
        ({"inputs": {**HISTORY, "k": [2**31]}}, "`k` must hold values of int32"),
        ({"inputs": {**HISTORY, "k": [math.nan]}}, "`k` must hold values of int32. Received: nan"),
        ({"inputs": {**HISTORY, "exclude_seen": [1]}}, "must hold values of bool. Received: 1"),
        ({"inputs": {**HISTORY, "k": [1, 2, 3]}}, "`k` must have one row, or as many as `hist"),
        ({"inputs": {**HISTORY, "k": []}}, "`k` must have one row, or as many as `histories`"),
        ({"inputs": {"histories": [["7"]] * 513}}, "at most 512 histories here. Received: 513"),
        ({"inputs": {"histories": [[""] * 1000] * 200}}, "at most 131072 entries in all"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_refused(url: str, body: Any, message: str) -> None:
    answer = ask(url, "POST", PREDICT, body)
    assert answer.status == 400
    assert answer.body.keys() == {"error"}
    assert message in answer.body["error"] and len(answer.body["error"]) < 500
    assert ask(url, "POST", PREDICT, {"inputs": HISTORY}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/models/shoe", 404, "Servable not found for request: Latest(shoe)"),
        ("GET", "/v1/models/shop/versions/2", 404, "not found for request: Specific(shop, 2)"),
        ("POST", "/v1/models/shoe:predict", 404, "Servable not found for request"),
        ("POST", "/v1/models/shop/versions/99999999999999999999:predict", 404, "Servable not"),
        ("GET", "/v1/models/shop/versions/x", 400, "Malformed request: GET /v1/models/shop/vers"),
        ("POST", "/v1/models/shop:classify", 400, "Malformed request: POST /v1/models/shop:cl"),
        ("DELETE", "/v1/models/shop", 400, "Malformed request: DELETE /v1/models/shop"),
        ("GET", "/v1/models/../../etc/passwd", 400, "Malformed request"),
        ("GET", "/nowhere", 404, "Not Found"),
        ("DELETE", "/nowhere", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_said_not_to_be(
    url: str, method: str, path: str, status: int, message: str
) -> None:
    answer = ask(url, method, path, b"{}")
    assert answer.status == status and message in answer.body["error"]


@pytest.mark.skipif(not STATM.exists(), reason="memory is read from /proc/self/statm")
@pytest.mark.parametrize("size", [MOST_BYTES + 1, 20 * MOST_BYTES])
def test_a_long_body_is_refused_and_not_held(url: str, size: int) -> None:
    before = resident()
    answer = ask(url, "POST", PREDICT, b" " * size)
    assert answer.status == 413 and f"at most {MOST_BYTES} bytes" in answer.body["error"]
    # The test itself holds one of each in this process.
    assert resident() - before < 2 * size + 16 * 2**20


def test_a_body_as_long_as_may_be_is_answered(url: str) -> None:
    body = json.dumps({"inputs": HISTORY}).encode()
    assert ask(url, "POST", PREDICT, body.ljust(MOST_BYTES)).status == 200


def resident() -> int:
    pages = int(STATM.read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_clients_that_go_away_or_say_nothing_hold_nobody_up(url: str) -> None:
    place = urlsplit(url)
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 100\r\n\r\n{{"
    silent = [socket.create_connection((place.hostname, place.port)) for _ in range(8)]
    for number, connection in enumerate(silent):
        connection.sendall((head if number % 2 else head[: 9 * number]).encode())
    assert ask(url, "POST", PREDICT, {"inputs": HISTORY}).status == 200
    for connection in silent:
        connection.close()
    assert ask(url, "POST", PREDICT, {"inputs": HISTORY}).status == 200


def test_what_is_no_http_is_refused(url: str) -> None:
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert ask(url, "GET", "/v1/models/shop").status == 200


def test_pages_of_others_cannot_call_it_by_a_name_of_theirs(module: ServingModule) -> None:
    app = app_of(rest_routes(ServedModel("shop", module), Worker()), hosts=["localhost"])
    with app_server(app) as url:
        assert ask(url, "GET", "/v1/models/shop", Host="localhost:8501").status == 200
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request("GET", "/v1/models/shop", headers={"Host": "evil.example:8501"})
        assert connection.getresponse().status == 400
        connection.close()


@pytest.mark.parametrize(
    ("items", "length", "rows"), [(12, 5, 512), (100_000, 50, 167), (12, 400, 104), (2**25, 5, 1)]
)
def test_histories_are_few_where_each_needs_much(
    module: ServingModule, monkeypatch: pytest.MonkeyPatch, items: int, length: int, rows: int
) -> None:
    monkeypatch.setattr(module, "item_ids", range(items))
    monkeypatch.setattr(module, "max_length", length)
    monkeypatch.setattr("tf_recdenoiser.serve.model.Signature", lambda function: None)
    assert ServedModel("shop", module).most_rows == rows
