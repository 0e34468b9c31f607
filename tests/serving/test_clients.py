"""The clients of examples/serving, asking a server."""

from __future__ import annotations

import doctest
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.retrieval.reference import (
    MAX_K,
    MAX_LENGTH,
    UNKNOWN,
    VOCABULARIES,
    Taste,
    random_recommender,
    recommend,
)
from tests.serving import c_loader, servers
from tests.serving.servers import Addresses, Shop
from tf_recdenoiser.backbones import SSEPT, TiSASRec
from tf_recdenoiser.training import Recommender
from tf_recdenoiser.training.explain import explain

pytestmark = pytest.mark.skipif(
    not c_loader.SUPPORTED, reason="TensorFlow's C library is found on Linux only"
)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "serving"
LENGTH = 9
SERVERS = [
    servers.first_look,
    servers.stand_in,
    pytest.param(
        servers.tensorflow_serving,
        marks=pytest.mark.skipif(
            servers.BINARY is None, reason="tensorflow_model_server is not on PATH"
        ),
    ),
]


class Served(NamedTuple):
    """A model, the kind of its ids, and where it is served as "shop"."""

    model: Recommender
    kind: str
    at: Addresses


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.__name__)
def server(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module", params=sorted(VOCABULARIES))
def served(
    request: pytest.FixtureRequest, server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    model, kind = random_recommender(), request.param
    folder = tmp_path_factory.mktemp("served")
    shop = Shop(model, VOCABULARIES[kind], folder, {"max_k": MAX_K})
    with shop.served_by(server) as addresses:
        yield Served(model, kind, addresses)


WAYS = ("rest", "grpc")


@pytest.fixture
def clients(server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Clients for the model "shop", which send histories of `LENGTH` columns."""
    monkeypatch.syspath_prepend(EXAMPLES)
    from grpc_client import GrpcClient
    from rest_client import RestClient

    found = {
        "rest": lambda at: RestClient("shop", at.rest, LENGTH),
        "grpc": lambda at: GrpcClient("shop", at.grpc, LENGTH),
    }
    return {way: found[way] for way in ways_of(server)}


def ways_of(server: Any) -> tuple[str, ...]:
    return ("rest",) if server is servers.first_look else WAYS


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, server: Any) -> str:
    if request.param not in ways_of(server):
        pytest.skip("it answers over REST alone")
    return request.param


@pytest.fixture
def client_of(way: str, clients: dict[str, Any]) -> Callable[[Addresses], Any]:
    return clients[way]


def histories_of(kind: str) -> list[list[Any]]:
    """Short, as long as the model reads and longer; with unknown and repeated items; empty."""
    ids, unknown = VOCABULARIES[kind].tolist(), UNKNOWN[kind]
    return [
        ids[:2],
        ids[1 : 1 + MAX_LENGTH],
        ids[:LENGTH],
        [unknown[1], ids[4], ids[4]],
        unknown,
        [],
    ]


@pytest.mark.parametrize("k", [1, 10, MAX_K])
@pytest.mark.parametrize("seen_out", [True, False])
def test_it_is_recommended_what_the_model_says(
    served: Served, client_of: Callable[[Addresses], Any], k: int, seen_out: bool
) -> None:
    histories = histories_of(served.kind)
    found = client_of(served.at).recommend(histories, k, exclude_seen=seen_out)
    assert len(found) == len(histories)
    for history, row in zip(histories, found, strict=True):
        ids, scores = recommend(served.model, VOCABULARIES[served.kind], history, k, seen_out)
        assert [item for item, _ in row] == ids
        assert [score for _, score in row] == pytest.approx(scores, rel=1e-5, abs=1e-5)


def test_rows_may_ask_for_different_numbers(
    served: Served, client_of: Callable[[Addresses], Any]
) -> None:
    histories = histories_of(served.kind)[:3]
    found = client_of(served.at).recommend(histories, k=[3, 1, 2])
    assert [len(row) for row in found] == [3, 1, 2]


@pytest.mark.parametrize("size", [1, 512])
def test_a_batch_of_any_size(
    served: Served, client_of: Callable[[Addresses], Any], size: int
) -> None:
    histories = (histories_of(served.kind) * size)[:size]
    found = client_of(served.at).recommend(histories, k=1, exclude_seen=False)
    for history, ((item, _),) in zip(histories[:6], found[:6], strict=True):
        wanted, _ = recommend(served.model, VOCABULARIES[served.kind], history, 1, False)
        assert [item] == wanted
    assert found == (found[:6] * size)[:size]


def test_what_was_kept_is_explained(served: Served, client_of: Callable[[Addresses], Any]) -> None:
    ids, unknown = VOCABULARIES[served.kind].tolist(), UNKNOWN[served.kind]
    found = client_of(served.at).explain([[ids[3], unknown[1], ids[0]], []])
    expected = explain(served.model, np.array([[0, 0, 0, 4, 1]], np.int32)).kept[0]
    assert found[1] == []
    assert [one.item for one in found[0]] == [ids[3], unknown[1], ids[0]]
    first, unread, last = (one.kept for one in found[0])
    assert unread is None
    assert [first, last] == pytest.approx(expected[-2:].tolist(), rel=1e-4)


def test_a_k_that_cannot_be_is_taken_for_the_nearest(
    served: Served, client_of: Callable[[Addresses], Any]
) -> None:
    client, count = client_of(served.at), len(VOCABULARIES[served.kind])
    found = client.recommend([[]] * 3, k=[0, -7, MAX_K + 1])
    assert [len(row) for row in found] == [1, 1, min(count, MAX_K)]
    inputs = {"histories": [[]] * 3, "lengths": [-1] * 3, "exclude_seen": [True] * 3}
    answer = client.predict("serving_default", {**inputs, "k": [0, 7, MAX_K + 1]})
    assert answer["k"] == [1, 7, MAX_K]


def test_a_request_is_refused_in_the_models_words(
    served: Served, client_of: Callable[[Addresses], Any]
) -> None:
    inputs = {"histories": [[]], "lengths": [-1, -1, -1]}
    with pytest.raises(ValueError, match="`lengths` must have one row, or as many as `histories`"):
        client_of(served.at).predict("explain", inputs)


def test_a_model_that_is_not_served_is_said_to_be_missing(
    served: Served, client_of: Callable[[Addresses], Any]
) -> None:
    client = type(client_of(served.at))
    address = served.at.rest if client.__name__ == "RestClient" else served.at.grpc
    with pytest.raises(ValueError, match="Servable not found"):
        client("shoe", address)


def test_without_a_server_it_says_how_to_start_one(
    client_of: Callable[[Addresses], Any],
) -> None:
    nowhere = Addresses("http://localhost:1", "localhost:1")
    with pytest.raises(ConnectionError, match=r"A server must answer at .*localhost:1.*README.md"):
        client_of(nowhere)


def test_the_client_wants_a_value_for_each_history(
    served: Served, client_of: Callable[[Addresses], Any]
) -> None:
    with pytest.raises(ValueError, match=r"`k` must have one value for each of 1.* Received: 2"):
        client_of(served.at).recommend([[]], k=[1, 2])


@pytest.mark.parametrize("kind", [TiSASRec, SSEPT], ids=["times", "users"])
def test_times_and_users_are_sent_to_models_that_read_them(
    kind: Any, server: Any, clients: dict[str, Callable[[Addresses], Any]], tmp_path: Path
) -> None:
    users = {} if kind is TiSASRec else {"user_count": 2}
    model = Recommender(kind(item_count=3, max_length=4, hidden_dim=8, **users))
    named = {"user_ids": np.array(["ann", "bob"])} if users else {}
    shop = Shop(model, np.array([10, 20, 30]), tmp_path, named)
    inputs = {"item_ids": np.array([[0, 0, 1, 3]], np.int32)}
    if users:
        further: dict[str, Any] = {"users": ["bob"]}
        inputs["user_ids"] = np.array([2], np.int32)
    else:
        further = {"times": [[1.5e9, 1.5e9 + 60]]}
        inputs["times"] = np.array([[0, 0, 1.5e9, 1.5e9 + 60]])
    expected = model.score(**inputs)[0, 1:].tolist()
    with shop.served_by(server) as addresses:
        for client_of in clients.values():
            client = client_of(addresses)
            (found,) = client.recommend([[10, 30]], exclude_seen=False, **further)
            assert dict(found) == pytest.approx(
                dict(zip([10, 20, 30], expected, strict=True)), abs=1e-5
            )
            assert [one.item for one in client.explain([[10, 30]], **further)[0]] == [10, 30]
            if users:
                stranger = model.score(**{**inputs, "user_ids": np.zeros(1, np.int32)})[0, 1:].max()
                ((best,),) = client.recommend([[10, 30]], k=1, exclude_seen=False)
                assert best[1] == pytest.approx(stranger, abs=1e-5)
            else:
                with pytest.raises(ValueError, match="`times` must be given: the model reads it"):
                    client.recommend([[10, 30]])


def test_the_examples_of_the_columns_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    import columns

    outcome = doctest.testmod(columns)
    assert outcome.attempted == 9 and outcome.failed == 0


# --- From a shell -----------------------------------------------------------------------------


def test_a_shell_gets_a_line_for_each_item(served: Served, way: str) -> None:
    if served.kind == "str":
        pytest.skip("ids with line breaks are for Python")
    history = VOCABULARIES["int"].tolist()[:2]
    command = [sys.executable, str(EXAMPLES / f"{way}_client.py"), "shop", "-k", "3"]
    options = [f"--history={','.join(map(str, history))}", "--server", getattr(served.at, way)]
    outcome = subprocess.run([*command, *options], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    ids, scores = recommend(served.model, VOCABULARIES["int"], history, 3, True)
    assert outcome.stdout == "".join(
        f"{item}\t{score:.3f}\n" for item, score in zip(ids, scores, strict=True)
    )


@pytest.fixture
def rest_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[list[str]]]:
    """The REST client's command, called in this process: the cells of its lines."""
    monkeypatch.syspath_prepend(EXAMPLES)
    from command_line import run
    from rest_client import RestClient

    def command(at: Addresses, *arguments: str, model: str = "shop") -> list[list[str]]:
        run(RestClient, "nowhere", None, [model, "--server", at.rest, *arguments])
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    return command


def test_a_shell_is_told_what_was_kept(
    served: Served, rest_command: Callable[..., list[list[str]]]
) -> None:
    known = "40,3" if served.kind == "int" else "7,ä"
    lines = rest_command(served.at, "--history", f"{known},2", "--explain")
    assert [item for item, _ in lines] == [*known.split(","), "2"]
    assert lines[2] == ["2", "unknown"]
    assert all(0 <= float(share) <= 1 for _, share in lines[:2])
    assert rest_command(served.at, "--explain") == []


def test_the_probability_of_noise_is_told(
    server: Any,
    clients: dict[str, Callable[[Addresses], Any]],
    rest_command: Callable[..., list[list[str]]],
    tmp_path: Path,
) -> None:
    """Of dislike, here, with what is said of them and without."""
    ids, taste = VOCABULARIES["int"], Taste.drawn()
    shop = Shop(random_recommender(), ids, tmp_path, {"noise": taste.scorer()})
    history = [*ids[[3, 8]].tolist(), UNKNOWN["int"][1], *ids[[5, 2]].tolist()]
    typed = ["--history", ",".join(map(str, history)), "--explain"]
    said = ["--liked", str(history[0]), "--disliked", str(history[3])]
    nan = np.nan
    with shop.served_by(server) as addresses:
        for disliked, options, known in (
            ({}, [], [nan] * 4),
            ({"disliked": [[0, -1, -1, 1, -1]]}, said, [0.0, nan, 1.0, nan]),
        ):
            expected = taste.probabilities([4, 9, 6, 3], known)
            for client_of in clients.values():
                (found,) = client_of(addresses).explain([history], **disliked)
                assert [one.item for one in found] == history
                told = [one.noise for one in found]
                assert told.pop(2) is None
                assert told == pytest.approx(expected, rel=1e-4)
            lines = rest_command(addresses, *typed, *options)
            assert lines.pop(2) == [str(history[2]), "unknown"]
            told = [float(probability) for *_, probability in lines]
            assert told == pytest.approx(expected, abs=1e-3)
        with pytest.raises(SystemExit, match=r"must name items of the history. Received: 12"):
            rest_command(addresses, *typed, "--disliked", "12")


def test_an_error_ends_the_command_with_its_message(
    served: Served, rest_command: Callable[..., list[list[str]]]
) -> None:
    with pytest.raises(SystemExit, match="Servable not found"):
        rest_command(served.at, model="shoe")
    with pytest.raises(SystemExit, match=r"A server must answer at http://localhost:1/"):
        rest_command(Addresses("http://localhost:1", ""))


def test_without_the_package_the_grpc_client_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(SystemExit, match="pip install grpcio tensorflow-serving-api"):
        runpy.run_path(str(EXAMPLES / "grpc_client.py"))
