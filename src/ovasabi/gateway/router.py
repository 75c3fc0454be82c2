"""The API's own router: finds the endpoint of a path by its segments, and answers HEAD and OPTIONS by itself."""

from typing import Any

import msgspec
from litestar.exceptions import MethodNotAllowedException

from ovasabi.gateway.failures import Asked, failure
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

    async def answer(self, request: Http, platform: Platform) -> Answer:
        """Finds the endpoint and runs it; whatever goes wrong is answered as well."""
        try:
            found = self._found(request)
            if request.method == "OPTIONS":
                return Answer(b"", 204, headers={"allow": found.allowed})
            return await found.endpoint(request, platform)
        except Exception as error:
            return failure(Asked(request.method, request.path, request.headers, request.correlation_id), error)

    def _found(self, request: Http) -> "_Endpoint":
        values: list[str] = []
        parts = segments(request.path)
        request.path = f"/{'/'.join(parts)}"
        found = _find(self._tree, parts, 0, values)
        if found is None:
            raise NoRoute(method=request.method, path=request.path)
        if request.method not in found.verbs:
            raise MethodNotAllowedException(headers={"allow": found.allowed})
        request.path_params = dict(zip(found.names, values, strict=True))
        return found


def segments(path: str) -> list[str]:
    """The parts of a path between its slashes."""
    return [segment for segment in path.split("/") if segment]


class _Endpoint:
    def __init__(self, route: Route, names: list[str]) -> None:
        self.endpoint = route.endpoint
        self.names = names
        self.verbs = {*route.verbs, "OPTIONS", *(["HEAD"] if "GET" in route.verbs else [])}
        self.allowed = ", ".join(sorted(self.verbs))


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
