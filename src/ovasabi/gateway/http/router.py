"""Finds the method that an HTTP request calls by the segments of its path and the suffix after the last one's colon."""

from collections.abc import Iterable

import msgspec

from ovasabi.gateway.http.messages import HttpRequest
from ovasabi.gateway.wire.paths import paths_of, suffix_of, verb_of
from ovasabi.gateway.wire.problems import NoRoute
from ovasabi.kernel.declare.methods import Method


class Route(msgspec.Struct, frozen=True):
    """The methods at a path, by HTTP method, and the parameters of the path."""

    methods: dict[str, Method]
    parameters: dict[str, str]

    @property
    def allowed(self) -> str:
        """The value of the Allow header: the HTTP methods that the path supports."""
        return ", ".join(sorted({*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}))


class Node:
    """A node in the tree of paths: its named children, its parameter child, and the methods whose paths end here."""

    def __init__(self) -> None:
        self.named: dict[str, Node] = {}
        self.parameter: Node | None = None
        self.routes: dict[str, tuple[list[str], dict[str, Method]]] = {}
        """By suffix: the names of the path's parameters, and the methods."""


class Router:
    """All paths, as a tree of segments. A named segment takes precedence over a parameter."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._root = Node()
        for method in methods:
            for path in paths_of(method):
                names, node = [], self._root
                for segment in segments(path):
                    if segment.startswith("{"):
                        names.append(segment[1:-1])
                        node.parameter = node.parameter or Node()
                        node = node.parameter
                    else:
                        node = node.named.setdefault(segment, Node())
                _, by_verb = node.routes.setdefault(suffix_of(method), (names, {}))
                by_verb[verb_of(method)] = method

    def find(self, request: HttpRequest) -> Route:
        """Returns the route at the request's path; raises NoRoute if there is none."""
        parts = segments(request.path)
        request.path = f"/{'/'.join(parts)}"
        last, _, suffix = parts[-1].partition(":") if parts else ("", "", "")
        values: list[str] = []
        found = _find(self._root, [*parts[:-1], last], suffix, 0, values)
        if found is None or "" in values:
            raise NoRoute(method=request.method, path=request.path)
        names, methods = found
        return Route(methods, dict(zip(names, values, strict=True)))


class WrongMethod(Exception):
    """The path exists, but does not support the HTTP method of the request."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


def method_of(route: Route, request: HttpRequest) -> Method:
    """Returns the method that the HTTP method of the request selects."""
    method = route.methods.get(request.verb)
    if method is None:
        raise WrongMethod(route.allowed)
    return method


def segments(path: str) -> list[str]:
    """Returns the parts of a path between its slashes."""
    return [segment for segment in path.split("/") if segment]


def _find(
    node: Node, path: list[str], suffix: str, index: int, values: list[str]
) -> tuple[list[str], dict[str, Method]] | None:
    if index == len(path):
        return node.routes.get(suffix)
    segment = path[index]
    if (named := node.named.get(segment)) and (found := _find(named, path, suffix, index + 1, values)):
        return found
    if node.parameter is not None:
        values.append(segment)
        if found := _find(node.parameter, path, suffix, index + 1, values):
            return found
        values.pop()
    return None
