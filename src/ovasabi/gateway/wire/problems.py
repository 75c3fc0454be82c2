"""Errors at the HTTP door: one envelope (RFC 9457), with the code, the field and what to do."""

import re
from difflib import get_close_matches
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.gateway.status_codes import STATUS_CODES, http_status, urn

MEDIA_TYPE = "application/problem+json"
_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong, in the form of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    hint: str | None = None
    correlation_id: str | None = None


class BadRequest(OvasabiError):
    """The request cannot be read."""

    kind = Kind.INVALID
    code = "invalid_request"
    message = "{problem}"
    example = such_as(problem="There is no field 'titel' to set.", field="titel", hint="Did you mean 'title'?")


class NoRoute(OvasabiError):
    """Nothing answers at this address, or not to this method."""

    kind = Kind.NOT_FOUND
    code = "no_route"
    message = "Nothing answers to {method} {path}."
    hint = "See /docs for what there is."
    example = such_as(method="GET", path="/v1/campaigns/python/contnets")


def problem_of(error: OvasabiError, correlation_id: str | None, status: int | None = None) -> Problem:
    """The envelope of an error."""
    return Problem(
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
    """What a decoding error means: which field, what was wrong, and the name that was probably meant."""
    text = str(error)
    place = _PLACE.search(text)
    path = place[1] if place else ""
    problem = _PLACE.sub("", text)
    if unknown := _UNKNOWN.search(text):
        name, known = unknown[1], getattr(kind, "__struct_fields__", ())
        near = get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        return BadRequest(field=_join(path, name), problem=f"There is no field {name!r} to set.", hint=hint)
    if missing := _MISSING.search(text):
        return BadRequest(field=_join(path, missing[1]), problem=f"The field {missing[1]!r} is missing.")
    if isinstance(error, msgspec.ValidationError):
        return BadRequest(field=path or None, problem=f"{problem}.")
    return BadRequest(problem=f"The body is no JSON: {problem}.", hint="Send one JSON object.")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
