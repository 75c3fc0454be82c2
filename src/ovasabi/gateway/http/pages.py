"""The pages besides the API itself: health checks, the OpenAPI document, and the documentation."""

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get

from ovasabi import __version__
from ovasabi.gateway.metrics import MEDIA_TYPE, metrics
from ovasabi.gateway.readiness import readiness
from ovasabi.gateway.wire.headers import JSON
from ovasabi.gateway.wire.problems import NoRoute

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>OVASABI</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#ui", deepLinking: true, docExpansion: "none"})"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""What the documentation's page may load, all of it from here; Swagger UI styles its elements inline."""

Page = Response[bytes]


@get("/healthz", include_in_schema=False)
async def alive() -> Page:
    """Liveness: the process responds."""
    return Response(msgspec.json.encode({"status": "alive", "version": __version__}), media_type=JSON)


@get("/readyz", include_in_schema=False)
async def ready(request: Request[Any, Any, Any]) -> Page:
    """Readiness: the database responds too, and could be written to; with several servers, how each of them is."""
    problems = await readiness(request.app.state.platform)
    servers = {str(number): problem or "ready" for number, problem in problems.items()}
    body = {"status": "ready"} | ({"servers": servers} if len(servers) > 1 else {})
    return Response(msgspec.json.encode(body), media_type=JSON)


@get("/metrics", include_in_schema=False)
async def figures(request: Request[Any, Any, Any]) -> Page:
    """Metrics, for a key of the whole platform."""
    text = await metrics(request.app.state.platform, request.headers.get("authorization", ""))
    return Response(text.encode(), media_type=MEDIA_TYPE, headers={"cache-control": "no-store"})


@get("/openapi.json", include_in_schema=False)
async def openapi(request: Request[Any, Any, Any]) -> Page:
    """The OpenAPI document."""
    return Response(request.app.state.openapi, media_type=JSON)


@get("/docs", include_in_schema=False)
async def docs() -> Page:
    """The interactive API documentation."""
    return Response(_PAGE.encode(), media_type="text/html", headers={"content-security-policy": _POLICY})


@get("/docs/start.js", include_in_schema=False)
async def start() -> Page:
    """The script that starts the documentation: a page whose scripts are all files needs to trust none inside it."""
    return Response(_START.encode(), media_type="text/javascript")


@get("/docs/{asset:str}", include_in_schema=False)
async def file(request: Request[Any, Any, Any]) -> Page:
    """A static file of the documentation."""
    asset = str(request.path_params["asset"])
    if asset not in _ASSETS:
        raise NoRoute(method="GET", path=f"/docs/{asset}")
    headers = {"cache-control": "public, max-age=86400"}
    return Response((_assets() / asset).read_bytes(), media_type=_ASSETS[asset], headers=headers)


def _assets() -> Path:
    """Returns the folder of Swagger UI's files in its installed package: nothing is loaded from the internet."""
    spec = importlib.util.find_spec("swagger_ui")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "static"


PAGES = [alive, ready, figures, openapi, docs, start, file]
