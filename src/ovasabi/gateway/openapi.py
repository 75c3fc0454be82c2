"""The OpenAPI 3.1 document, made once from the methods that services declare."""

import typing
from typing import Any

import msgspec

from ovasabi import __version__
from ovasabi.gateway.paths import addresses_of, verb_of
from ovasabi.gateway.problems import MEDIA_TYPE, Problem
from ovasabi.kernel.entity import Entity
from ovasabi.kernel.fields import Secret
from ovasabi.kernel.listing import Page
from ovasabi.kernel.methods import Method, Operation, Reach

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
    paths: dict[str, dict[str, Any]] = {}
    for method in methods:
        _hide_secrets(method, components)
        for address in addresses_of(method):
            paths.setdefault(address, {})[verb_of(method).lower()] = _operation(method, address, refs)
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
    kinds: list[Any] = [Problem]
    for method in methods:
        wanted = [method.request, _entity(method) if _is_page(method) else method.response, method.result]
        kinds += [kind for kind in wanted if kind is not None]
    return list({str(kind): kind for kind in kinds}.values())


def _operation(method: Method, address: str, refs: dict[str, Any]) -> dict[str, Any]:
    parameters = [_path("campaign", "The campaign, by slug or number.")] if "{campaign}" in address else []
    if "{id}" in address:
        parameters.append(_path("id", "The entity, by id or uuid."))
    if method.operation is Operation.GET and method.subject.entity is not None:
        parameters.append(_query("as_of", {"type": "string", "format": "date-time"}, "The entity as it was then."))
    if method.request is not None and not method.writes:
        parameters += _query_parameters(method.request)
    if method.takes_key:
        parameters.append(_header("key"))
    if method.takes_version:
        parameters.append(_header("match"))
    on_platform = method.reach is Reach.EITHER and "{campaign}" not in address
    operation: dict[str, Any] = {
        "operationId": f"platform_{method.id}" if on_platform else method.id,
        "tags": [method.subject.label],
        "summary": method.doc.split("\n")[0],
        "description": f"{method.doc}\n\nNeeds the role {method.role.value}.",
        "parameters": parameters,
        "responses": _responses(method, refs),
    }
    if method.request is not None and method.writes:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": refs[str(method.request)]}}}
    return operation


def _responses(method: Method, refs: dict[str, Any]) -> dict[str, Any]:
    if _is_page(method):
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                method.subject.plural: {"type": "array", "items": refs[str(_entity(method))]},
                "next_page_token": {"type": "string", "description": "Empty on the last page."},
                "total_size": {"type": "integer", "description": "Only with include_total."},
            },
            "required": [method.subject.plural, "next_page_token"],
        }
    else:
        schema = {"type": "null"} if method.response is None else refs[str(method.response)]
    if method.result is not None:
        result = {"anyOf": [refs[str(method.result)], {"type": "null"}]}
        schema = {"allOf": [schema, {"type": "object", "properties": {"result": result}}]}
    status = {Operation.CREATE: "201", Operation.LONG: "202"}.get(method.operation, "200")
    good: dict[str, Any] = {"description": "Done.", "content": {_JSON: {"schema": schema}}}
    if isinstance(method.response, type) and issubclass(method.response, Entity):
        good["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "The entity's version."}}
    codes = dict(_PROBLEMS)
    if method.takes_version:
        codes["412"] = "The entity is not at the version of If-Match."
    return {status: good} | {code: _problem(text, refs) for code, text in codes.items()}


def _is_page(method: Method) -> bool:
    return typing.get_origin(method.response) is Page


def _entity(method: Method) -> Any:
    return method.subject.entity


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
    of = method.subject.of
    for field in () if of is None else of.fields:
        if of is not None and field.has(Secret):
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
