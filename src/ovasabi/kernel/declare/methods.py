"""What a service offers: methods declared once, with typed request and answer, and the call of one, for every door."""

import inspect
import keyword
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope, declared, type_of
from ovasabi.kernel.declare.state_machine import Move

F = TypeVar("F", bound=Callable[..., Any])


class MethodKind(StrEnum):
    """What a method does. All but the last four are the same for every entity."""

    CREATE = "create"
    GET = "get"
    LIST = "list"
    SEARCH = "search"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    READ = "read"
    """A service's own question: it changes nothing."""
    VERB = "verb"
    """A service's own verb."""
    WATCH = "watch"
    """Answers for as long as the caller listens."""
    LONG = "long"
    """Answers at once with an operation, which goes on."""


READING = frozenset({MethodKind.GET, MethodKind.LIST, MethodKind.SEARCH, MethodKind.READ, MethodKind.WATCH})
STANDARD = frozenset({MethodKind.CREATE, MethodKind.GET, MethodKind.LIST, MethodKind.UPDATE, MethodKind.DELETE})
"""What needs no name in an address: the method of HTTP says it."""
OFFERED = STANDARD | {MethodKind.SEARCH, MethodKind.RESTORE}
"""What every entity has, unless its service says otherwise."""
OPERATION = "operation"
"""The entity type that a long method answers with."""


class Resource(StrEnum):
    """What a method is called on."""

    CAMPAIGN = "campaign"
    """One campaign, which the call names."""
    ITSELF = "itself"
    """The campaign itself: it is the entity."""
    PLATFORM = "platform"
    EITHER = "either"
    """The campaign that the call names, or the platform if it names none."""


class Subject(msgspec.Struct, frozen=True, eq=False):
    """What the methods of a service are about."""

    label: str
    """The service's name among all, such as `contents`."""
    title: str
    """The name of its class, such as `Contents`."""
    folder: str
    """The folder that the class stands in, such as `content`."""
    singular: str
    plural: str
    collection: str
    """Its part of the address; none if it is the campaign's own."""
    doc: str
    resource: Resource
    entity: type[Entity] | None = None

    @property
    def of(self) -> EntityType | None:
        """The declaration of its entity, if it is of one."""
        return None if self.entity is None else type_of(self.entity)

    def reached(self, on_entity: bool) -> Resource:
        """What a method is called on: of one campaign, it is the campaign itself."""
        root = self.of is not None and self.of.scope is Scope.ROOT
        return Resource.ITSELF if root and on_entity else self.resource


class Method(msgspec.Struct, frozen=True, eq=False):
    """A method of a service, as every door offers it. `on_entity` says that it is of one entity, not of all."""

    subject: Subject
    name: str
    operation: MethodKind
    on_entity: bool
    request: Any
    """The type of the request, a struct; None if there is nothing to say."""
    response: Any
    """The type of the answer, or of each answer to a watch; None if there is nothing to tell."""
    role: Role
    doc: str
    result: Any = None
    """Of a long method: the type of the operation's result."""
    move: Move | None = None
    """Of a verb that moves the entity's state: from where to where."""

    @property
    def function(self) -> str:
        """The name of its function, which has an underscore where Python keeps the name for itself."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name

    @property
    def id(self) -> str:
        """Its name among all methods, such as `contents_publish`."""
        return f"{self.subject.label}_{self.name}"

    @property
    def resource(self) -> Resource:
        """What it is called on."""
        return self.subject.reached(self.on_entity)

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.operation not in READING

    @property
    def takes_key(self) -> bool:
        """Whether a caller may give a key, under which the same again has the same answer."""
        return self.operation in (MethodKind.CREATE, MethodKind.LONG)

    @property
    def takes_version(self) -> bool:
        """Whether a caller may say which version of the entity it means."""
        return self.on_entity and self.operation in (MethodKind.UPDATE, MethodKind.DELETE, MethodKind.VERB)


class Call(msgspec.Struct, frozen=True):
    """One call of a method, whichever door it came through."""

    method: Method
    campaign: str | None = None
    """The campaign by slug or number; None is the platform."""
    target: str | None = None
    """The entity by id or uuid, if the method is of one."""
    request: Any = None
    expected_version: int | None = None
    key: str | None = None
    """Of a create or a start: the same again under the same key has the same answer."""
    as_of: datetime | None = None
    """Of a get: the entity as it was then."""


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the answers to a watch: `cursor` is where to resume. One with nothing else is only a sign of life."""

    cursor: Annotated[str, Meta(description="Where to resume after it.")]

    @property
    def silent(self) -> bool:
        """Whether it tells nothing but where the watch is."""
        return all(getattr(self, name) is None for name in self.__struct_fields__ if name != "cursor")


class Declared(msgspec.Struct, frozen=True):
    """What a decorator said of a function."""

    operation: MethodKind
    role: Role | None
    move: Move | None = None


def verb(role: Role = Role.WRITER) -> Callable[[F], F]:
    """Declares a method of a service as its own verb.

    `async def publish(self, content: Content) -> Content` is a verb of one entity; `async def f(self, request: R) -> A`
    one of all. A second parameter is the request, a typed struct. The answer's type is the return annotation.
    """
    return _declaring(MethodKind.VERB, role)


def read(role: Role = Role.READER) -> Callable[[F], F]:
    """Declares a method that only reads: as a verb, but asked with GET, its request in the query.

    Methods called `get`, `list` and `search` need no name in their address, as those of every entity. One that takes
    `reference: str` is of the one that the address names.
    """
    return _declaring(MethodKind.READ, role)


def watch(role: Role = Role.READER) -> Callable[[F], F]:
    """Declares a method that answers for as long as the caller listens.

    `def watch(self, request: R) -> AsyncGenerator[A, None]`: a bad request is refused when it is called, and each
    answer is a `Watched`, which says where to resume.
    """
    return _declaring(MethodKind.WATCH, role)


def long(role: Role | None = Role.WRITER) -> Callable[[F], F]:
    """Declares a method that may take long: its answer is an operation, which tells how far it is, and its result.

    `async def export(self, request: R, progress: Progress) -> A`; with an entity before the request, it is of that
    one. It tells `progress` what it has done, and goes on from there when it is called again. `role=None` is the role
    that changing the service's entities needs. See `kernel/work/long_methods.py`.
    """
    return _declaring(MethodKind.LONG, role)


def own_methods(cls: type, subject: Subject) -> list[Method]:
    """The methods that a class declares by decorator, by name; long ones only where there are operations."""
    found = inspect.getmembers(cls, lambda member: inspect.isfunction(member) and hasattr(member, "__declared__"))
    offered = [(name, function) for name, function in found if not _internal(function)]
    methods = [_method(cls, subject, name, function) for name, function in offered]
    return [method for method in methods if method.operation is not MethodKind.LONG or OPERATION in declared]


def values_of(request: msgspec.Struct) -> dict[str, Any]:
    """The values of a draft or patch that were given."""
    return {k: v for k, v in msgspec.structs.asdict(request).items() if v is not msgspec.UNSET}


def ordered(methods: list[Method]) -> list[Method]:
    """The methods in the order of their folders and services, whichever was imported first."""
    return sorted(methods, key=lambda method: (method.subject.folder, method.subject.title))


def _internal(function: Any) -> bool:
    move: Move | None = function.__declared__.move
    return move is not None and move.internal


def _declaring(operation: MethodKind, role: Role | None) -> Callable[[F], F]:
    def declare(function: F) -> F:
        name = function.__name__
        named = MethodKind(name) if operation is MethodKind.READ and name in ("get", "list", "search") else operation
        function.__declared__ = Declared(named, role)  # type: ignore[attr-defined]
        return function

    return declare


def _method(cls: type, subject: Subject, name: str, function: Callable[..., Any]) -> Method:
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [hints[parameter] for parameter in list(inspect.signature(function).parameters)[1:]]
    on_entity = bool(parameters) and parameters[0] in (subject.entity, str)
    rest = parameters[1:] if on_entity else parameters
    said: Declared = function.__declared__  # type: ignore[attr-defined]
    long_ = said.operation is MethodKind.LONG
    answer, doc = hints["return"], inspect.getdoc(function) or ""
    if long_:
        rest = rest[:-1]  # the last one is its progress
        doc += f"\n\nAnswers at once with an operation, whose result is {_named(answer)}."
    return Method(
        subject=subject,
        name=name.rstrip("_"),
        operation=said.operation,
        on_entity=on_entity,
        request=rest[0] if rest else None,
        response=_response(said, subject, answer),
        role=said.role or cls.manages,  # type: ignore[attr-defined]
        doc=doc,
        result=_answer(answer) if long_ else None,
        move=said.move,
    )


def _response(said: Declared, subject: Subject, answer: Any) -> Any:
    """What a method answers, by what it was declared as: a move, whatever its function says, answers the entity."""
    if said.move is not None:
        return subject.entity
    if said.operation is MethodKind.LONG:
        return _operation()
    return typing.get_args(answer)[0] if said.operation is MethodKind.WATCH else _answer(answer)


def _operation() -> type[Entity] | None:
    return declared[OPERATION].cls if OPERATION in declared else None


def _named(answer: Any) -> str:
    return "empty" if answer is type(None) else f"`{answer.__name__}`"


def _answer(hint: Any) -> Any:
    return None if hint is type(None) else hint
