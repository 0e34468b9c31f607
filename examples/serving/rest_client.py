"""Ask a served recommender over REST. It needs Python alone.

python examples/serving/rest_client.py MODEL --history ID,ID,ID
python examples/serving/rest_client.py MODEL --history ID,ID,ID --explain
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from client import Client
from command_line import run


class RestClient(Client):
    """One model of a server.

    Parameters
    ----------
    model
        Its name.
    server
        Where the server's REST port is.
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
        server: str = "http://localhost:8501",
        length: int | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._url = f"{server}/v1/models/{urllib.parse.quote(model)}"
        self.length = length
        self._timeout = timeout
        signatures = self._send("/metadata")["metadata"]["signature_def"]["signature_def"]
        self.dtypes = {
            name: {tensor: info["dtype"] for tensor, info in signature["inputs"].items()}
            for name, signature in signatures.items()
        }

    def predict(self, signature: str, inputs: Mapping[str, list[Any]]) -> dict[str, Any]:
        return self._send(":predict", {"signature_name": signature, "inputs": inputs})["outputs"]

    def _send(self, method: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(self._url + method, data, self._timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error)["error"]) from error
        except urllib.error.URLError as error:
            raise ConnectionError(
                f"A server must answer at {self._url}: README.md, beside this file, says how to "
                f"start one. Received: {error.reason}"
            ) from error


if __name__ == "__main__":
    run(RestClient, "http://localhost:8501", __doc__)
