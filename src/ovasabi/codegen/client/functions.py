"""Generates the client's functions: one for each method, and for a list two, by item and by page."""

import typing
from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET

from ovasabi.codegen.client.annotations import Part, parts_of, text_of, without_unset
from ovasabi.codegen.client.formatting import Group, docstring, laid_out
from ovasabi.gateway.wire.paths import ROOT, SCOPED, addresses_of, verb_of
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource
from ovasabi.kernel.store.listing import Page

TOKENS = {"next_page_token": "page_token", "next_cursor": "after"}
"""The field of the response with the next page's token, and the parameter of the request that takes it."""
_OF_PAGES = ("page_token", "include_total")
_RESERVED = {"self", "reference", "expected_version", "idempotency_key", "as_of"}


class Paging(msgspec.Struct, frozen=True):
    """The pagination of a list."""

    items: str
    token: str
    item: Any

    @property
    def parameter(self) -> str:
        """The parameter that requests the next page."""
        return TOKENS[self.token]


def functions_of(method: Method) -> list[str]:
    """Returns the source of the asynchronous functions of a method."""
    paging = paging_of(method)
    if method.operation is MethodKind.WATCH:
        return [_streaming(method)]
    return [_plain(method, method.function)] if paging is None else [_all(method, paging), _plain(method, "page")]


def paging_of(method: Method) -> Paging | None:
    """Returns the pagination of a list; None if the method has no pages."""
    if method.operation is not MethodKind.LIST or method.request is None:
        return None
    if typing.get_origin(method.response) is Page:
        return Paging("items", "next_page_token", typing.get_args(method.response)[0])
    hints = typing.get_type_hints(method.response)
    tokens = [token for token, parameter in TOKENS.items() if token in hints and parameter in _names(method)]
    lists = [name for name, hint in hints.items() if typing.get_origin(hint) is list]
    if not tokens or len(lists) != 1:
        return None
    return Paging(lists[0], tokens[0], typing.get_args(hints[lists[0]])[0])


def response_type_of(method: Method) -> str:
    """Returns the annotation of the response."""
    return text_of(method.response)


def _plain(method: Method, name: str) -> str:
    parts = _parts(method)
    lines = [
        _lines(4, f"async def {name}(", _parameters(method, parts), f") -> {response_type_of(method)}:"),
        docstring(8, _doc(method), _notes(method, parts)),
        _lines(8, "return await self._transport.send(", [_request(method, parts)], ")"),
    ]
    return _joined(lines)


def _all(method: Method, paging: Paging) -> str:
    parts = [part for part in _parts(method) if part.name not in _OF_PAGES]
    item = text_of(paging.item)
    doc = f"{_doc(method)}\n\nFetches further pages as needed; `page` returns a single page."
    arguments: list[str | Group] = [_request(method, parts), item, _paging(paging)]
    lines = [
        _lines(4, "def list(", _parameters(method, parts), f") -> AsyncIterator[{item}]:"),
        docstring(8, doc, _notes(method, parts)),
        _lines(8, "return self._transport.pages(", arguments, ")"),
    ]
    return _joined(lines)


def _streaming(method: Method) -> str:
    parts = _parts(method)
    doc = f"{_doc(method)}\n\nIterate as long as needed. After a lost connection it resumes after the last message."
    name, item = _payload(method)
    arguments: list[str | Group] = [_request(method, parts), item, f'"{name}"']
    lines = [
        _lines(4, f"def {method.name}(", _parameters(method, parts), f") -> AsyncIterator[{item}]:"),
        docstring(8, doc, _notes(method, parts)),
        _lines(8, "return self._transport.watch(", arguments, ")"),
    ]
    return _joined(lines)


def _payload(method: Method) -> tuple[str, str]:
    """Returns the name and annotation of what a watch yields besides its cursor, which the client handles."""
    payload = [part for part in parts_of(method.response) if part.name != "cursor"]
    if len(payload) != 1:
        return "", response_type_of(method)
    return payload[0].name, text_of(payload[0].hint).removesuffix(" | None")


def _lines(indent: int, before: str, parts: Sequence[str | Group], after: str) -> str:
    return laid_out(indent, Group(before, parts, after))


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _parameters(method: Method, parts: list[Part]) -> list[str]:
    """Returns the function's parameters: the entity, required and optional values, and options of the call."""
    first = [part for part in parts if part.required and method.operation is MethodKind.SEARCH]
    named = [f"{part.name}: {text_of(part.hint, sent=True)}" for part in parts if part.required and part not in first]
    optional = [f"{part.name}: {_optional(part)} = UNSET" for part in parts if not part.required]
    before = ["self", *(["reference: Reference", "/"] if method.on_entity else [])]
    before += [f"{part.name}: {text_of(part.hint, sent=True)}" for part in first]
    after = [*named, *optional, *_of_the_call(method)]
    return [*before, *(["*", *after] if after else [])]


def _of_the_call(method: Method) -> list[str]:
    if method.takes_key:
        return ["idempotency_key: str | None = None"]
    if takes_as_of(method):
        return ["as_of: datetime | UnsetType = UNSET"]
    return ["expected_version: int | None = None"] if method.takes_version else []


def takes_as_of(method: Method) -> bool:
    """Returns whether a method can read the entity as of a past time."""
    return method.operation is MethodKind.GET and method.subject.entity is not None


def _optional(part: Part) -> str:
    text = text_of(without_unset(part.hint), sent=True)
    return f"{text.removesuffix(' | None')} | UnsetType{' | None' if text.endswith(' | None') else ''}"


def _request(method: Method, parts: list[Part]) -> Group:
    """Returns the request that the function sends."""
    values = [f'"{part.json_name}": {part.name}' for part in parts]
    response = method.response
    paged = typing.get_origin(response) is Page
    response_type = response_type_of(method)
    described: list[str | Group] = [
        f'method="{verb_of(method)}"',
        f"path={path_of(method)}",
        f"answer={response_type}"
        if " | " not in response_type
        else f'answer=cast("type[{response_type}]", {response_type})',
    ]
    if response is None:
        described[-1] = "answer=type(None)"
    if takes_as_of(method):
        described.append('query={"as_of": as_of}')
    elif values:
        described.append(Group("body={" if method.writes else "query={", values, "}"))
    if method.takes_version:
        described.append("expected_version=expected_version")
    if method.takes_key:
        described.append("idempotency_key=idempotency_key or new_key()")
    if paged:
        described.append(f'items="{method.subject.plural}"')
    return Group("Request(", described, ")")


def path_of(method: Method) -> str:
    """Returns the path as source, below that of the campaign or of the platform."""
    address = addresses_of(method)[0]
    within = method.resource in (Resource.CAMPAIGN, Resource.EITHER)
    path = address.removeprefix(SCOPED if within else ROOT)
    name = "{id}" if "{id}" in path else "{campaign}"
    return f'f"{{self._at}}{path.replace(name, "{part(reference)}")}"'


def _paging(paging: Paging) -> str:
    return f'Paging("{paging.items}", "{paging.token}", "{paging.parameter}")'


def _parts(method: Method) -> list[Part]:
    parts = [] if method.request is None else parts_of(method.request)
    if clashing := _RESERVED & {part.name for part in parts}:
        raise TypeError(f"{method.id} cannot have parameters named {', '.join(sorted(clashing))}: they are reserved.")
    return parts


def _names(method: Method) -> set[str]:
    return {part.name for part in parts_of(method.request)}


def _doc(method: Method) -> str:
    return f"{method.doc or method.name}\n\nRequires the `{method.role.value}` role."


def _notes(method: Method, parts: list[Part]) -> list[tuple[str, str]]:
    notes = [("reference", _reference(method))] if method.on_entity else []
    notes += [(part.name, note) for part in parts if (note := f"{part.note} {_default(part)}".strip())]
    if method.takes_key:
        text = "Repeating the call with the same key has no further effect. If omitted, a key is generated."
        notes.append(("idempotency_key", text))
    if takes_as_of(method):
        notes.append(("as_of", "Return the entity as it was at this time, which needs a time zone."))
    if method.takes_version:
        notes.append(("expected_version", "Raises VersionConflict if the entity is at another version."))
    return notes


def _reference(method: Method) -> str:
    return "The campaign, by slug or number." if method.resource is Resource.ITSELF else "The id or uuid."


def _default(part: Part) -> str:
    if part.required or part.default in (UNSET, msgspec.NODEFAULT, None, ""):
        return ""
    value = part.default.value if isinstance(part.default, Enum) else part.default
    return f"Default: {str(value).lower() if isinstance(value, bool) else value}."
