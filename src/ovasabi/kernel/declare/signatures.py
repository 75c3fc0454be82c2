"""The methods that a class declares, as read from the signatures of its functions."""

import inspect
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.checks.annotations import hints_of, parts_of, type_name
from ovasabi.kernel.declare.entity import Entity, declared
from ovasabi.kernel.declare.methods import OPERATION, READING, Declared, Method, MethodKind, Subject, Watched


def own_methods(cls: type, subject: Subject) -> list[Method]:
    """Returns the methods that a class declares by decorator, by name; long ones only if operations are available."""
    found = inspect.getmembers(cls, lambda member: inspect.isfunction(member) and hasattr(member, "__declared__"))
    methods = [_method(cls, subject, name, function) for name, function in found]  # which also checks internal ones
    methods = [method for method in methods if method.move is None or not method.move.internal]
    return [method for method in methods if method.operation is not MethodKind.LONG or OPERATION in declared]


def _is_internal(function: Any) -> bool:
    move = function.__declared__.move
    return move is not None and move.internal


def _method(cls: type, subject: Subject, name: str, function: Callable[..., Any]) -> Method:
    what = f"{cls.__name__}.{name}"
    names = _parameters(what, function)
    hints = hints_of(what, function)
    if missing := [each for each in (*names, "return") if each not in hints]:
        raise DeclarationError(f"{what} has no annotation for {missing[0]}.", hint="Add its type.")
    declaration: Declared = function.__declared__  # type: ignore[attr-defined]
    parameters, returned = [hints[parameter] for parameter in names], hints["return"]
    on_entity = bool(parameters) and parameters[0] is (subject.entity or str)
    rest = parameters[1:] if on_entity else parameters
    _check_returned(what, declaration, on_entity, returned)
    doc = inspect.getdoc(function) or ""
    if declaration.operation is MethodKind.LONG:
        if not rest or _is_struct(rest[-1]):
            raise DeclarationError(f"{what} is a long method without a parameter for its progress.")
        rest = rest[:-1]  # the last parameter is its progress
        doc += f"\n\nReturns an operation immediately. {_result_text(returned)}"
    request = None if _is_internal(function) else _request(what, declaration.operation, on_entity, rest)
    return Method(
        subject=subject,
        name=name.rstrip("_"),
        operation=declaration.operation,
        on_entity=on_entity,
        request=request,
        response=_response(declaration, subject, returned),
        role=_role(what, cls, declaration),
        doc=doc,
        result=_none_or(returned) if declaration.operation is MethodKind.LONG else None,
        move=declaration.move,
    )


def _parameters(what: str, function: Callable[..., Any]) -> list[str]:
    """Returns the names of the parameters after `self`."""
    parameters = list(inspect.signature(function).parameters.values())
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    for each in parameters:
        if each.kind not in plain or each.default is not inspect.Parameter.empty:
            problem = f"{what} has the parameter `{each.name}` in a form that no call can use."
            raise DeclarationError(problem, hint="Parameters are passed by position, and have no defaults.")
    if not parameters:
        raise DeclarationError(f"{what} does not have the parameter self.", hint="Add it as the first parameter.")
    return [each.name for each in parameters[1:]]


def _request(what: str, operation: MethodKind, on_entity: bool, rest: list[Any]) -> Any:
    """Returns the type of the request; None if there is none."""
    if len(rest) > 1 or not all(_is_struct(each) and not issubclass(each, Entity) for each in rest):
        problem = f"{what} must have at most one parameter other than the entity, its request, which is a struct."
        raise DeclarationError(problem, hint="Declare the request as a class derived from msgspec.Struct.")
    request = rest[0] if rest else None
    if operation is MethodKind.WATCH and (on_entity or "after" not in getattr(request, "__struct_fields__", ())):
        problem = f"{what} must have a request with the field `after`, at which a watch resumes, and no entity."
        raise DeclarationError(problem, hint='Add `after: str = ""` to the request.')
    if operation in READING and request is not None:
        _check_query(what, request)
    return request


def _check_query(what: str, request: type[msgspec.Struct]) -> None:
    """Refuses a request that is not possible in the query string of an address."""
    hints = hints_of(request.__name__, request)
    for name in request.__struct_fields__:
        kinds = [typing.get_origin(each) or each for each in parts_of(hints[name]).types]
        if any(kind in (list, dict) or _is_struct(kind) for kind in kinds):
            problem = f"{what} only reads, so the field {name} of its request must be a single value."
            raise DeclarationError(problem, hint="Use @verb(role=Role.READER), whose request is the body of a POST.")


def _check_returned(what: str, declaration: Declared, on_entity: bool, returned: Any) -> None:
    if declaration.move is not None:
        _check_move(what, on_entity, returned)
    elif declaration.operation is MethodKind.WATCH:
        _check_watched(what, returned)
    elif not (returned in (None, types.NoneType) or _is_struct(typing.get_origin(returned) or returned)):
        problem = f"{what} returns {type_name(returned)}, which is not a struct."
        raise DeclarationError(problem, hint="Return a class derived from msgspec.Struct, or None.")


def _check_move(what: str, on_entity: bool, returned: Any) -> None:
    for kind in _arms(returned):
        origin = typing.get_origin(kind) or kind
        if not (origin in (None, types.NoneType) or (isinstance(origin, type) and issubclass(origin, Mapping))):
            raise DeclarationError(f"{what} is a move, so it must return None or the values to set.")
    if not on_entity:
        raise DeclarationError(f"{what} is a move, so its first parameter must be the entity.")


def _arms(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _check_watched(what: str, returned: Any) -> None:
    """Refuses messages that a heartbeat, which has only a cursor, could not be."""
    message = next(iter(typing.get_args(returned)), None)
    streams = typing.get_origin(returned) in (AsyncGenerator, AsyncIterator)
    if not (streams and isinstance(message, type) and issubclass(message, Watched)):
        problem = f"{what} is a watch, but returns {type_name(returned)}."
        raise DeclarationError(problem, hint="Return AsyncGenerator[X, None], where X is derived from Watched.")
    for field in msgspec.structs.fields(message):
        if field.name != "cursor" and field.default is not None:
            problem = f"{what}: the field {field.name} of {message.__name__} must be nullable, with the default null."
            raise DeclarationError(problem, hint="A heartbeat has only the cursor.")


def _role(what: str, cls: Any, declaration: Declared) -> Role:
    role: Role | None = declaration.role or getattr(cls, "manages", None)
    if role is None:
        raise DeclarationError(f"{what} requires no role.", hint="Name one, for example @long(Role.ADMIN).")
    return role


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _response(declaration: Declared, subject: Subject, returned: Any) -> Any:
    """Returns the response type of a method. A move always returns the entity, whatever its function returns."""
    if declaration.move is not None:
        return subject.entity
    if declaration.operation is MethodKind.LONG:
        return declared[OPERATION].cls if OPERATION in declared else None
    return typing.get_args(returned)[0] if declaration.operation is MethodKind.WATCH else _none_or(returned)


def _result_text(returned: Any) -> str:
    return "Its result is empty." if returned is type(None) else f"Its result is of type `{type_name(returned)}`."


def _none_or(hint: Any) -> Any:
    return None if hint is type(None) else hint
