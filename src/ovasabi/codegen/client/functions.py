"""Generates the client's functions: one for each method, and for a list two, by item and by page."""

import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ovasabi.codegen.client.annotations import Part, parts_of, shown_default, text_of, without_unset
from ovasabi.codegen.client.formatting import Group, docstring, laid_out
from ovasabi.codegen.client.names import Names
from ovasabi.gateway.wire.paths import ROOT, SCOPED, addresses_of, verb_of
from ovasabi.kernel.declare.methods import Method, MethodKind, Resource, Watched
from ovasabi.kernel.store.listing import Page

TOKENS = {"next_page_token": "page_token", "next_cursor": "after"}
"""The field of the response with the next page's token, and the parameter of the request that takes it."""
_OF_PAGES = ("page_token", "include_total")
RESERVED = {"self", "reference", "expected_version", "idempotency_key", "as_of"}
"""The parameters that functions have in addition to those of the request."""


class Paging(msgspec.Struct, frozen=True):
    """The pagination of a list."""

    items: str
    token: str
    item: Any

    @property
    def parameter(self) -> str:
        """The parameter that requests the next page."""
        return TOKENS[self.token]


def functions_of(method: Method, names: Names) -> list[str]:
    """Returns the source of the asynchronous functions of a method."""
    paging = paging_of(method)
    if method.operation is MethodKind.WATCH:
        return [_streaming(method, names)]
    if paging is None:
        return [_plain(method, method.function, names)]
    return [_all(method, paging, names), _plain(method, "page", names)]


def declared_in(methods: Iterable[Method]) -> Iterator[str]:
    """Yields all names that the class of a service introduces: its functions, and their parameters."""
    for method in methods:
        yield method.function
        yield from ("list", "page") if paging_of(method) is not None else ()
        yield from (part.name for part in _parts(method))


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


def response_type_of(method: Method, names: Names) -> str:
    """Returns the annotation of the response."""
    return text_of(method.response, names)


def _plain(method: Method, name: str, names: Names) -> str:
    parts, response = _parts(method), response_type_of(method, names)
    lines = [
        _lines(4, f"async def {name}(", _parameters(method, parts, names), f") -> {response}:"),
        docstring(8, _doc(method), _notes(method, parts)),
        _lines(8, "return await self._transport.send(", [_request(method, parts, names)], ")"),
    ]
    return _joined(lines)


def _all(method: Method, paging: Paging, names: Names) -> str:
    parts = [part for part in _parts(method) if part.name not in _OF_PAGES]
    item, iterator = text_of(paging.item, names), names.ours("AsyncIterator")
    doc = f"{_doc(method)}\n\nFetches further pages as needed; `page` returns a single page."
    arguments: list[str | Group] = [_request(method, parts, names), item, _paging(paging, names)]
    lines = [
        _lines(4, "def list(", _parameters(method, parts, names), f") -> {iterator}[{item}]:"),
        docstring(8, doc, _notes(method, parts)),
        _lines(8, "return self._transport.pages(", arguments, ")"),
    ]
    return _joined(lines)


def _streaming(method: Method, names: Names) -> str:
    parts = _parts(method)
    doc = f"{_doc(method)}\n\nIterate as long as needed. After a lost connection it resumes after the last message."
    (name, item), iterator = _payload(method, names), names.ours("AsyncIterator")
    arguments: list[str | Group] = [_request(method, parts, names), item, f'"{name}"']
    lines = [
        _lines(4, f"def {method.function}(", _parameters(method, parts, names), f") -> {iterator}[{item}]:"),
        docstring(8, doc, _notes(method, parts)),
        _lines(8, "return self._transport.watch(", arguments, ")"),
    ]
    return _joined(lines)


def _payload(method: Method, names: Names) -> tuple[str, str]:
    """Returns the name and annotation of what a watch yields of its own; the client handles the rest."""
    payload = [part for part in parts_of(method.response) if part.name not in Watched.__struct_fields__]
    if len(payload) != 1:
        return "", response_type_of(method, names)
    return payload[0].name, text_of(payload[0].hint, names).removesuffix(" | None")


def _lines(indent: int, before: str, parts: Sequence[str | Group], after: str) -> str:
    return laid_out(indent, Group(before, parts, after))


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _parameters(method: Method, parts: list[Part], names: Names) -> list[str]:
    """Returns the function's parameters: the entity, required and optional values, and options of the call."""
    first = [part for part in parts if part.required and method.operation is MethodKind.SEARCH]
    named = [_required(part, names) for part in parts if part.required and part not in first]
    optional = [f"{part.name}: {_optional(part, names)} = {names.ours('UNSET')}" for part in parts if not part.required]
    before = ["self", *([f"reference: {names.ours('Reference')}", "/"] if method.on_entity else [])]
    before += [_required(part, names) for part in first]
    after = [*named, *optional, *_of_the_call(method, names)]
    return [*before, *(["*", *after] if after else [])]


def _of_the_call(method: Method, names: Names) -> list[str]:
    if method.takes_key:
        return [f"idempotency_key: {names.ours('str')} | None = None"]
    if takes_as_of(method):
        return [f"as_of: {names.ours('datetime')} | {names.ours('UnsetType')} = {names.ours('UNSET')}"]
    return [f"expected_version: {names.ours('int')} | None = None"] if method.takes_version else []


def takes_as_of(method: Method) -> bool:
    """Returns whether a method can read the entity as of a past time."""
    return method.operation is MethodKind.GET and method.subject.entity is not None


def _required(part: Part, names: Names) -> str:
    return f"{part.name}: {text_of(part.hint, names, sent=True)}"


def _optional(part: Part, names: Names) -> str:
    text, unset = text_of(without_unset(part.hint), names, sent=True), names.ours("UnsetType")
    return f"{text.removesuffix(' | None')} | {unset}{' | None' if text.endswith(' | None') else ''}"


def _request(method: Method, parts: list[Part], names: Names) -> Group:
    """Returns the request that the function sends."""
    values = [f'"{part.json_name}": {part.name}' for part in parts]
    described: list[str | Group] = [
        f'method="{verb_of(method)}"',
        f"path={path_of(method, names)}",
        f"response={_response(method, names)}",
    ]
    if takes_as_of(method):
        described.append('query={"as_of": as_of}')
    elif values:
        described.append(Group("body={" if method.writes else "query={", values, "}"))
    if method.takes_version:
        described.append("expected_version=expected_version")
    if method.takes_key:
        described.append(f"idempotency_key=idempotency_key or {names.ours('new_key')}()")
    if typing.get_origin(method.response) is Page:
        described.append(f'items="{method.subject.plural}"')
    return Group(f"{names.ours('Request')}(", described, ")")


def _response(method: Method, names: Names) -> str:
    """Returns the type of the response as a value."""
    response = response_type_of(method, names)
    if method.response is None:
        return f"{names.ours('type')}(None)"
    if " | " in response:
        return f'{names.ours("cast")}("{names.ours("type")}[{response}]", {response})'
    return response


def path_of(method: Method, names: Names) -> str:
    """Returns the path as source, below that of the campaign or of the platform."""
    address = addresses_of(method)[0]
    within = method.resource in (Resource.CAMPAIGN, Resource.EITHER)
    path = address.removeprefix(SCOPED if within else ROOT)
    if (name := next((name for name in ("{id}", "{campaign}") if name in path), None)) is not None:
        path = path.replace(name, f"{{{names.ours('part')}(reference)}}")
    return f'f"{{self._at}}{path}"'


def _paging(paging: Paging, names: Names) -> str:
    return f'{names.ours("Paging")}("{paging.items}", "{paging.token}", "{paging.parameter}")'


def _parts(method: Method) -> list[Part]:
    """Returns the fields of the request. One with the name of another parameter gets an underscore, as keywords do."""
    parts = [] if method.request is None else parts_of(method.request)
    return [msgspec.structs.replace(part, name=f"{part.name}_") if part.name in RESERVED else part for part in parts]


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
    text = shown_default(part)
    return f"Default: {text}." if text else ""
