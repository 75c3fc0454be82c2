"""The responses of each operation in the OpenAPI document: status, headers and body."""

from http import HTTPStatus
from typing import Any

from ovasabi.gateway.contract.openapi.schemas import Schema, Schemas
from ovasabi.gateway.wire.headers import EVENT_STREAM, JSON
from ovasabi.gateway.wire.problems import MEDIA_TYPE, ProblemDetails
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Method, MethodKind

_ALL = {
    400: "The request is not valid.",
    401: "A valid API key is required.",
    403: "The API key does not permit this call.",
    404: "The entity was not found.",
    405: "This address does not support the HTTP method.",
    429: "Too many requests are waiting.",
    503: "The database is not available.",
    504: "The deadline of the call was exceeded.",
}
_OF_STATES = {409: "The request conflicts with the current state."}
_OF_WRITES = _OF_STATES | {413: "The body is too large."}
_OF_VERSIONS = {412: "The entity is not at the version in If-Match."}


def _header(text: str, schema: Schema | None = None) -> Schema:
    return {"description": text, "required": True, "schema": schema or {"type": "string"}}


_CORRELATION = {"X-Correlation-Id": _header("Identifies the call in events and logs.")}
_HEADERS = {
    401: {"WWW-Authenticate": _header("How to authenticate.")},
    405: {"Allow": _header("The supported methods.")},
    429: {"Retry-After": _header("Seconds to wait before trying again.", {"type": "integer", "minimum": 0})},
    503: {"Retry-After": _header("Seconds to wait before trying again.", {"type": "integer", "minimum": 0})},
}


def responses(method: Method, schemas: Schemas) -> dict[str, Any]:
    """Returns the responses of a method by status."""
    reads = method.operation in (MethodKind.READ, MethodKind.WATCH)  # a service's own reads may depend on a state
    errors = _ALL | (_OF_WRITES if method.writes else {}) | (_OF_STATES if reads else {})
    statuses = [*errors, *(_OF_VERSIONS if method.takes_version else ())]
    success = {MethodKind.CREATE: "201", MethodKind.LONG: "202"}.get(method.operation, "200")
    refusals = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}
    return {success: _success(method, schemas), **refusals}


def problems(schemas: Schemas) -> dict[str, Any]:
    """Returns the error responses, which are the same for every operation, by name."""
    return {
        _name(status): _problem(status, text, schemas) for status, text in (_ALL | _OF_WRITES | _OF_VERSIONS).items()
    }


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _success(method: Method, schemas: Schemas) -> Schema:
    headers = dict(_CORRELATION)
    if isinstance(method.response, type) and issubclass(method.response, Entity):
        headers["ETag"] = _header("The entity's version.", {"type": "string", "pattern": '^"[0-9]+"$'})
    if method.operation in (MethodKind.CREATE, MethodKind.LONG):
        headers["Location"] = _header("The address of the created resource.")
    return {"description": "Success.", "headers": headers, "content": _content(method, schemas)}


def _content(method: Method, schemas: Schemas) -> Schema:
    if method.operation is MethodKind.WATCH:
        return {EVENT_STREAM: {"schema": _event(method, schemas)}}
    return {JSON: {"schema": schemas.response(method)}}


def _event(method: Method, schemas: Schemas) -> Schema:
    """Returns the schema of a server-sent event; an event named `error` is the last one, and its data is a problem."""
    data = {"anyOf": [schemas.of(method.response), schemas.of(ProblemDetails)]}
    text = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    properties = {"id": {"type": "string", "description": "The cursor."}, "event": {"type": "string"}, "data": text}
    return {"description": "A server-sent event.", "type": "object", "properties": properties, "required": ["data"]}


def _problem(status: int, text: str, schemas: Schemas) -> Schema:
    return {
        "description": text,
        "headers": _CORRELATION | _HEADERS.get(status, {}),
        "content": {MEDIA_TYPE: {"schema": schemas.of(ProblemDetails)}},
    }
