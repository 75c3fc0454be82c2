"""The API's own router: finds the endpoint of a path by its segments, and answers HEAD and OPTIONS by itself."""

from typing import Any

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from ovasabi.gateway.http import Answer, Endpoint, Http
from ovasabi.gateway.problems import NoRoute
from ovasabi.runtime import Platform

ROOT = "/v1"
ANY = "*"


class Route(msgspec.Struct, frozen=True):
    """What answers at a path such as `/v1/campaigns/{campaign}/contents`, to some methods of HTTP."""

    path: str
    endpoint: Endpoint
    verbs: list[str]


class Router:
    """All routes, as a tree of segments. A named segment comes before one that may be anything."""

    def __init__(self, routes: list[Route]) -> None:
        self._tree: dict[str, Any] = {}
        for route in routes:
            names = []
            node = self._tree
            for segment in segments(route.path):
                is_parameter = segment.startswith("{")
                names += [segment[1:-1]] if is_parameter else []
                node = node.setdefault(ANY if is_parameter else segment, {})
            node[""] = _Endpoint(route, names)

    def handler(self) -> ASGIRouteHandler:
        """The routes as one handler of Litestar's, mounted at their root.

        Litestar's own routes cost three times as much, and its ASGI handlers cannot have parameters in their paths.
        """

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            await self.answer(scope, receive, send)

        return ASGIRouteHandler(ROOT, is_mount=True, copy_scope=False)(handle)

    async def answer(self, scope: Any, receive: Receive, send: Send) -> None:
        """Finds the endpoint, runs it, and sends its answer."""
        path, method = ROOT + scope["path"].rstrip("/"), scope["method"]
        values: list[str] = []
        found = _find(self._tree, segments(path), 0, values)
        if found is None:
            raise NoRoute(method=method, path=path)
        if method == "OPTIONS":
            await Answer(b"", 204, headers={"allow": found.allowed}).send(send)
            return
        if method not in found.verbs:
            raise MethodNotAllowedException(headers={"allow": found.allowed})
        parameters = dict(zip(found.names, values, strict=True))
        request = Http(scope, receive, "GET" if method == "HEAD" else method, path, parameters)
        platform: Platform = scope["litestar_app"].state.platform
        made = await found.endpoint(request, platform)
        await made.send(send, head=method == "HEAD")


def segments(path: str) -> list[str]:
    """The parts of a path between its slashes."""
    return [segment for segment in path.split("/") if segment]


class _Endpoint:
    def __init__(self, route: Route, names: list[str]) -> None:
        self.endpoint = route.endpoint
        self.names = names
        self.verbs = {*route.verbs, *(["HEAD"] if "GET" in route.verbs else [])}
        self.allowed = ", ".join(sorted([*self.verbs, "OPTIONS"]))


def _find(node: dict[str, Any], path: list[str], place: int, values: list[str]) -> _Endpoint | None:
    if place == len(path):
        endpoint: _Endpoint | None = node.get("")
        return endpoint
    segment = path[place]
    if (named := node.get(segment)) and (found := _find(named, path, place + 1, values)):
        return found
    if any_node := node.get(ANY):
        values.append(segment)
        if found := _find(any_node, path, place + 1, values):
            return found
        values.pop()
    return None
