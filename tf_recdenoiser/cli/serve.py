"""`tf-recdenoiser serve`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from typer import Argument, Option

from tf_recdenoiser._settings import default
from tf_recdenoiser.cli.console import busy, errors, note
from tf_recdenoiser.cli.device import computes
from tf_recdenoiser.retrieval import export_saved_model
from tf_recdenoiser.runs import load_run
from tf_recdenoiser.serve import address_of, create_app, listen, server_of


@computes
def serve(
    run: Annotated[Path, Argument(help="A run directory that `train` wrote.")],
    host: Annotated[
        str, Option(help="Where to listen. By default only this machine can ask.")
    ] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="0 for any that is free.")] = 8501,
    max_k: Annotated[
        int, Option(min=1, help="The most items that a history is answered with.")
    ] = default(export_saved_model, "max_k"),
) -> None:
    """Serve a run for a first look: a page to try histories on, and TensorFlow Serving's REST.

    What asks TensorFlow Serving can ask here, and nothing has to be exported. For many users, run
    TensorFlow Serving on what `export` writes. It answers whoever reaches it: `--host 0.0.0.0`
    opens it to the network.
    """
    with listen(host, port) as listener:
        url, hosts = address_of(listener)
        with busy(f"Loading {run}"):
            loaded = load_run(run)
            name = loaded.directory.path.resolve().name
            server = server_of(create_app(loaded, name, max_k, hosts))
        note(f"Page: {url}")
        note(f"REST: {url}/v1/models/{quote(name)}")
        note("Ctrl-C ends it.", errors)
        # Once it has ended, uvicorn passes Ctrl-C on.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
