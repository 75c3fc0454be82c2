"""Errors over HTTP: problem details (RFC 9457) with the code, the field and a hint."""

from enum import Enum
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.gateway.status_codes import http_status, title_of, urn
from ovasabi.kernel.call.input_errors import explained
from ovasabi.kernel.call.unfit import fault_of
from ovasabi.kernel.declare.checks.annotations import hints_of, parts_of
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.declare.state_machine import why_not_set
from ovasabi.suggestions import nearest

MEDIA_TYPE = "application/problem+json"


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
        title=title_of(error),
        status=status or http_status(error),
        detail=str(error),
        code=error.code,
        field=error.field,
        hint=error.hint,
        correlation_id=correlation_id,
    )


def unreadable(error: Exception, kind: Any, body: bytes = b"", *, of_text: bool = False) -> BadRequest:
    """Maps a decoding error to an error with the field, the problem, and the name that was probably meant.

    `of_text`: of input that consists of strings.
    """
    if not isinstance(error, msgspec.ValidationError) and (fault := fault_of(body)) is not None:
        return BadRequest(problem=f"The body is {fault}.")
    found = explained(error, of_text=of_text)
    if found.unknown is not None:
        problem, hint = _unknown(found.unknown, None if found.path else kind)
        return BadRequest(field=_join(found.path, found.unknown), problem=problem, hint=hint)
    if found.missing is not None:
        return BadRequest(field=_join(found.path, found.missing), problem=f"The field {found.missing!r} is missing.")
    hint = _hint(kind, found.path) if isinstance(error, msgspec.ValidationError) else "Send one JSON object."
    return BadRequest(field=found.path or None, problem=found.sentence("the body"), hint=hint)


def _unknown(name: str, kind: Any) -> tuple[str, str | None]:
    """Returns what is wrong with a field that the request does not have, and what to do."""
    for of in declared.values() if kind is not None else ():
        if kind in (of.draft, of.patch) and (why := why_not_set(of, name, changing=kind is of.patch)) is not None:
            return why
    known = getattr(kind, "__struct_fields__", ())
    near = nearest(name, known)
    hint = f"Did you mean {near!r}?" if near else f"Available fields: {', '.join(known)}." if known else None
    return f"Unknown field {name!r}.", hint


def _hint(kind: Any, path: str) -> str | None:
    """Returns the values of a field of the request whose type is an enum, or an example of one with a pattern."""
    parts = parts_of(hints_of("The request", kind).get(path) if isinstance(kind, type) else None)
    enums = [each for each in parts.types if isinstance(each, type) and issubclass(each, Enum)]
    if enums:
        return f"Use one of: {', '.join(str(member.value) for member in enums[0])}."
    examples = parts.meta.examples if parts.meta is not None and parts.meta.pattern is not None else None
    return f"For example: {examples[0]}." if examples else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
