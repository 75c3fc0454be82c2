"""The OpenAPI 3.1 document, made once from the methods that services declare."""

import re
from typing import Any

import msgspec

from ovasabi import __version__
from ovasabi.gateway import feeds
from ovasabi.gateway.problems import MEDIA_TYPE, Problem
from ovasabi.gateway.routes import SCOPED, VERBS, method_path
from ovasabi.kernel.entity import Entity, Scope, type_of
from ovasabi.kernel.fields import Secret
from ovasabi.kernel.listing import ListRequest
from ovasabi.kernel.master import Record, RecordPage
from ovasabi.kernel.service import Method, Operation

REF = "#/components/schemas/{name}"
_JSON = "application/json"
_PROBLEMS = {
    "400": "The request is not valid.",
    "401": "The call needs a valid API key.",
    "403": "The key may not do that.",
    "404": "There is no such entity here.",
    "409": "It conflicts with what is there.",
    "503": "The database did not answer.",
}
_HEADERS = {
    "key": ("Idempotency-Key", "The same request again under the same key has the same answer.", "string"),
    "match": ("If-Match", "The ETag that the entity must still have, else 412.", "string"),
}


def document(methods: list[Method]) -> bytes:
    """The document as JSON."""
    kinds = _kinds(methods)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    refs = dict(zip(map(str, kinds), schemas, strict=True))
    for method in methods:
        _hide_secrets(method, components)
    paths: dict[str, dict[str, Any]] = {}
    for method in methods:
        paths.setdefault(method_path(method), {})[VERBS[method.operation].lower()] = _operation(method, refs)
    for path, operation in _feed_operations(refs):
        paths.setdefault(path, {})["get"] = operation
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "OVASABI", "version": __version__, "description": "See /docs and the project's docs/."},
            "security": [{"key": []}],
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key: ovk_…"}},
            },
        }
    )


def _kinds(methods: list[Method]) -> list[Any]:
    kinds: list[Any] = [Problem, Record, RecordPage, ListRequest]
    kinds += [feeds.EventPage, feeds.RecordHits, feeds.SearchHits]
    kinds += [query for *_, query, _ in feeds.FEEDS if query is not None] + [feeds.SearchQuery]
    for method in methods:
        wanted = [method.request] if method.operation is Operation.LIST else [method.request, method.response]
        kinds += [kind for kind in wanted if kind is not None]
    return list({str(kind): kind for kind in kinds}.values())


def _operation(method: Method, refs: dict[str, Any]) -> dict[str, Any]:
    scoped = method.of.scope is Scope.CAMPAIGN or (method.of.scope is Scope.ROOT and method.on_entity)
    parameters = [_path("campaign", "The campaign, by slug or number.")] if scoped else []
    if method.on_entity and method.of.scope is not Scope.ROOT:
        parameters.append(_path("id", "The entity, by id or uuid."))
    if method.operation is Operation.GET:
        parameters.append(_query("as_of", {"type": "string", "format": "date-time"}, "The entity as it was then."))
    if method.operation in (Operation.LIST, Operation.SEARCH):
        parameters += _query_parameters(method.request)
    if method.operation is Operation.CREATE:
        parameters.append(_header("key"))
    if method.operation in (Operation.UPDATE, Operation.DELETE, Operation.VERB) and method.on_entity:
        parameters.append(_header("match"))
    operation: dict[str, Any] = {
        "operationId": f"{method.of.plural}_{method.name}",
        "tags": [method.of.plural],
        "summary": method.doc.split("\n")[0],
        "description": f"{method.doc}\n\nNeeds the role {method.role.value}.",
        "parameters": parameters,
        "responses": _responses(method, refs),
    }
    if method.request is not None and method.operation not in (Operation.LIST, Operation.SEARCH):
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": refs[str(method.request)]}}}
    return operation


def _responses(method: Method, refs: dict[str, Any]) -> dict[str, Any]:
    if method.operation is Operation.LIST:
        entity = refs[str(method.service.entity)]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                method.of.plural: {"type": "array", "items": entity},
                "next_page_token": {"type": "string", "description": "Empty on the last page."},
                "total_size": {"type": "integer", "description": "Only with include_total."},
            },
            "required": [method.of.plural, "next_page_token"],
        }
    else:
        schema = refs[str(method.response)]
    status = "201" if method.operation is Operation.CREATE else "200"
    good: dict[str, Any] = {"description": "Done.", "content": {_JSON: {"schema": schema}}}
    if isinstance(method.response, type) and issubclass(method.response, Entity):
        good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "The entity's version."}}
    codes = dict(_PROBLEMS)
    if method.on_entity and method.writes:
        codes["412"] = "The entity is not at the version of If-Match."
    return {status: good} | {code: _problem(text, refs) for code, text in codes.items()}


def _feed_operations(refs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(SCOPED + path, endpoint, query, answer) for path, endpoint, query, answer in feeds.FEEDS]
    rows.append((f"{SCOPED}:search", feeds.search_all, feeds.SearchQuery, feeds.SearchHits))
    rows += [("/v1" + path, endpoint, query, answer) for path, endpoint, query, answer in feeds.FEEDS]
    operations = []
    for path, endpoint, query, kind in rows:
        plain = path.replace("{target}", "{id}")
        places = [_path(name, "By slug or number." if name == "campaign" else "By id or uuid.")
                  for name in re.findall(r"{(\w+)}", plain)]  # fmt: skip
        schema = refs[str(kind)]
        where = "" if "{campaign}" in plain else "platform_"
        operations.append(
            (
                plain,
                {
                    "operationId": f"{where}{endpoint.__name__}",
                    "tags": ["registry and events"],
                    "summary": (endpoint.__doc__ or "").strip(),
                    "parameters": places + (_query_parameters(query) if query is not None else []),
                    "responses": {"200": {"description": "Done.", "content": {_JSON: {"schema": schema}}}}
                    | {code: _problem(text, refs) for code, text in _PROBLEMS.items()},
                },
            )
        )
    return operations


def _query_parameters(kind: Any) -> list[dict[str, Any]]:
    schema = msgspec.json.schema(kind)
    described = next(iter(schema["$defs"].values()))
    needed = described.get("required", [])
    return [
        _query(name, {k: v for k, v in part.items() if k != "description"}, part.get("description", ""), name in needed)
        for name, part in described["properties"].items()
    ]


def _hide_secrets(method: Method, components: dict[str, Any]) -> None:
    """A secret is taken, and never given: it is no property of what is read."""
    of = type_of(method.service.entity)
    for field in of.fields:
        if field.has(Secret):
            components.get(of.cls.__name__, {}).get("properties", {}).pop(field.name, None)


def _problem(text: str, refs: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {MEDIA_TYPE: {"schema": refs[str(Problem)]}}}


def _path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def _query(name: str, schema: dict[str, Any], text: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": text, "schema": schema}


def _header(which: str) -> dict[str, Any]:
    name, text, kind = _HEADERS[which]
    return {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": kind}}
