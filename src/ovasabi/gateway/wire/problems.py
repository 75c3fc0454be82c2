"""Errors over HTTP: problem details (RFC 9457) with the code, the field and a hint."""

import re
from difflib import get_close_matches
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.gateway.status_codes import STATUS_CODES, http_status, urn

MEDIA_TYPE = "application/problem+json"
_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


class ProblemDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details of an error, as defined by RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None


class BadRequest(OvasabiError):
    """The request is not valid."""

    kind = Kind.INVALID
    code = "invalid_request"
    message = "{problem}"
    example = such_as(problem="Unknown field 'titel'.", field="titel", hint="Did you mean 'title'?")


class NoRoute(OvasabiError):
    """No API method exists for this HTTP method and path."""

    kind = Kind.NOT_FOUND
    code = "no_route"
    message = "No API method was found for {method} {path}."
    hint = "See /docs for the available methods."
    example = such_as(method="GET", path="/v1/campaigns/python/contnets")


def problem_of(error: OvasabiError, correlation_id: str | None, status: int | None = None) -> ProblemDetails:
    """Returns the problem details of an error."""
    return ProblemDetails(
        type=urn(error),
        title=STATUS_CODES[error.kind].title,
        status=status or http_status(error),
        detail=str(error),
        code=error.code,
        field=error.field,
        hint=error.hint,
        correlation_id=correlation_id,
    )


def unreadable(error: msgspec.MsgspecError, kind: Any) -> BadRequest:
    """Maps a decoding error to an error with the field, the problem, and the name that was probably meant."""
    text = str(error)
    match = _PATH.search(text)
    path = match[1] if match else ""
    problem = _PATH.sub("", text)
    if unknown := _UNKNOWN.search(text):
        name, known = unknown[1], getattr(kind, "__struct_fields__", ())
        near = get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Available fields: {', '.join(known)}."
        return BadRequest(field=_join(path, name), problem=f"Unknown field {name!r}.", hint=hint)
    if missing := _MISSING.search(text):
        return BadRequest(field=_join(path, missing[1]), problem=f"The field {missing[1]!r} is missing.")
    if isinstance(error, msgspec.ValidationError):
        return BadRequest(field=path or None, problem=f"{problem}.")
    return BadRequest(problem=f"The body is not valid JSON: {problem}.", hint="Send one JSON object.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
