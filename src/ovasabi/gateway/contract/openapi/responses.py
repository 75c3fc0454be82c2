"""What each operation may answer, as the OpenAPI document tells it: status, headers and body."""

from http import HTTPStatus
from typing import Any

from ovasabi.gateway.contract.openapi.schemas import Schema, Schemas
from ovasabi.gateway.wire.headers import EVENT_STREAM, JSON
from ovasabi.gateway.wire.problems import MEDIA_TYPE, Problem
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import Method, MethodKind

_ALL = {
    400: "The request is not valid.",
    401: "The call needs a valid API key.",
    403: "The key may not do that.",
    404: "There is no such entity here.",
    405: "Nothing at this address answers to this method of HTTP.",
    429: "More waits than can be answered in time.",
    503: "The database did not answer.",
    504: "The deadline has passed.",
}
_OF_STATES = {409: "It conflicts with what is there."}
_OF_WRITES = _OF_STATES | {413: "The body is larger than any may be."}
_OF_VERSIONS = {412: "The entity is not at the version of If-Match."}


def _header(text: str, schema: Schema | None = None) -> Schema:
    return {"description": text, "required": True, "schema": schema or {"type": "string"}}


_CORRELATION = {"X-Correlation-Id": _header("What follows the call through events and logs.")}
_HEADERS = {
    401: {"WWW-Authenticate": _header("How to authenticate.")},
    405: {"Allow": _header("The methods that are answered.")},
    429: {"Retry-After": _header("Seconds after which to try again.", {"type": "integer", "minimum": 0})},
    503: {"Retry-After": _header("Seconds after which to try again.", {"type": "integer", "minimum": 0})},
}


def answers(method: Method, schemas: Schemas) -> dict[str, Any]:
    """The answers of a method by status."""
    asks = method.operation in (MethodKind.READ, MethodKind.WATCH)  # a question of a service's own may not apply either
    of_all = _ALL | (_OF_WRITES if method.writes else {}) | (_OF_STATES if asks else {})
    statuses = [*of_all, *(_OF_VERSIONS if method.takes_version else ())]
    good = {MethodKind.CREATE: "201", MethodKind.LONG: "202"}.get(method.operation, "200")
    refusals = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(statuses)}
    return {good: _good(method, schemas), **refusals}


def problems(schemas: Schemas) -> dict[str, Any]:
    """The answers that refuse, which are the same for every operation, by name."""
    return {
        _name(status): _problem(status, text, schemas) for status, text in (_ALL | _OF_WRITES | _OF_VERSIONS).items()
    }


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")


def _good(method: Method, schemas: Schemas) -> Schema:
    headers = dict(_CORRELATION)
    if isinstance(method.response, type) and issubclass(method.response, Entity):
        headers["ETag"] = _header("The entity's version.", {"type": "string", "pattern": '^"[0-9]+"$'})
    if method.operation in (MethodKind.CREATE, MethodKind.LONG):
        headers["Location"] = _header("Where it is.")
    return {"description": "Done.", "headers": headers, "content": _content(method, schemas)}


def _content(method: Method, schemas: Schemas) -> Schema:
    if method.operation is MethodKind.WATCH:
        return {EVENT_STREAM: {"schema": _event(method, schemas)}}
    return {JSON: {"schema": schemas.answer(method)}}


def _event(method: Method, schemas: Schemas) -> Schema:
    """One server-sent event; the one called `error` is the last, and its data is a problem."""
    data = {"anyOf": [schemas.of(method.response), schemas.of(Problem)]}
    text = {"type": "string", "contentMediaType": JSON, "contentSchema": data}
    properties = {"id": {"type": "string", "description": "The cursor."}, "event": {"type": "string"}, "data": text}
    return {"description": "Each server-sent event.", "type": "object", "properties": properties, "required": ["data"]}


def _problem(status: int, text: str, schemas: Schemas) -> Schema:
    return {
        "description": text,
        "headers": _CORRELATION | _HEADERS.get(status, {}),
        "content": {MEDIA_TYPE: {"schema": schemas.of(Problem)}},
    }
