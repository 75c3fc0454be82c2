"""The HTTP application: the API routes of the services, problem details, health checks, and the documentation."""

from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.http.disconnects import App, Receive, Send, cancelling_on_disconnect
from ovasabi.gateway.http.endpoints import respond
from ovasabi.gateway.http.failures import RequestInfo, failure, refused
from ovasabi.gateway.http.messages import HttpRequest
from ovasabi.gateway.http.pages import PAGES
from ovasabi.gateway.http.requests import correlation_of
from ovasabi.gateway.http.router import Router
from ovasabi.gateway.wire.headers import SAFE
from ovasabi.gateway.wire.paths import ROOT
from ovasabi.kernel.call.context import trace
from ovasabi.kernel.service import declared_methods
from ovasabi.runtime import Platform


def create_app(platform: Platform) -> App:
    """Returns the ASGI application of a running platform."""
    methods = declared_methods()
    app = _api_or_pages(Router(methods), platform, _pages(platform, document(methods)))
    return cancelling_on_disconnect(_with_headers(app))


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
    info = RequestInfo(request.method, request.url.path, request.headers, correlation)
    if isinstance(error, HTTPException) and error.status_code < 500:
        answer = refused(info, error.status_code, error.detail, error.headers)
    else:
        answer = failure(info, error)
    return Response(answer.body, status_code=answer.status, media_type=answer.media_type, headers=answer.headers)


def _api_or_pages(router: Router, platform: Platform, pages: Litestar) -> App:
    """Routes API requests to our own router, and all others to Litestar."""

    async def either(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{ROOT}/"):
            request = HttpRequest(scope, receive)
            response = await respond(router, platform, request)
            await response.send(send, head=request.method == "HEAD")
        else:
            await pages(scope, receive, send)

    return either


def _with_headers(app: Any) -> App:
    """Gives each request a correlation id, and each response that id and what browsers and caches have to know."""

    async def wrapped(scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        correlation = correlation_of(scope["headers"])
        trace(correlation)
        scope.setdefault("state", {})["correlation_id"] = correlation
        extra = [(b"x-correlation-id", correlation.encode()), *SAFE]

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in extra if pair[0] not in own)]
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
