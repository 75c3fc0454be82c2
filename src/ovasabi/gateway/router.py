"""Finds the method that an HTTP request calls, by the segments of its path and what follows the colon of the last."""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar.exceptions import MethodNotAllowedException

from ovasabi.gateway.http import Http
from ovasabi.gateway.paths import paths_of, suffix_of, verb_of
from ovasabi.gateway.problems import NoRoute
from ovasabi.kernel.methods import Method

ANY = "*"


class Found(msgspec.Struct, frozen=True):
    """What answers at an address, by the method of HTTP; and the parameters that the address holds."""

    methods: dict[str, Method]
    parameters: dict[str, str]

    @property
    def allowed(self) -> str:
        """The methods of HTTP that are answered here."""
        return ", ".join(sorted({*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}))


class Router:
    """All addresses, as a tree of segments. A named segment comes before one that may be anything."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._tree: dict[str, Any] = {}
        for method in methods:
            for path in paths_of(method):
                names, node = [], self._tree
                for segment in segments(path):
                    is_parameter = segment.startswith("{")
                    names += [segment[1:-1]] if is_parameter else []
                    node = node.setdefault(ANY if is_parameter else segment, {})
                _, at = node.setdefault(f":{suffix_of(method)}", (names, {}))
                at[verb_of(method)] = method

    def find(self, request: Http) -> Found:
        """What answers at the request's path; NoRoute if nothing does."""
        parts = segments(request.path)
        request.path = f"/{'/'.join(parts)}"
        last, _, suffix = parts[-1].partition(":") if parts else ("", "", "")
        values: list[str] = []
        found = _find(self._tree, [*parts[:-1], last], f":{suffix}", 0, values)
        if found is None or "" in values:
            raise NoRoute(method=request.method, path=request.path)
        names, methods = found
        return Found(methods, dict(zip(names, values, strict=True)))


def method_of(found: Found, request: Http) -> Method:
    """The method that the request's method of HTTP names."""
    method = found.methods.get(request.verb)
    if method is None:
        raise MethodNotAllowedException(headers={"allow": found.allowed})
    return method


def segments(path: str) -> list[str]:
    """The parts of a path between its slashes."""
    return [segment for segment in path.split("/") if segment]


def _find(node: dict[str, Any], path: list[str], suffix: str, place: int, values: list[str]) -> Any:
    if place == len(path):
        return node.get(suffix)
    segment = path[place]
    if (named := node.get(segment)) and (found := _find(named, path, suffix, place + 1, values)):
        return found
    if any_node := node.get(ANY):
        values.append(segment)
        if found := _find(any_node, path, suffix, place + 1, values):
            return found
        values.pop()
    return None
