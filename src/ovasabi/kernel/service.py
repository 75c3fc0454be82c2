"""A service: the operations that every entity has, and the methods that are really its own, each declared once."""

import inspect
import typing
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import Meta

from ovasabi.database.connection import Database
from ovasabi.errors import OvasabiError
from ovasabi.kernel.context import Role, current_campaign
from ovasabi.kernel.entity import Entity, EntityType, Scope, declared, type_of
from ovasabi.kernel.errors import Contended, VersionConflict
from ovasabi.kernel.exchange import Exchange, exchanges
from ovasabi.kernel.history import state_at
from ovasabi.kernel.keeping import MOST_BYTES, Keeping
from ovasabi.kernel.listing import ListRequest, Page, list_page
from ovasabi.kernel.long import start
from ovasabi.kernel.methods import (
    OFFERED,
    Call,
    Method,
    Operation,
    Reach,
    Subject,
    Watched,
    own_methods,
    values_of,
)
from ovasabi.kernel.repository import Repository
from ovasabi.kernel.rows import Draft
from ovasabi.kernel.search import CANDIDATES, search_rows
from ovasabi.kernel.watching import Watching

E = TypeVar("E", bound=Entity)
S = TypeVar("S", bound="Service")
ATTEMPTS = 5


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
    total: Annotated[int, Meta(description="How many were found; 200 means at least as many.")]
    corrected: bool


Methods = list[Method]
"""Named here, since inside a service `list` is a method."""

services: "list[type[Service]]" = []
"""Every service class that was declared."""


class Service:
    """Base of the services. One of an entity is an `EntityService`; this alone is for those that only ask and tell.

    `singular` and `plural` name what it is about; `collection` is its part of the address, none for the campaign's own.
    """

    singular: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    collection: ClassVar[str] = ""
    reach: ClassVar[Reach] = Reach.CAMPAIGN
    subject: ClassVar[Subject]

    def __init_subclass__(cls, *, base: bool = False) -> None:
        super().__init_subclass__()
        if not base:
            cls.subject = cls._subject()
            services.append(cls)

    def __init__(self, database: Database, registry: "Registry") -> None:
        self.database = database
        self.registry = registry

    @classmethod
    def methods(cls) -> Methods:
        """The methods that every door offers."""
        return own_methods(cls, cls.subject)

    async def run(self, call: Call) -> Any:
        """Answers a call of one of its methods; a long one with the operation that goes on."""
        if call.method.operation is Operation.LONG:
            return await start(self.registry, call)
        return await self._function(call)

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """The answers to a call of a method that goes on answering; a bad call is refused before the first."""
        answers: AsyncGenerator[Watched, None] = self._function(call)
        return answers

    def _function(self, call: Call) -> Any:
        arguments = [argument for argument in (call.target, call.request) if argument is not None]
        return getattr(self, call.method.function)(*arguments)

    @classmethod
    def _subject(cls) -> Subject:
        return Subject(
            label=cls.collection or cls.__name__.lower(),
            title=cls.__name__,
            folder=cls.__module__.split(".")[-2],
            singular=cls.singular,
            plural=cls.plural,
            collection=cls.collection,
            doc=inspect.getdoc(cls) or "",
            reach=cls.reach,
        )


class EntityService(Service, Exchange, Generic[E], base=True):
    """Base of the services of an entity: `class Contents(EntityService[Content]): …`.

    Every operation of an entity is there; override one to add a rule to it.
    """

    entity: ClassVar[type[Entity]]
    offers: ClassVar[frozenset[Operation]] = OFFERED
    """What the doors offer of what every entity has; import and export where there are create and list."""
    manages: ClassVar[Role] = Role.WRITER
    """The role that creating, updating and deleting need."""

    def __init_subclass__(cls) -> None:
        (base,) = (b for b in cls.__orig_bases__ if typing.get_origin(b) is EntityService)  # type: ignore[attr-defined]
        cls.entity = typing.get_args(base)[0]
        super().__init_subclass__()

    def __init__(self, database: Database, registry: "Registry") -> None:
        super().__init__(database, registry)
        self.repository: Repository[E] = Repository(database, typing.cast("type[E]", self.entity))

    async def run(self, call: Call) -> Any:
        """Answers a call of one of its methods."""
        reference, version = str(call.target), call.expected_version
        match call.method.operation:
            case Operation.CREATE:
                return await self.create(values_of(call.request), key=call.key)
            case Operation.GET:
                return await self.get(reference, as_of=call.as_of)
            case Operation.LIST:
                return await self.list(call.request)
            case Operation.SEARCH:
                return await self.search(call.request)
            case Operation.UPDATE:
                return await self.update(reference, values_of(call.request), expected_version=version)
            case Operation.DELETE:
                return await self.delete(reference, expected_version=version)
            case Operation.RESTORE:
                return await self.restore(reference)
            case Operation.LONG:
                return await start(self.registry, call)
        return await self._own(call)

    def check(self, values: Mapping[str, Any], before: E | None) -> None:
        """Refuses values that break a rule; `before` is what is there, None for a new one. To be overridden."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates one."""
        self.check(values, None)
        return await self.repository.create(values, key=key)

    async def create_many(self, drafts: Sequence[Draft]) -> list[E | OvasabiError]:
        """Creates many in one statement, under the same rules; an error in the place of each that was refused."""
        if type(self).create is not EntityService.create:
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
        question = (type(self), request)
        return await self.registry.keeping.answer(question, current_campaign(), lambda: self._search(request))

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> E:
        """Changes the fields that are given; metadata is merged."""
        id, uuid = self.repository.resolve(reference)
        if uuid is not None:
            id = (await self.get(reference)).id
        if not values:
            return await self._at(id, expected_version)
        if type(self).check is EntityService.check:
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

    async def _own(self, call: Call) -> Any:
        """Runs a verb; where others got in between and the caller named no version, again on what is there now."""
        method, version = call.method, call.expected_version
        function = getattr(self, method.function)
        arguments = () if call.request is None else (call.request,)
        for attempt in range(ATTEMPTS):
            if not method.on_entity:
                return await function(*arguments)
            entity = await self._at(str(call.target), version)
            try:
                return await function(entity, *arguments)
            except (VersionConflict, Contended):
                if version is not None or attempt == ATTEMPTS - 1:
                    raise
        raise Contended

    async def _at(self, reference: int | str, version: int | None) -> E:
        """The entity as it is, which must be at that version if there is one."""
        entity = await self.get(reference)
        if version is not None and entity.version != version:
            of = type_of(self.entity).name
            raise VersionConflict(type=of, reference=reference, version=entity.version, expected=version)
        return entity

    async def _search(self, request: SearchRequest) -> SearchAnswer[E]:
        repository = self.repository
        rows = await search_rows(self.database, repository.sql, request.q, request.page_size)
        hits = [Found(row["rank"], repository.codec.entity(row)) for row in rows]
        return SearchAnswer(
            hits, min(rows[0]["matched"], CANDIDATES) if rows else 0, bool(rows and rows[0]["corrected"])
        )

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
    def methods(cls) -> Methods:
        """The methods that every door offers: the operations of every entity, then the service's own."""
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
        operations = [
            Method(cls.subject, op.value, op, on, request, response, role, _doc(getattr(cls, op.value), of))
            for op, on, request, response, role in standard
            if op in cls.offers and (of.searched or op is not Operation.SEARCH)
        ]
        return operations + [own for own in own_methods(cls, cls.subject) if exchanges(own) <= cls.offers]

    @classmethod
    def _subject(cls) -> Subject:
        of = type_of(cls.entity)
        return Subject(
            label=of.plural,
            title=cls.__name__,
            folder=of.service,
            singular=of.name,
            plural=of.plural,
            collection=of.plural,
            doc=inspect.getdoc(cls) or "",
            reach=vars(cls).get("reach") or (Reach.CAMPAIGN if of.scope is Scope.CAMPAIGN else Reach.PLATFORM),
            entity=cls.entity,
        )


def declared_methods() -> Methods:
    """All methods of all services, wherever they run."""
    return [method for service in services for method in service.methods()]


class Registry:
    """The services, one instance of each; through it one service calls another, also one that runs elsewhere."""

    def __init__(
        self,
        database: Database,
        elsewhere: Callable[[type[Service]], Service | None] | None = None,
        *,
        kept_bytes: int = MOST_BYTES,
    ) -> None:
        self.database = database
        self.watching = Watching(database)
        self.keeping = Keeping(database, kept_bytes)
        self.services: dict[str, Service] = {}
        self._beside: dict[str, Service] = {}
        for service in services:
            remote = elsewhere(service) if elsewhere is not None else None
            self.services[service.subject.label] = remote or service(database, self)

    def service(self, kind: type[S]) -> S:
        """The running service of a class."""
        return typing.cast("S", self.services[kind.subject.label])

    def named(self, entity_type: str) -> EntityService[Any]:
        """The running service of an entity type."""
        return typing.cast("EntityService[Any]", self.services[declared[entity_type].plural])

    @property
    def local(self) -> list[str]:
        """The services that run in this process, by label."""
        return [label for label, service in self.services.items() if type(service) in services]

    def here(self, entity_type: str) -> EntityService[Any]:
        """The service of an entity type in this process, if need be beside the one elsewhere."""
        label = declared[entity_type].plural
        if label in self.local:
            return self.named(entity_type)
        if label not in self._beside:
            (kind,) = (service for service in services if service.subject.label == label)
            self._beside[label] = kind(self.database, self)
        return typing.cast("EntityService[Any]", self._beside[label])


async def _caught(answer: Awaitable[E]) -> E | OvasabiError:
    try:
        return await answer
    except OvasabiError as error:
        return error


def _doc(function: Callable[..., Any], of: EntityType) -> str:
    text = inspect.getdoc(function) or ""
    return f"{of.plural.capitalize()}. {text}" if function.__qualname__.startswith("EntityService.") else text
