"""The OpenAPI 3.1 document, generated once from the methods that services declare."""

from typing import Any

import msgspec

from ovasabi import __version__
from ovasabi.gateway.contract.openapi.links import Links, operation_id
from ovasabi.gateway.contract.openapi.moves import describe_states, move_text
from ovasabi.gateway.contract.openapi.responses import problems, responses
from ovasabi.gateway.contract.openapi.schemas import Schema, Schemas, close_namespaces, query_schemas
from ovasabi.gateway.wire.headers import ETAG, JSON, KEY, TIMEOUT
from ovasabi.gateway.wire.paths import addresses_of, verb_of
from ovasabi.kernel.declare.methods import Method, MethodKind

_TIMESTAMP = {"type": "string", "format": "date-time"}
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


_NUMBER = "0|[1-9][0-9]{0,15}"


def _parameter(location: str, name: str, text: str, schema: Schema, required: bool = False) -> Schema:
    return {"name": name, "in": location, "required": required, "description": text, "schema": schema}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^({pattern})$"}


_PARAMETERS = {
    "campaign": _parameter(
        "path", "campaign", "The campaign, by slug or number.", _text("[a-z][a-z0-9_-]{1,62}|0|[1-9][0-9]{0,8}"), True
    ),
    "id": _parameter("path", "id", "The entity, by id or uuid.", _text(f"{_NUMBER}|{_UUID}"), True),
    "as_of": _parameter("query", "as_of", "Return the entity as it was at this time.", _TIMESTAMP),
    "key": _parameter(
        "header", "Idempotency-Key", "Repeating the request with the same key has no further effect.", _text(KEY)
    ),
    "match": _parameter(
        "header", "If-Match", "The expected ETag of the entity. If it differs: 412.", _text(rf"{ETAG}|\*")
    ),
    "correlation": _parameter(
        "header", "X-Correlation-Id", "Stored in events and returned; replaced if it is not well-formed.",
        {"type": "string"},
    ),
    "causation": _parameter(
        "header", "X-Causation-Id", "The id of the event that caused the call; stored in events.", _text(_NUMBER)
    ),
    "timeout": _parameter("header", "X-Request-Timeout", "Timeout of the call in seconds.", _text(TIMEOUT)),
    "seen": _parameter("header", "Last-Event-ID", "The cursor to resume from, instead of `after`.", {"type": "string"}),
}  # fmt: skip


def document(methods: list[Method]) -> bytes:
    """Returns the whole document as JSON: the parts of each service, and what depends on all of them together."""
    whole, links = described(methods), Links(methods)
    for method in methods:
        for address in addresses_of(method):
            _link(whole["paths"][address][verb_of(method).lower()], links.of(method, address))
    close_namespaces(methods, whole["components"]["schemas"])
    return msgspec.json.encode(whole)


def described(methods: list[Method]) -> dict[str, Any]:
    """Returns the document without the parts that depend on other services: links, and their namespaces."""
    schemas = Schemas(methods)
    describe_states(methods, schemas.components)
    paths: dict[str, dict[str, Any]] = {}
    for method in methods:
        for address in addresses_of(method):
            paths.setdefault(address, {})[verb_of(method).lower()] = _operation(method, address, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OVASABI",
            "version": __version__,
            "description": "Every method of the platform. Interactive documentation is at /docs.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": _PARAMETERS,
            "responses": problems(schemas),
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key: ovk_…"}},
        },
    }


def _operation(method: Method, address: str, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id(method, address),
        "tags": [method.subject.label],
        "summary": method.doc.split("\n")[0],
        "description": f"{method.doc}\n\n{move_text(method.move)}Requires the `{method.role.value}` role.",
        "parameters": _parameters(method, address),
        "responses": responses(method, schemas),
    }
    if method.move is not None:
        operation["x-ovasabi-moves"] = {"from": list(method.move.sources), "to": method.move.target}
    if method.request is not None and method.writes:
        # A request without required fields may be omitted entirely.
        required = any(field.required for field in msgspec.structs.fields(method.request))
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": schemas.of(method.request)}}}
    return operation


def _parameters(method: Method, address: str) -> list[Schema]:
    named = [name for name in ("campaign", "id") if f"{{{name}}}" in address]
    if method.operation is MethodKind.GET and method.subject.entity is not None:
        named.append("as_of")
    if method.takes_key:
        named.append("key")
    if method.takes_version:
        named.append("match")
    if method.operation is MethodKind.WATCH:
        named.append("seen")
    named += ["correlation", "causation", "timeout"]
    query = [] if method.request is None or method.writes else _query(method.request)
    return [{"$ref": f"#/components/parameters/{name}"} for name in named] + query


def _query(kind: Any) -> list[Schema]:
    properties, required = query_schemas(kind)
    return [
        _parameter(
            "query", name, schema.pop("description", ""), schema, name in required
        )
        for name, schema in properties.items()
    ]  # fmt: skip


def _link(operation: dict[str, Any], links: dict[str, Any]) -> None:
    """Adds the links to the response whose values they use."""
    success = next(code for code in ("200", "201", "202") if code in operation["responses"])
    if links:
        operation["responses"][success]["links"] = links
