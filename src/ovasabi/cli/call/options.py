"""The options of `ovasabi call`, derived from the request of a method, and the request built from their values."""

import json
import sys
import typing
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

if TYPE_CHECKING:
    from ovasabi.codegen.client.annotations import Part
    from ovasabi.kernel.declare.methods import Method

_OWN = {"campaign", "json", "expected_version", "idempotency_key", "as_of", "help"}
_PLAIN: "dict[Any, click.ParamType[Any]]" = {int: click.INT, float: click.FLOAT}
_METAVARS = {datetime: "TIMESTAMP"}


class Values(msgspec.Struct, frozen=True):
    """The values of a call: its target and its request."""

    campaign: str | None
    target: str | None
    request: dict[str, Any]
    expected_version: int | None
    idempotency_key: str | None


def own_options(method: "Method") -> list[click.Parameter]:
    """Returns the options that are not part of the request: the entity, the campaign, the version and so on."""
    from ovasabi.kernel.declare.methods import MethodKind, Resource

    options: list[click.Parameter] = []
    if method.on_entity:
        options.append(
            click.Argument(["_target"], metavar="CAMPAIGN" if method.resource is Resource.ITSELF else "ID|UUID")
        )
    if method.resource in (Resource.CAMPAIGN, Resource.EITHER):
        required = method.resource is Resource.CAMPAIGN
        text = "The campaign." if required else "The campaign. If omitted, the platform."
        options.append(click.Option(["--campaign", "_campaign"], metavar="SLUG|NUMBER", required=required, help=text))
    if method.takes_key:
        text = "Repeating the call with the same key has no further effect."
        options.append(click.Option(["--idempotency-key", "_key"], metavar="KEY", help=text))
    if method.operation is MethodKind.GET and method.subject.entity is not None:
        text = "Return the entity as of this time, for example 2026-11-21T08:00:00Z."
        options.append(click.Option(["--as-of", "_as_of"], metavar="TIMESTAMP", help=text))
    if method.takes_version:
        text = "Fail if the entity is at a different version."
        options.append(click.Option(["--expected-version", "_version"], type=click.INT, help=text))
    if method.writes and method.request is not None:
        text = "The request as a JSON object, or - to read it from standard input. Other options are added to it."
        options.append(click.Option(["--json", "_json"], metavar="OBJECT|-", help=text))
    return options


def options_of(method: "Method") -> list[click.Parameter]:
    """Returns the options of the request; the required fields of a search are positional arguments."""
    from ovasabi.kernel.declare.methods import MethodKind

    searches = method.operation is MethodKind.SEARCH
    return [
        click.Argument([part.name], metavar=part.name.upper()) if searches and part.required else _option(part)
        for part in _parts(method)
        if not _secret(part)
    ]


def values_of(method: "Method", parameters: dict[str, Any]) -> Values:
    """Returns the values of a call as JSON values; a missing required field is a usage error."""
    request = _object(parameters.get("_json"))
    if parameters.get("_as_of") is not None:
        request["as_of"] = parameters["_as_of"]
    for part in _parts(method):
        value = parameters.get(part.name)
        if value is not None and value != ():
            request[part.json_name] = _value(part, value)
        if part.required and part.json_name not in request:
            raise click.UsageError(f"Missing {_named(part)}.")
    return Values(
        campaign=parameters.get("_campaign"),
        target=parameters.get("_target"),
        request=request,
        expected_version=parameters.get("_version"),
        idempotency_key=parameters.get("_key"),
    )


def _parts(method: "Method") -> "list[Part]":
    from ovasabi.codegen.client.annotations import parts_of

    return [] if method.request is None else parts_of(method.request)


def _secret(part: "Part") -> bool:
    """Whether a field is secret. Other users can see command lines, so secrets are accepted only with --json."""
    from ovasabi.codegen.client.annotations import is_secret

    return is_secret(part) or "password" in part.name


def _named(part: "Part") -> str:
    return f"{part.json_name!r} in '--json'" if _secret(part) else f"option '{_flag(part)}'"


def _option(part: "Part") -> click.Option:
    kind = _kind(part)
    flag = f"{_flag(part)}/--no-{_flag(part)[2:]}" if kind is bool else _flag(part)
    return click.Option(
        [flag, part.name],
        type=_type(kind),
        default=None,
        multiple=_many(part),
        metavar="JSON" if _as_json(part) else _METAVARS.get(kind),
        help=" ".join(filter(None, [part.note, "Can be repeated." if _many(part) else "", _default(part)])) or None,
    )


def _flag(part: "Part") -> str:
    name = part.json_name.replace("_", "-")
    # --no-x is the negation of a boolean field x, and --field-x a field x that is named like one of our own options.
    taken = part.json_name in _OWN or part.json_name.startswith(("no_", "field_"))
    return f"--field-{name}" if taken else f"--{name}"


def _kind(part: "Part") -> Any:
    """The type of the value, or of the items of a list."""
    from ovasabi.codegen.client.annotations import plain_of

    hint = plain_of(part.hint)
    return plain_of(typing.get_args(hint)[0]) if typing.get_origin(hint) is list else hint


def _many(part: "Part") -> bool:
    from ovasabi.codegen.client.annotations import plain_of

    return typing.get_origin(plain_of(part.hint)) is list and not _as_json(part)


def _as_json(part: "Part") -> bool:
    """Whether a value can only be written as JSON."""
    kind = _kind(part)
    origin = typing.get_origin(kind)
    return kind is Any or (origin is not None and origin is not Literal) or hasattr(kind, "__struct_fields__")


def _type(kind: Any) -> "click.ParamType[Any]":
    if typing.get_origin(kind) is Literal:
        return click.Choice([str(value) for value in typing.get_args(kind)])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return click.Choice([str(member.value) for member in kind])
    return click.BOOL if kind is bool else _PLAIN.get(kind, click.STRING)


def _default(part: "Part") -> str:
    if part.required:
        return "[required]"
    from ovasabi.codegen.client.annotations import shown_default

    text = shown_default(part)
    return f"[default: {text}]" if text else ""


def _value(part: "Part", value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if not _as_json(part):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise click.BadParameter(f"not valid JSON: {error}.", param_hint=f"'{_flag(part)}'") from None


def _object(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        request = json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise click.BadParameter(f"not valid JSON: {error}.", param_hint="'--json'") from None
    if not isinstance(request, dict):
        raise click.BadParameter("must be a JSON object.", param_hint="'--json'")
    return request
