"""The HTTP application: routes from the services, errors in one envelope, health, and the API's documentation."""

from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.http.disconnects import App, Receive, Send, cancelling_on_disconnect
from ovasabi.gateway.http.endpoints import respond
from ovasabi.gateway.http.failures import Asked, failure, refused
from ovasabi.gateway.http.messages import HttpRequest
from ovasabi.gateway.http.pages import PAGES
from ovasabi.gateway.http.requests import correlation_of
from ovasabi.gateway.http.router import Router
from ovasabi.gateway.wire.paths import ROOT
from ovasabi.kernel.service import declared_methods
from ovasabi.runtime import Platform


def create_app(platform: Platform) -> App:
    """The application of a running platform."""
    methods = declared_methods()
    app = _api_or_pages(Router(methods), platform, _pages(platform, document(methods)))
    return cancelling_on_disconnect(_marked(app))


def _pages(platform: Platform, openapi: bytes) -> Litestar:
    return Litestar(
        route_handlers=PAGES,
        exception_handlers={Exception: _failed},
        openapi_config=None,
        logging_config=None,
        state=State({"openapi": openapi, "platform": platform}),
    )


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    correlation = request.scope["state"].get("correlation_id")
    asked = Asked(request.method, request.url.path, request.headers, correlation)
    if isinstance(error, HTTPException) and error.status_code < 500:
        made = refused(asked, error.status_code, error.detail, error.headers)
    else:
        made = failure(asked, error)
    return Response(made.body, status_code=made.status, media_type=made.media_type, headers=made.headers)


def _api_or_pages(router: Router, platform: Platform, pages: Litestar) -> App:
    """The API by its own router, the rest by Litestar."""

    async def either(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{ROOT}/"):
            request = HttpRequest(scope, receive)
            made = await respond(router, platform, request)
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
