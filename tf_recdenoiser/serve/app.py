"""The server's addresses: those of TensorFlow Serving, and those of the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from random import Random

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tf_recdenoiser.runs import Run
from tf_recdenoiser.serve.errors import RequestError
from tf_recdenoiser.serve.model import ServedModel
from tf_recdenoiser.serve.rest import rest_routes
from tf_recdenoiser.serve.trial import Trial
from tf_recdenoiser.serve.worker import Worker, answer, parsed

FILES = Path(__file__).parent / "page"
# The page loads nothing from elsewhere and runs no script but its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PAGE = {"/": "index.html", "/page/page.css": "page.css", "/page/page.js": "page.js"}


def create_app(run: Run, name: str, max_k: int, hosts: Sequence[str] = ("*",)) -> Starlette:
    """A server's application, for uvicorn or any other server of ASGI.

    Parameters
    ----------
    run
        The run to be served; nothing is written.
    name
        What requests call its model.
    max_k
        The most items that a history is answered with.
    hosts
        The names by which the server may be called; any by default. Those of this machine
        alone keep the pages of others from calling it by names of theirs.
    """
    model, worker = model_of(run, name, max_k), Worker()
    routes = [*rest_routes(model, worker), *_page_routes(Trial(run, model), worker)]
    return app_of(routes, hosts)


def model_of(run: Run, name: str, max_k: int) -> ServedModel:
    """The model that `Run.export` would write."""
    return ServedModel(name, run.serving_module(max_k))


def app_of(routes: Sequence[Route], hosts: Sequence[str] = ("*",)) -> Starlette:
    """An application with these addresses, whose errors are JSON."""
    return Starlette(
        routes=list(routes),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={
            RequestError: lambda _, error: _failed(str(error), error.status),
            HTTPException: lambda _, error: _failed(error.detail, error.status_code),
            Exception: lambda *_: _failed("The server failed; its terminal says how.", 500),
        },
    )


def _failed(message: str, status: int) -> Response:
    return answer({"error": message}, status)


def _page_routes(trial: Trial, worker: Worker) -> list[Route]:
    random = Random()

    async def about(request: Request) -> Response:
        return answer(trial.about())

    async def items(request: Request) -> Response:
        text = request.query_params.get("q", "")
        return await worker(request, lambda _: trial.found(text))

    async def example(request: Request) -> Response:
        return await worker(request, lambda _: trial.example(random))

    async def tried(request: Request) -> Response:
        return await worker(request, lambda body: trial.tried(parsed(body)))

    return [
        *(Route(path, _file(name)) for path, name in _PAGE.items()),
        Route("/page/about", about),
        Route("/page/items", items),
        Route("/page/example", example),
        Route("/page/try", tried, methods=["POST"]),
    ]


def _file(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return FileResponse(FILES / name, headers=_HEADERS)

    return endpoint
