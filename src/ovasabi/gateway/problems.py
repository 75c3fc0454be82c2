"""Errors at the HTTP door: one envelope (RFC 9457), with the code, the field and what to do."""

import re
from difflib import get_close_matches
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError

STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.DENIED: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.PRECONDITION: 409,
    Kind.EXHAUSTED: 429,
    Kind.INTERNAL: 500,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE: 504,
}
TITLES = {
    Kind.INVALID: "The request is not valid",
    Kind.UNAUTHENTICATED: "Authentication is needed",
    Kind.DENIED: "Not allowed",
    Kind.NOT_FOUND: "Not found",
    Kind.CONFLICT: "Conflict",
    Kind.PRECONDITION: "Not possible in this state",
    Kind.EXHAUSTED: "Too much",
    Kind.INTERNAL: "Internal error",
    Kind.UNAVAILABLE: "Unavailable",
    Kind.DEADLINE: "Out of time",
}
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


class NoRoute(OvasabiError):
    """Nothing answers at this address, or not to this method."""

    kind = Kind.NOT_FOUND
    code = "no_route"
    message = "Nothing answers to {method} {path}."
    hint = "See /docs for what there is."


def problem_of(error: OvasabiError, correlation_id: str | None, status: int | None = None) -> Problem:
    """The envelope of an error."""
    return Problem(
        type=f"urn:ovasabi:error:{error.code}",
        title=TITLES[error.kind],
        status=status or STATUS[error.kind],
        detail=str(error),
        code=error.code,
        field=error.field,
        hint=error.hint,
        correlation_id=correlation_id,
    )


def unexpected(correlation_id: str | None) -> Problem:
    """What a caller sees of an error that should not have happened: nothing of its inside."""
    hint = "Report it with the correlation id; the server's log has the details."
    return problem_of(OvasabiError(hint=hint), correlation_id)


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
