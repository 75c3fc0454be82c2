"""The HTTP application: routes from the services, errors in one envelope, health, and the API's documentation."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State

from ovasabi import runtime
from ovasabi.gateway.disconnects import App, Receive, Send, cancelling_on_disconnect
from ovasabi.gateway.endpoints import respond
from ovasabi.gateway.failures import Asked, failure
from ovasabi.gateway.http import Http
from ovasabi.gateway.openapi import document
from ovasabi.gateway.pages import PAGES
from ovasabi.gateway.paths import ROOT
from ovasabi.gateway.requests import correlation_of
from ovasabi.gateway.router import Router
from ovasabi.kernel.service import services
from ovasabi.services import discover
from ovasabi.settings import Settings


def create_app(settings: Settings, database_url: str) -> App:
    """The application on a prepared database; its pools open and close with the server."""
    discover()
    methods = [method for service in services for method in service.methods()]
    app = _api_or_pages(Router(methods), _pages(settings, database_url, document(methods)))
    return cancelling_on_disconnect(_marked(app))


def _lifespan(settings: Settings, url: str) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with runtime.running(url, settings) as platform:
            app.state.platform = platform
            yield

    return lifespan


def _pages(settings: Settings, url: str, openapi: bytes) -> Litestar:
    return Litestar(
        route_handlers=PAGES,
        lifespan=[_lifespan(settings, url)],
        exception_handlers={Exception: _failed},
        openapi_config=None,
        logging_config=None,
        state=State({"openapi": openapi}),
    )


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    correlation = request.scope["state"].get("correlation_id")
    made = failure(Asked(request.method, request.url.path, request.headers, correlation), error)
    return Response(made.body, status_code=made.status, media_type=made.media_type, headers=made.headers)


def _api_or_pages(router: Router, pages: Litestar) -> App:
    """The API by its own router, the rest by Litestar, which also opens and closes the platform for both."""

    async def either(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{ROOT}/"):
            request = Http(scope, receive)
            made = await respond(router, pages.state.platform, request)
            await made.send(send, head=request.method == "HEAD")
        else:
            await pages(scope, receive, send)

    return either


def _marked(app: Any) -> App:
    """Gives each request its correlation id, and each answer the id and the headers that keep browsers careful."""

    async def marked(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        correlation = correlation_of(scope["headers"])
        scope.setdefault("state", {})["correlation_id"] = correlation
        extra = [(b"x-correlation-id", correlation.encode()), (b"x-content-type-options", b"nosniff")]

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await app(scope, receive, sending)

    return marked
