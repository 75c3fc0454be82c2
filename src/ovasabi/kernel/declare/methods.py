"""The methods of a service, declared once with typed requests and responses for every protocol, and calls of them."""

import inspect
import keyword
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.call.verb import named
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope, type_of
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

    @property
    def forms(self) -> type[msgspec.Struct] | None:
        """What the input of its request must fit besides the type, if anything."""
        return None if self.subject.of is None else self.subject.of.forms_of(self.request)


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
    """Base of the messages of a watch; `cursor` is where to resume. One with nothing of its own is a heartbeat."""

    cursor: Annotated[str, Meta(description="The cursor at which to resume after this message.")]
    lag_seconds: Annotated[
        float | None,
        Meta(
            description="In a heartbeat: for how many seconds at least later messages have been held back by a "
            "transaction that is still open; 0 if none are, null if that is not known."
        ),
    ] = None

    @property
    def silent(self) -> bool:
        """Whether it is a heartbeat: it has nothing of its own."""
        own = (name for name in self.__struct_fields__ if name not in Watched.__struct_fields__)
        return all(getattr(self, name) is None for name in own)


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
        check_function("verb", function, role)
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


def values_of(request: msgspec.Struct) -> dict[str, Any]:
    """Returns the values that are set in a draft or patch."""
    return {k: v for k, v in msgspec.structs.asdict(request).items() if v is not msgspec.UNSET}


def ordered(methods: list[Method]) -> list[Method]:
    """Returns the methods in the order of their folders and services, regardless of the order of imports."""
    return sorted(methods, key=lambda method: (method.subject.folder, method.subject.title))


def check_function(decorator: str, function: Any, role: Any, *, optional: bool = False) -> None:
    """Raises `DeclarationError` unless a decorator stands above a plain function, alone, with a role."""
    if not inspect.isfunction(function):
        problem = f"@{decorator} stands above {type(function).__name__}, which is not a function."
        raise DeclarationError(problem, hint=f"Put @{decorator} directly above `async def`.")
    if not (isinstance(role, Role) or (optional and role is None)):
        problem = f"{function.__qualname__} requires {role!r}, which is not a role."
        raise DeclarationError(problem, hint=f"Use one of {', '.join(f'Role.{each.name}' for each in Role)}.")
    if hasattr(function, "__declared__"):
        raise DeclarationError(f"{function.__qualname__} is already declared as a method.", hint="Use one decorator.")


def _declaring(operation: MethodKind, role: Any) -> Callable[[F], F]:
    if inspect.isfunction(role):
        problem = f"{role.__qualname__} is declared by a decorator without parentheses."
        raise DeclarationError(problem, hint="Add them, for example @verb().")

    def declare(function: F) -> F:
        check_function(operation.value, function, role, optional=operation is MethodKind.LONG)
        name = function.__name__
        named = MethodKind(name) if operation is MethodKind.READ and name in ("get", "list", "search") else operation
        function.__declared__ = Declared(named, role)  # type: ignore[attr-defined]
        return function

    return declare
