"""Finds the method that an HTTP request calls, by the segments of its path and what follows the colon of the last."""

from collections.abc import Iterable

import msgspec

from ovasabi.gateway.http.messages import HttpRequest
from ovasabi.gateway.wire.paths import paths_of, suffix_of, verb_of
from ovasabi.gateway.wire.problems import NoRoute
from ovasabi.kernel.declare.methods import Method


class Found(msgspec.Struct, frozen=True):
    """What answers at an address, by the method of HTTP; and the parameters that the address holds."""

    methods: dict[str, Method]
    parameters: dict[str, str]

    @property
    def allowed(self) -> str:
        """The methods of HTTP that are answered here."""
        return ", ".join(sorted({*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}))


class Node:
    """A place in the tree of addresses: what follows it by name, what follows it as a parameter, and what answers."""

    def __init__(self) -> None:
        self.named: dict[str, Node] = {}
        self.parameter: Node | None = None
        self.answers: dict[str, tuple[list[str], dict[str, Method]]] = {}
        """By what follows the colon: the names of the parameters on the way, and the methods."""


class Router:
    """All addresses, as a tree of segments. A named segment comes before one that may be anything."""

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
                _, at = node.answers.setdefault(suffix_of(method), (names, {}))
                at[verb_of(method)] = method

    def find(self, request: HttpRequest) -> Found:
        """What answers at the request's path; NoRoute if nothing does."""
        parts = segments(request.path)
        request.path = f"/{'/'.join(parts)}"
        last, _, suffix = parts[-1].partition(":") if parts else ("", "", "")
        values: list[str] = []
        found = _find(self._root, [*parts[:-1], last], suffix, 0, values)
        if found is None or "" in values:
            raise NoRoute(method=request.method, path=request.path)
        names, methods = found
        return Found(methods, dict(zip(names, values, strict=True)))


class WrongMethod(Exception):
    """There is something at the path, and the request's method of HTTP is none that it answers."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


def method_of(found: Found, request: HttpRequest) -> Method:
    """The method that the request's method of HTTP names."""
    method = found.methods.get(request.verb)
    if method is None:
        raise WrongMethod(found.allowed)
    return method


def segments(path: str) -> list[str]:
    """The parts of a path between its slashes."""
    return [segment for segment in path.split("/") if segment]


def _find(
    node: Node, path: list[str], suffix: str, place: int, values: list[str]
) -> tuple[list[str], dict[str, Method]] | None:
    if place == len(path):
        return node.answers.get(suffix)
    segment = path[place]
    if (named := node.named.get(segment)) and (found := _find(named, path, suffix, place + 1, values)):
        return found
    if node.parameter is not None:
        values.append(segment)
        if found := _find(node.parameter, path, suffix, place + 1, values):
            return found
        values.pop()
    return None
