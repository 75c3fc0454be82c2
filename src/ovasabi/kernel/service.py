"""A service: the entity operations that every one has, and the verbs that are really its own, each declared once."""

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Database
from ovasabi.errors import OvasabiError
from ovasabi.kernel.context import Role, current_campaign
from ovasabi.kernel.entity import Entity, EntityType, type_of
from ovasabi.kernel.errors import Contended, VersionConflict
from ovasabi.kernel.history import state_at
from ovasabi.kernel.listing import ListRequest, Page, list_page
from ovasabi.kernel.repository import Repository
from ovasabi.kernel.rows import Draft
from ovasabi.kernel.search import search

E = TypeVar("E", bound=Entity)
S = TypeVar("S", bound="Service[Any]")
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])
ATTEMPTS = 5


class Operation(StrEnum):
    """What a method does; all but VERB are the same for every entity."""

    CREATE = "create"
    GET = "get"
    LIST = "list"
    SEARCH = "search"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"
    VERB = "verb"


class Found(msgspec.Struct, Generic[E], frozen=True):
    """An entity that a search found, and how well it matches."""

    rank: float
    entity: E


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to search for."""

    q: Annotated[str, Meta(description='Words, "phrases", -exclusions, OR, prefix*.', min_length=1, max_length=500)]
    page_size: Annotated[int, Meta(ge=1, le=100)] = 20


class SearchAnswer(msgspec.Struct, Generic[E], frozen=True):
    """The best matches of one type."""

    hits: list[Found[E]]
    total: Annotated[int, Meta(description="How many match; 200 means at least as many.")]
    corrected: bool


class Method(msgspec.Struct, frozen=True, eq=False):
    """A method of a service, as every door offers it. `on_entity` says that it is of one entity, not of all."""

    service: "type[Service[Any]]"
    name: str
    operation: Operation
    on_entity: bool
    request: Any
    response: Any
    role: Role
    doc: str

    @property
    def of(self) -> EntityType:
        """The entity that it is about."""
        return type_of(self.service.entity)

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.operation not in (Operation.GET, Operation.LIST, Operation.SEARCH)


class _Verb(msgspec.Struct, frozen=True):
    role: Role


def verb(role: Role = Role.WRITER) -> Callable[[F], F]:
    """Declares a method of a service as its own verb.

    `async def publish(self, content: Content) -> Content` is a verb of one entity; `async def f(self, request: R) -> A`
    one of all. A second parameter is the request, a typed struct. The answer's type is the return annotation.
    """

    def declare(function: F) -> F:
        function.__verb__ = _Verb(role)  # type: ignore[attr-defined]
        return function

    return declare


Methods = list[Method]
"""Named here, since inside a service `list` is a method."""

services: "list[type[Service[Any]]]" = []
"""Every service class that was declared."""


class Service(Generic[E]):
    """Base of the services: `class Contents(Service[Content]): …`. Override an operation to add a rule to it."""

    entity: ClassVar[type[Entity]]
    manages: ClassVar[Role] = Role.WRITER
    """The role that creating, updating and deleting need."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        (base,) = (b for b in cls.__orig_bases__ if typing.get_origin(b) is Service)  # type: ignore[attr-defined]
        cls.entity = typing.get_args(base)[0]
        services.append(cls)

    def __init__(self, database: Database, registry: "Registry") -> None:
        self.database = database
        self.registry = registry
        self.repository: Repository[E] = Repository(database, typing.cast("type[E]", self.entity))

    def check(self, values: Mapping[str, Any], before: E | None) -> None:
        """Refuses values that break a rule; `before` is what is there, None for a new one. To be overridden."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates one."""
        self.check(values, None)
        return await self.repository.create(values, key=key)

    async def create_many(self, drafts: Sequence[Draft]) -> list[E | OvasabiError]:
        """Creates many in one statement, under the same rules; an error in the place of each that was refused."""
        if type(self).create is not Service.create:
            return [await _caught(self.create(draft.values, key=draft.key)) for draft in drafts]
        refusals = [self._refusal(draft.values) for draft in drafts]
        kept = [draft for draft, refusal in zip(drafts, refusals, strict=True) if refusal is None]
        created = iter(await self.repository.create_many(kept))
        return [refusal or next(created) for refusal in refusals]

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> E:
        """Reads one by id or uuid; with `as_of`, as it was then."""
        if as_of is None:
            return await self.repository.get(reference)
        id, _ = self.repository.resolve(reference)
        return await state_at(self.database, self.repository.cls, id, as_of)

    async def list(self, request: ListRequest) -> Page[E]:
        """Lists a page of them, the newest first."""
        return await list_page(self.repository, request)

    async def search(self, request: SearchRequest) -> SearchAnswer[E]:
        """Searches their text, best first."""
        return await self.repository.sharing.answer(request, current_campaign(), lambda: self._search(request))

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> E:
        """Changes the fields that are given; metadata is merged."""
        id, uuid = self.repository.resolve(reference)
        if uuid is not None:
            id = (await self.get(reference)).id
        if not values:
            return await self.repository.get(id)
        if type(self).check is Service.check:
            return await self.repository.update(id, values, expected_version=expected_version)
        return await self._checked_update(id, values, expected_version)

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> E:
        """Deletes one, softly: it can be restored."""
        entity = await self.get(reference)
        return await self.repository.delete(entity.id, expected_version=expected_version)

    async def restore(self, reference: int | str) -> E:
        """Takes a delete back."""
        id, _ = self.repository.resolve(reference)
        return await self.repository.restore(id)

    async def change(self, entity: E, verb: str, **values: Any) -> E:
        """What a verb does to its entity: sets fields, under the verb's own event, if nobody changed it meanwhile."""
        return await self.repository.update(entity.id, values, expected_version=entity.version, verb=verb)

    async def call(
        self, method: Method, reference: str | None, request: Any, expected_version: int | None = None
    ) -> Any:
        """Runs a verb; where others got in between and the caller named no version, again on what is there now."""
        function = getattr(self, method.name)
        arguments = () if request is None else (request,)
        for attempt in range(ATTEMPTS):
            if not method.on_entity:
                return await function(*arguments)
            entity = await self.get(str(reference))
            if expected_version is not None and entity.version != expected_version:
                raise VersionConflict(
                    type=method.of.name, reference=reference, version=entity.version, expected=expected_version
                )
            try:
                return await function(entity, *arguments)
            except (VersionConflict, Contended):
                if expected_version is not None or attempt == ATTEMPTS - 1:
                    raise
        raise Contended

    async def _search(self, request: SearchRequest) -> SearchAnswer[E]:
        of = self.repository.of
        found = await search(self.database, request.q, types=[of.name], limit=request.page_size)
        entities = await self.repository.get_many([hit.id for hit in found.hits]) if found.hits else {}
        hits = [Found(hit.rank, entities[hit.id]) for hit in found.hits if hit.id in entities]
        return SearchAnswer(hits, found.facets.get(of.name, 0), found.corrected)

    async def _checked_update(self, id: int, values: Mapping[str, Any], expected_version: int | None) -> E:
        """The rule is judged by what is there, so the change holds only if nobody changed that meanwhile."""
        for _ in range(ATTEMPTS):
            before = await self.repository.get(id)
            self.check(values, before)
            version = before.version if expected_version is None else expected_version
            try:
                return await self.repository.update(id, values, expected_version=version)
            except VersionConflict:
                if expected_version is not None:
                    raise
        raise Contended

    def _refusal(self, values: Mapping[str, Any]) -> OvasabiError | None:
        try:
            self.check(values, None)
        except OvasabiError as error:
            return error
        return None

    @classmethod
    def methods(cls) -> "Methods":
        """The methods that every door offers: the operations of every entity, then the service's own verbs."""
        of, page, answer = type_of(cls.entity), Page[cls.entity], SearchAnswer[cls.entity]  # type: ignore[name-defined]
        standard = [
            (Operation.CREATE, False, of.draft, cls.entity, cls.manages),
            (Operation.GET, True, None, cls.entity, Role.READER),
            (Operation.LIST, False, ListRequest, page, Role.READER),
            (Operation.SEARCH, False, SearchRequest, answer, Role.READER),
            (Operation.UPDATE, True, of.patch, cls.entity, cls.manages),
            (Operation.DELETE, True, None, cls.entity, cls.manages),
            (Operation.RESTORE, True, None, cls.entity, cls.manages),
        ]
        if not of.searched:
            standard = [row for row in standard if row[0] is not Operation.SEARCH]
        operations = [
            Method(cls, op.value, op, on, request, response, role, _doc(getattr(cls, op.value), of))
            for op, on, request, response, role in standard
        ]
        return operations + [_verb_method(cls, name, function) for name, function in _verbs(cls)]


class Registry:
    """The running services, one instance of each; through it one service calls another."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.services: dict[str, Service[Any]] = {
            type_of(service.entity).name: service(database, self) for service in services
        }

    def service(self, kind: type[S]) -> S:
        """The running service of a class."""
        return typing.cast("S", self.services[type_of(kind.entity).name])

    def named(self, entity_type: str) -> Service[Any]:
        """The running service of an entity type."""
        return self.services[entity_type]

    def methods(self) -> list[Method]:
        """All methods of all services."""
        return [method for service in self.services.values() for method in service.methods()]


async def _caught(answer: Awaitable[E]) -> E | OvasabiError:
    try:
        return await answer
    except OvasabiError as error:
        return error


def _verbs(cls: type[Service[Any]]) -> list[tuple[str, Callable[..., Any]]]:
    return [(name, f) for name, f in inspect.getmembers(cls, inspect.isfunction) if hasattr(f, "__verb__")]


def _verb_method(cls: type[Service[Any]], name: str, function: Callable[..., Any]) -> Method:
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [hints[parameter] for parameter in list(inspect.signature(function).parameters)[1:]]
    on_entity = bool(parameters) and parameters[0] is cls.entity
    rest = parameters[1:] if on_entity else parameters
    role: Role = function.__verb__.role  # type: ignore[attr-defined]
    request = rest[0] if rest else None
    return Method(cls, name, Operation.VERB, on_entity, request, hints["return"], role, inspect.getdoc(function) or "")


def _doc(function: Callable[..., Any], of: EntityType) -> str:
    text = inspect.getdoc(function) or ""
    return f"{of.plural.capitalize()}. {text}" if function.__qualname__.startswith("Service.") else text
