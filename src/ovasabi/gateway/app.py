"""The HTTP application: routes from the services, errors in one envelope, health, and the API's documentation."""

import importlib.util
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from ovasabi import __version__, runtime
from ovasabi.errors import OvasabiError
from ovasabi.gateway.disconnects import App, Receive, Send, cancelling_on_disconnect
from ovasabi.gateway.feeds import feed_handlers
from ovasabi.gateway.openapi import document
from ovasabi.gateway.problems import MEDIA_TYPE, BadRequest, NoRoute, Problem, problem_of, unexpected
from ovasabi.gateway.requests import Http, correlation_of
from ovasabi.gateway.routes import Answer, answer, entity_routes, handler
from ovasabi.kernel.entity import declared
from ovasabi.kernel.errors import VersionConflict, from_postgres
from ovasabi.kernel.service import Method, services
from ovasabi.runtime import Platform
from ovasabi.services import discover
from ovasabi.settings import Settings

MAX_BODY_BYTES = 8 * 1024 * 1024
log = logging.getLogger("ovasabi.http")
_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>OVASABI</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true, docExpansion: "none"})</script>
</body></html>"""


def create_app(settings: Settings, database_url: str) -> App:
    """The application on a prepared database; its pools open and close with the server."""
    discover()
    methods = [method for service in services for method in service.methods()]
    inner = Litestar(
        route_handlers=_handlers(methods),
        lifespan=[_lifespan(settings, database_url)],
        exception_handlers={OvasabiError: _refused, HTTPException: _unroutable, Exception: _failed},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        state=State({"openapi": document(methods)}),
    )
    return cancelling_on_disconnect(_marked(inner))


def _handlers(methods: list[Method]) -> list[HTTPRouteHandler]:
    routes = entity_routes(methods)
    campaigns = next(route for name, route in routes.items() if declared[name].scope == "root")
    handlers = [item for route in routes.values() for item in route.handlers()]
    handlers += feed_handlers(campaigns)
    handlers += [
        handler("/healthz", _alive, ["GET"]),
        handler("/readyz", _ready, ["GET"]),
        handler("/openapi.json", _openapi, ["GET"]),
        handler("/docs", _docs, ["GET"]),
        handler("/docs/{asset:str}", _asset, ["GET"]),
    ]
    return handlers


def _lifespan(settings: Settings, url: str) -> Callable[[Litestar], Any]:
    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with runtime.running(url, settings) as platform:
            app.state.platform = platform
            yield

    return lifespan


async def _alive(request: Http, platform: Platform) -> Answer:
    return answer({"status": "alive", "version": __version__})


async def _ready(request: Http, platform: Platform) -> Answer:
    await platform.database.read("SELECT 1", timeout=2)
    return answer({"status": "ready"})


async def _openapi(request: Http, platform: Platform) -> Answer:
    return Response(request.app.state.openapi, media_type="application/json")


async def _docs(request: Http, platform: Platform) -> Answer:
    return Response(_PAGE.encode(), media_type="text/html")


async def _asset(request: Http, platform: Platform) -> Answer:
    name = str(request.path_params["asset"])
    if name not in _ASSETS:
        raise NoRoute(method="GET", path=request.url.path)
    headers = {"cache-control": "public, max-age=86400"}
    return Response((_assets() / name).read_bytes(), media_type=_ASSETS[name], headers=headers)


def _assets() -> Path:
    """The files of Swagger UI, from the package that brings them: nothing is loaded from elsewhere."""
    spec = importlib.util.find_spec("swagger_ui")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "static"


def _refused(request: Request[Any, Any, Any], error: OvasabiError) -> Answer:
    # A version from If-Match is a precondition of HTTP's own, which has its own status.
    status = 412 if isinstance(error, VersionConflict) and "if-match" in request.headers else None
    return _problem(problem_of(error, _correlation(request), status))


def _unroutable(request: Request[Any, Any, Any], error: HTTPException) -> Answer:
    if error.status_code == 404:
        return _refused(request, NoRoute(method=request.method, path=request.url.path))
    if error.status_code == 413:
        too_large = BadRequest(problem=f"A body may have {MAX_BODY_BYTES} bytes at most.")
        return _problem(problem_of(too_large, _correlation(request), 413))
    if error.status_code >= 500:
        return _failed(request, error)
    problem = BadRequest(problem=f"The request is refused: {error.detail or 'it is malformed'}.")
    return _problem(problem_of(problem, _correlation(request), error.status_code), error.headers)


def _failed(request: Request[Any, Any, Any], error: Exception) -> Answer:
    known = from_postgres(error, "entity", "") if hasattr(error, "sqlstate") else None  # type: ignore[arg-type]
    if known is not None:
        return _refused(request, known)
    log.error("%s %s failed (%s)", request.method, request.url.path, _correlation(request), exc_info=error)
    return _problem(unexpected(_correlation(request)))


def _problem(problem: Problem, headers: dict[str, str] | None = None) -> Answer:
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
        correlation = correlation_of(Request(scope))
        scope.setdefault("state", {})["correlation_id"] = correlation
        extra = [(b"x-correlation-id", correlation.encode()), (b"x-content-type-options", b"nosniff")]

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await app(scope, receive, sending)

    return marked
