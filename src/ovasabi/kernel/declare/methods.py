"""The methods of a service, declared once with typed requests and responses for every protocol, and calls of them."""

import inspect
import keyword
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.call.verb import named
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope, declared, type_of
from ovasabi.kernel.declare.state_machine import Move

F = TypeVar("F", bound=Callable[..., Any])


class MethodKind(StrEnum):
    """What kind of operation a method is. All but the last four are the same for every entity."""

    CREATE = "create"
    GET = "get"
    LIST = "list"
    SEARCH = "search"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    READ = "read"
    """A service's own reading method: it changes nothing."""
    VERB = "verb"
    """A service's own verb."""
    WATCH = "watch"
    """Streams responses until the caller stops listening."""
    LONG = "long"
    """Returns immediately with an operation, which continues in the background."""


READING = frozenset({MethodKind.GET, MethodKind.LIST, MethodKind.SEARCH, MethodKind.READ, MethodKind.WATCH})
STANDARD = frozenset({MethodKind.CREATE, MethodKind.GET, MethodKind.LIST, MethodKind.UPDATE, MethodKind.DELETE})
"""The operations that the HTTP method identifies, so that their name is not part of the address."""
OFFERED = STANDARD | {MethodKind.SEARCH, MethodKind.RESTORE}
"""The operations that every entity offers, unless its service declares otherwise."""
OPERATION = "operation"
"""The entity type that a long method returns."""


class Resource(StrEnum):
    """The resource that a method is called on."""

    CAMPAIGN = "campaign"
    """The campaign that the call names."""
    ITSELF = "itself"
    """The campaign as the entity itself."""
    PLATFORM = "platform"
    EITHER = "either"
    """The campaign that the call names, or the platform if it names none."""


class Subject(msgspec.Struct, frozen=True, eq=False):
    """What a service is about: its names, its part of the address, and its entity."""

    label: str
    """The unique name of the service, such as `contents`."""
    title: str
    """The name of the service's class, such as `Contents`."""
    folder: str
    """The folder that contains the class, such as `content`."""
    singular: str
    plural: str
    collection: str
    """Its part of the address; empty if its methods belong to the campaign."""
    doc: str
    resource: Resource
    entity: type[Entity] | None = None

    @property
    def of(self) -> EntityType | None:
        """The declaration of its entity, if it has one."""
        return None if self.entity is None else type_of(self.entity)

    def reached(self, on_entity: bool) -> Resource:
        """Returns the resource that a method is called on; for a method of one campaign, the campaign itself."""
        root = self.of is not None and self.of.scope is Scope.ROOT
        return Resource.ITSELF if root and on_entity else self.resource


class Method(msgspec.Struct, frozen=True, eq=False):
    """A method of a service, as every protocol offers it. `on_entity`: whether it is called on one entity."""

    subject: Subject
    name: str
    operation: MethodKind
    on_entity: bool
    request: Any
    """The type of the request, a struct; None if there is no request."""
    response: Any
    """The type of the response, or of each message of a watch; None if the response is empty."""
    role: Role
    doc: str
    result: Any = None
    """For a long method: the type of the operation's result."""
    move: Move | None = None
    """For a verb that moves the entity's state: its move."""

    @property
    def function(self) -> str:
        """The name of its function, with an underscore appended if the name is a Python keyword."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name

    @property
    def id(self) -> str:
        """Its unique name, such as `contents_publish`."""
        return f"{self.subject.label}_{self.name}"

    @property
    def resource(self) -> Resource:
        """The resource that it is called on."""
        return self.subject.reached(self.on_entity)

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.operation not in READING

    @property
    def takes_key(self) -> bool:
        """Whether a caller may pass an idempotency key, so that repeating the call has no further effect."""
        return self.operation in (MethodKind.CREATE, MethodKind.LONG)

    @property
    def takes_version(self) -> bool:
        """Whether a caller may pass the expected version of the entity."""
        return self.on_entity and self.operation in (MethodKind.UPDATE, MethodKind.DELETE, MethodKind.VERB)


class Call(msgspec.Struct, frozen=True):
    """One call of a method, over any protocol."""

    method: Method
    campaign: str | None = None
    """The campaign by slug or number; None for the platform."""
    target: str | None = None
    """The entity by id or uuid, if the method is called on one."""
    request: Any = None
    expected_version: int | None = None
    key: str | None = None
    """The idempotency key of a create or a start: repeating the call with the same key has no further effect."""
    as_of: datetime | None = None
    """For a get: the time as of which the entity is read."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the messages of a watch; `cursor` is where to resume. A message with only a cursor is a heartbeat."""

    cursor: Annotated[str, Meta(description="The cursor at which to resume after this message.")]

    @property
    def silent(self) -> bool:
        """Whether it is a heartbeat: it contains only the cursor."""
        return all(getattr(self, name) is None for name in self.__struct_fields__ if name != "cursor")


class Declared(msgspec.Struct, frozen=True):
    """What a decorator declares about a function."""

    operation: MethodKind
    role: Role | None
    move: Move | None = None


def verb(role: Role = Role.WRITER) -> Callable[[F], F]:
    """Declares a method of a service as its own verb.

    `async def publish(self, content: Content) -> Content` is a verb of one entity; `async def f(self, request: R) -> A`
    is one of the collection. A second parameter is the request, a typed struct. The response type is the return
    annotation. What it changes with `change` or `adjust` is logged under its name.
    """

    declaring: Callable[[F], F] = _declaring(MethodKind.VERB, role)

    def declare(function: F) -> F:
        return declaring(cast(F, named(function)))

    return declare


def read(role: Role = Role.READER) -> Callable[[F], F]:
    """Declares a method that only reads: like a verb, but called with GET, with its request in the query string.

    Methods named `get`, `list` and `search` have addresses without a name, like those of every entity. A method with
    the parameter `reference: str` is called on the entity that the address names.
    """
    return _declaring(MethodKind.READ, role)


def watch(role: Role = Role.READER) -> Callable[[F], F]:
    """Declares a method that streams messages until the caller stops listening.

    `def watch(self, request: R) -> AsyncGenerator[A, None]`: an invalid request is refused when the method is called.
    Each message is a `Watched`, whose cursor says where to resume.
    """
    return _declaring(MethodKind.WATCH, role)


def long(role: Role | None = Role.WRITER) -> Callable[[F], F]:
    """Declares a method that may take a long time: it returns an operation, which has its progress and result.

    `async def export(self, request: R, progress: Progress) -> A`; with an entity before the request, it is called on
    that entity. It reports to `progress` what it has done, and resumes from there when it is called again.
    `role=None` is the role required to change the service's entities. See `kernel/work/long_methods.py`.
    """
    return _declaring(MethodKind.LONG, role)


def own_methods(cls: type, subject: Subject) -> list[Method]:
    """Returns the methods that a class declares by decorator, by name; long ones only if operations are available."""
    found = inspect.getmembers(cls, lambda member: inspect.isfunction(member) and hasattr(member, "__declared__"))
    offered = [(name, function) for name, function in found if not _internal(function)]
    methods = [_method(cls, subject, name, function) for name, function in offered]
    return [method for method in methods if method.operation is not MethodKind.LONG or OPERATION in declared]


def values_of(request: msgspec.Struct) -> dict[str, Any]:
    """Returns the values that are set in a draft or patch."""
    return {k: v for k, v in msgspec.structs.asdict(request).items() if v is not msgspec.UNSET}


def ordered(methods: list[Method]) -> list[Method]:
    """Returns the methods in the order of their folders and services, regardless of the order of imports."""
    return sorted(methods, key=lambda method: (method.subject.folder, method.subject.title))


def _internal(function: Any) -> bool:
    move: Move | None = function.__declared__.move
    return move is not None and move.internal


def check_role(function: Callable[..., Any], role: Any) -> None:
    """Raises `DeclarationError` unless the role that a method requires is one."""
    if role is not None and not isinstance(role, Role):
        problem = f"{function.__qualname__} requires {role!r}, which is not a role."
        raise DeclarationError(problem, hint=f"Use one of {', '.join(f'Role.{each.name}' for each in Role)}.")


def _declaring(operation: MethodKind, role: Any) -> Callable[[F], F]:
    if inspect.isfunction(role):
        problem = f"{role.__qualname__} is declared by a decorator without parentheses."
        raise DeclarationError(problem, hint="Add them, for example @verb().")

    def declare(function: F) -> F:
        check_role(function, role)
        name = function.__name__
        named = MethodKind(name) if operation is MethodKind.READ and name in ("get", "list", "search") else operation
        function.__declared__ = Declared(named, role)  # type: ignore[attr-defined]
        return function

    return declare


def _method(cls: type, subject: Subject, name: str, function: Callable[..., Any]) -> Method:
    what, names = f"{cls.__name__}.{name}", list(inspect.signature(function).parameters)[1:]
    hints = _hints(what, function, names)
    parameters = [hints[parameter] for parameter in names]
    on_entity = bool(parameters) and parameters[0] in (subject.entity, str)
    rest = parameters[1:] if on_entity else parameters
    declaration: Declared = function.__declared__  # type: ignore[attr-defined]
    if declaration.move is not None:
        _check_move(what, on_entity, hints["return"])
    long_ = declaration.operation is MethodKind.LONG
    returned, doc = hints["return"], inspect.getdoc(function) or ""
    if long_:
        if not rest or _is_struct(rest[-1]):
            raise DeclarationError(f"{what} is a long method without a parameter for its progress.")
        rest = rest[:-1]  # the last parameter is its progress
        doc += f"\n\nReturns an operation immediately. {_result_text(returned)}"
    if len(rest) > 1 or not all(map(_is_struct, rest)):
        problem = f"{what} must have at most one parameter other than the entity, its request, which is a struct."
        raise DeclarationError(problem, hint="Declare the request as a class derived from msgspec.Struct.")
    return Method(
        subject=subject,
        name=name.rstrip("_"),
        operation=declaration.operation,
        on_entity=on_entity,
        request=rest[0] if rest else None,
        response=_response(declaration, subject, returned),
        role=declaration.role or cls.manages,  # type: ignore[attr-defined]
        doc=doc,
        result=_none_or(returned) if long_ else None,
        move=declaration.move,
    )


def _check_move(what: str, on_entity: bool, returned: Any) -> None:
    if not on_entity:
        raise DeclarationError(f"{what} is a move, so its first parameter must be the entity.")
    kinds = typing.get_args(returned) if typing.get_origin(returned) in (typing.Union, types.UnionType) else (returned,)
    for kind in kinds:
        origin = typing.get_origin(kind) or kind
        if not (origin in (None, types.NoneType) or (isinstance(origin, type) and issubclass(origin, Mapping))):
            raise DeclarationError(f"{what} is a move, so it must return None or the values to set.")


def _hints(what: str, function: Callable[..., Any], names: list[str]) -> dict[str, Any]:
    """Returns the annotations of a function, which must be complete."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise DeclarationError(f"{what} has an annotation that is not defined: {error}.") from error
    if missing := [name for name in (*names, "return") if name not in hints]:
        raise DeclarationError(f"{what} has no annotation for {missing[0]}.")
    return hints


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _response(declaration: Declared, subject: Subject, returned: Any) -> Any:
    """Returns the response type of a method. A move always returns the entity, whatever its function returns."""
    if declaration.move is not None:
        return subject.entity
    if declaration.operation is MethodKind.LONG:
        return _operation()
    return typing.get_args(returned)[0] if declaration.operation is MethodKind.WATCH else _none_or(returned)


def _operation() -> type[Entity] | None:
    return declared[OPERATION].cls if OPERATION in declared else None


def _result_text(returned: Any) -> str:
    return "Its result is empty." if returned is type(None) else f"Its result is of type `{returned.__name__}`."


def _none_or(hint: Any) -> Any:
    return None if hint is type(None) else hint
