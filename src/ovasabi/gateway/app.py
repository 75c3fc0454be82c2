"""The HTTP application: routes from the services, errors in one envelope, health, and the API's documentation."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from ovasabi import runtime
from ovasabi.errors import OvasabiError
from ovasabi.gateway.disconnects import App, Receive, Send, cancelling_on_disconnect
from ovasabi.gateway.feeds import feed_routes
from ovasabi.gateway.http import BodyTooLarge
from ovasabi.gateway.openapi import document
from ovasabi.gateway.pages import PAGES
from ovasabi.gateway.problems import MEDIA_TYPE, BadRequest, NoRoute, Problem, problem_of, unexpected
from ovasabi.gateway.requests import correlation_of
from ovasabi.gateway.router import Route, Router
from ovasabi.gateway.routes import entity_routes
from ovasabi.kernel.entity import declared
from ovasabi.kernel.errors import VersionConflict, from_postgres
from ovasabi.kernel.service import Method, services
from ovasabi.services import discover
from ovasabi.settings import Settings

log = logging.getLogger("ovasabi.http")


def create_app(settings: Settings, database_url: str) -> App:
    """The application on a prepared database; its pools open and close with the server."""
    discover()
    methods = [method for service in services for method in service.methods()]
    inner = Litestar(
        route_handlers=[Router(_routes(methods)).handler(), *PAGES],
        lifespan=[_lifespan(settings, database_url)],
        exception_handlers={OvasabiError: _refused, HTTPException: _unroutable, Exception: _failed},
        openapi_config=None,
        logging_config=None,
        state=State({"openapi": document(methods)}),
    )
    return cancelling_on_disconnect(_marked(inner))


def _routes(methods: list[Method]) -> list[Route]:
    of_entities = entity_routes(methods)
    campaigns = next(routes for name, routes in of_entities.items() if declared[name].scope == "root")
    return [route for routes in of_entities.values() for route in routes.routes()] + feed_routes(campaigns)


def _lifespan(settings: Settings, url: str) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with runtime.running(url, settings) as platform:
            app.state.platform = platform
            yield

    return lifespan


def _refused(request: Request[Any, Any, Any], error: OvasabiError) -> Response[bytes]:
    # A version from If-Match is a precondition of HTTP's own, which has its own status.
    status = 412 if isinstance(error, VersionConflict) and "if-match" in request.headers else None
    status = 413 if isinstance(error, BodyTooLarge) else status
    return _problem(problem_of(error, _correlation(request), status))


def _unroutable(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if error.status_code == 404:
        return _refused(request, NoRoute(method=request.method, path=request.url.path))
    if error.status_code >= 500:
        return _failed(request, error)
    problem = BadRequest(problem=f"The request is refused: {error.detail or 'it is malformed'}.")
    return _problem(problem_of(problem, _correlation(request), error.status_code), error.headers)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    known = from_postgres(error, "entity", "") if hasattr(error, "sqlstate") else None  # type: ignore[arg-type]
    if known is not None:
        return _refused(request, known)
    log.error("%s %s failed (%s)", request.method, request.url.path, _correlation(request), exc_info=error)
    return _problem(unexpected(_correlation(request)))


def _problem(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    extra = dict(headers or {})
    if problem.status == 401:
        extra["www-authenticate"] = 'Bearer realm="ovasabi"'
    if problem.status in (429, 503):
        extra["retry-after"] = "1"
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE, headers=extra)


def _correlation(request: Request[Any, Any, Any]) -> str | None:
    return request.scope["state"].get("correlation_id")


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
