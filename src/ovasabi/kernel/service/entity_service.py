"""The service of an entity: create, get, list, search, update, delete and restore, import and export."""

import asyncio
import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from ovasabi.database.background import in_background
from ovasabi.database.connection import Database
from ovasabi.database.retry import CONTENTION, retry
from ovasabi.errors import DeadlineExceeded, DeclarationError, OvasabiError
from ovasabi.kernel.call.context import PLATFORM, Role, current_campaign, deadline
from ovasabi.kernel.call.errors import Contended, VersionConflict
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.call.verb import running_verb
from ovasabi.kernel.declare.entity import Entity, Scope, type_of
from ovasabi.kernel.declare.methods import OFFERED, Call, MethodKind, Resource, Subject, values_of
from ovasabi.kernel.declare.moves import moves_of
from ovasabi.kernel.declare.signatures import own_methods
from ovasabi.kernel.declare.state_machine import AllowedMoves, StateMachine, machines
from ovasabi.kernel.search.full_text import CANDIDATES, search_rows
from ovasabi.kernel.service.base import Methods, Service, Services
from ovasabi.kernel.service.operations import operations_of
from ovasabi.kernel.service.overrides import SETTINGS, check_own
from ovasabi.kernel.service.protocol import Found, SearchRequest, SearchResponse, best_of
from ovasabi.kernel.service.rules import RULES, Rules, check_service, hooks_of
from ovasabi.kernel.store.history import ids_by_key, state_at
from ovasabi.kernel.store.listing import ListRequest, Page, list_pages
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.kernel.transfer.import_export import export_entities, import_entities
from ovasabi.kernel.work.long_methods import start

E = TypeVar("E", bound=Entity)
T = TypeVar("T")
R = TypeVar("R")
TRANSFERS = frozenset({MethodKind.CREATE, MethodKind.LIST})
"""The operations that a service must offer for its entities to be imported and exported."""


class EntityService(Service, Rules[E], Generic[E], base=True):
    """Base class of the services of an entity: `class Contents(EntityService[Content]): …`.

    It has every operation of an entity; override the methods of `Rules` to add rules to them.
    """

    entity: ClassVar[type[Entity]]
    offers: ClassVar[frozenset[MethodKind]] = OFFERED
    """The operations that the API offers. Import and export require create and list."""
    manages: ClassVar[Role] = Role.WRITER
    """The role required to create, update and delete."""
    machine: ClassVar[StateMachine]
    """The moves that the class declares with `@move`; not set for a class without moves."""

    hooks: ClassVar[frozenset[str]]
    """The methods of `Rules` that the class overrides."""

    import_ = import_entities
    export = export_entities

    repository: Repository[E]

    def __init_subclass__(cls) -> None:
        entity = _entity_of(cls)
        check_own(cls, EntityService, RULES | {"change", "ids_by_key"}, SETTINGS)
        cls.entity = entity
        if moves := moves_of(cls):
            cls.machine = machines[type_of(entity).name] = StateMachine(type_of(entity), moves)
        check_service(cls, type_of(cls.entity))
        cls.hooks = hooks_of(cls)
        super().__init_subclass__(checked=True)

    def __init__(self, database: Database, registry: Services) -> None:
        super().__init__(database, registry)
        self.repository = Repository(database, typing.cast("type[E]", self.entity))

    async def run(self, call: Call) -> Any:
        """Runs a call of one of its methods."""
        reference, version = str(call.target), call.expected_version
        match call.method.operation:
            case MethodKind.CREATE:
                return await self.create(values_of(call.request), key=call.key)
            case MethodKind.GET:
                return await self.get(reference, as_of=call.as_of)
            case MethodKind.LIST:
                return await self.list(call.request)
            case MethodKind.SEARCH:
                return await self.search(call.request)
            case MethodKind.UPDATE:
                return await self.update(reference, values_of(call.request), expected_version=version)
            case MethodKind.DELETE:
                return await self.delete(reference, expected_version=version)
            case MethodKind.RESTORE:
                return await self.restore(reference)
            case MethodKind.LONG:
                return await start(self.registry, call)
        return await self._own(call)

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> E:
        """Creates an entity; repeating the call with the same key has no further effect."""
        try:
            draft = await self._draft(values, key)
        except OvasabiError:
            # What the rules say may have changed since the first call, which a repeated one must not notice.
            if key is not None and (entity := await self.repository.created_before(values, key)) is not None:
                return entity
            raise
        creating = self._repository_of(draft).create(draft.values, key=draft.key, number=draft.number)
        if "created" not in self.hooks:
            return await creating
        try:
            entity = await creating
        except OvasabiError as error:
            await self.created([draft], [error])
            raise
        except asyncio.CancelledError:
            in_background(self.created([draft], [DeadlineExceeded()]))
            raise
        await self.created([draft], [entity])
        return entity

    async def _draft(self, values: Mapping[str, Any], key: str | None) -> NewEntity:
        """Returns what to create; raises the error of the rule that refuses it."""
        self.check(values, None)
        draft = NewEntity(values, key)
        if "prepare" not in self.hooks:
            return draft
        (prepared,) = await self.prepare([draft])
        if isinstance(prepared, OvasabiError):
            raise prepared
        return prepared

    async def create_many(self, drafts: Sequence[NewEntity]) -> list[E | OvasabiError]:
        """Creates entities in one statement, under the same rules; returns an error in place of each refused one."""
        checked = [self._refusal(draft.values) or draft for draft in drafts]
        prepared = await _through(self.prepare, checked)
        return await _through(self._create_prepared, prepared)

    async def _create_prepared(self, drafts: Sequence[NewEntity]) -> list[E | OvasabiError]:
        repositories = [self._repository_of(draft) for draft in drafts]
        results: dict[int, E | OvasabiError] = {}
        for repository in dict.fromkeys(repositories):
            places = [place for place, each in enumerate(repositories) if each is repository]
            made = await repository.create_many([drafts[place] for place in places])
            results.update(zip(places, made, strict=True))
        ordered = [results[place] for place in range(len(drafts))]
        await self.created(drafts, ordered)
        return ordered

    def _repository_of(self, draft: NewEntity) -> Repository[E]:
        """Returns the repository to create an entity in: of a campaign, the one on the campaign's server."""
        if draft.shard is None:
            return self.repository
        repository: Repository[E] = self.registry.shards.numbered(draft.shard).here(type(self)).repository
        return repository

    def _everywhere(self) -> "list[EntityService[E]]":
        """Returns the instances of the service on all servers if the platform asks for campaigns; else itself."""
        shards = self.registry.shards.all
        if type_of(self.entity).scope is not Scope.ROOT or len(shards) == 1 or current_campaign() != PLATFORM:
            return [self]
        return [registry.here(type(self)) for registry in shards.values()]

    async def get(self, reference: int | str, *, as_of: datetime | None = None) -> E:
        """Returns an entity by id or uuid; with `as_of`, as it was at that time."""
        if as_of is None:
            return await self.repository.get(reference)
        id, _ = self.repository.resolve(reference)
        return await state_at(self.database, self.repository.cls, id, as_of)

    async def get_many(self, ids: Sequence[int]) -> dict[int, E]:
        """Returns those of the entities that exist, by id."""
        return await self.repository.get_many(ids)

    async def list(self, request: ListRequest) -> Page[E]:
        """Returns a page of entities."""
        return await list_pages([service.repository for service in self._everywhere()], request)

    async def search(self, request: SearchRequest) -> SearchResponse[E]:
        """Searches the text of the entities; the best matches come first."""
        services = self._everywhere()
        if len(services) > 1:
            return best_of([await service._search(request) for service in services], request.page_size)
        key = (type(self), request)
        return await self.registry.result_cache.get(key, current_campaign(), lambda: self._search(request))

    async def ids_by_key(self, keys: Sequence[str | None]) -> Mapping[str, int]:
        """Returns the ids of the entities that were created under client keys before."""
        return await ids_by_key(self.database, keys)

    async def update(
        self, reference: int | str, values: Mapping[str, Any], *, expected_version: int | None = None
    ) -> E:
        """Changes the given fields; metadata is merged."""
        id, uuid = self.repository.resolve(reference)
        if uuid is not None:
            id = (await self.get(reference)).id
        if not values:
            return await self._at(id, expected_version)
        if "around_update" not in self.hooks:
            return await self._update(id, values, expected_version)
        async with self.around_update(id, values):
            return await self._update(id, values, expected_version)

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> E:
        """Soft-deletes an entity, which can then be restored."""
        entity = await self._delete(reference, expected_version)
        await self.deleted(entity)
        return entity

    async def _delete(self, reference: int | str, expected_version: int | None) -> E:
        if self.hooks.isdisjoint(("before_delete", "after_delete")):
            entity = await self.get(reference)
            return await self.repository.delete(entity.id, expected_version=expected_version)

        async def deleted() -> E:
            entity = await self.get(reference)
            await self.before_delete(entity)
            entity = await self._delete_checked(entity, expected_version)
            await self.after_delete(entity)
            return entity

        return await atomically(self.database, deleted)

    async def _delete_checked(self, entity: E, expected_version: int | None) -> E:
        """Deletes an entity as `before_delete` has seen it; raises `Contended` if it was changed meanwhile."""
        if expected_version is not None or "before_delete" not in self.hooks:
            return await self.repository.delete(entity.id, expected_version=expected_version)
        try:
            return await self.repository.delete(entity.id, expected_version=entity.version)
        except VersionConflict as error:
            raise Contended from error

    async def restore(self, reference: int | str) -> E:
        """Undoes the delete of an entity."""
        id, _ = self.repository.resolve(reference)
        await self.before_restore(id)
        if "after_restore" not in self.hooks:
            return await self.repository.restore(id)

        async def restored() -> E:
            entity = await self.repository.restore(id)
            await self.after_restore(entity)
            return entity

        return await atomically(self.database, restored)

    async def change(self, entity: E, verb: str | None = None, /, **values: Any) -> E:
        """Sets fields and logs the event of a verb, by default the one that is running.

        Raises `VersionConflict` on a concurrent change.
        """
        verb = verb or running_verb()
        return await self.repository.update(entity.id, values, expected_version=entity.version, verb=verb)

    def present_time(self, entity: E) -> datetime:
        """Returns the time for a verb to set: the present, and never before the creation or last change of the entity.

        Ids, and the times in them, can be ahead of the clock.
        """
        return max(self.database.present.now(), entity.updated_at)

    async def allowed_moves(self, entity: E) -> AllowedMoves:
        """Returns the verbs that are currently allowed, with the state each leads to and the role it requires."""
        return self.machine.allowed_moves(entity)

    async def _own(self, call: Call) -> Any:
        """Runs one of the service's own methods; retries it on a concurrent change unless a version is expected."""
        method, version = call.method, call.expected_version
        function = getattr(self, method.function)
        arguments = () if call.request is None else (call.request,)
        if not method.on_entity:
            return await function(*arguments)

        async def attempt() -> Any:
            return await function(await self._at(str(call.target), version), *arguments)

        return await _retried(attempt, version)

    async def _at(self, reference: int | str, version: int | None) -> E:
        """Returns the current entity; raises `VersionConflict` unless it is at the given version, if any."""
        entity = await self.get(reference)
        if version is not None and entity.version != version:
            of = type_of(self.entity).name
            raise VersionConflict(type=of, reference=reference, version=entity.version, expected=version)
        return entity

    async def _search(self, request: SearchRequest) -> SearchResponse[E]:
        repository = self.repository
        rows = await search_rows(self.database, repository.sql, request.q, request.page_size)
        hits = [Found(row["_rank"], repository.codec.entity(row)) for row in rows]
        return SearchResponse(
            hits, min(rows[0]["_matched"], CANDIDATES) if rows else 0, bool(rows and rows[0]["_corrected"])
        )

    async def _update(self, id: int, values: Mapping[str, Any], expected_version: int | None) -> E:
        if "check" in self.hooks:
            return await self._checked_update(id, values, expected_version)
        return await self.repository.update(id, values, expected_version=expected_version)

    async def _checked_update(self, id: int, values: Mapping[str, Any], expected_version: int | None) -> E:
        """Checks the update against the current entity, and retries both if the entity changes in between."""

        async def attempt() -> E:
            before = await self.repository.get(id)
            self.check(values, before)
            version = before.version if expected_version is None else expected_version
            return await self.repository.update(id, values, expected_version=version)

        try:
            return await _retried(attempt, expected_version)
        except VersionConflict as error:
            if expected_version is not None:
                raise
            raise Contended from error

    def _refusal(self, values: Mapping[str, Any]) -> OvasabiError | None:
        try:
            self.check(values, None)
        except OvasabiError as error:
            return error
        return None

    @classmethod
    def methods(cls) -> Methods:
        """Returns the methods that every protocol offers: the operations of every entity, then the service's own."""
        own = own_methods(cls, cls.subject)
        return operations_of(cls) + [
            method for method in own if method.name not in ("import", "export") or cls.offers >= TRANSFERS
        ]

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
            doc=inspect.cleandoc(vars(cls).get("__doc__") or ""),
            resource=vars(cls).get("resource")
            or (Resource.CAMPAIGN if of.scope is Scope.CAMPAIGN else Resource.PLATFORM),
            entity=cls.entity,
        )


def _entity_of(cls: type) -> type[Entity]:
    """Returns the entity class `X` of a class that is declared as `class Y(EntityService[X])`."""
    bases = [base for base in vars(cls).get("__orig_bases__", ()) if typing.get_origin(base) is EntityService]
    entities = [argument for base in bases for argument in typing.get_args(base) if isinstance(argument, type)]
    if len(entities) != 1:
        problem = f"{cls.__name__} is not declared as the service of one entity."
        raise DeclarationError(problem, hint=f"Use `class {cls.__name__}(EntityService[GiftCard])`.")
    return type_of(entities[0]).cls


async def _through(
    step: Callable[[Sequence[NewEntity]], Awaitable[Sequence[T | OvasabiError]]],
    drafts: Sequence[NewEntity | OvasabiError],
) -> list[T | OvasabiError]:
    """Runs a step on the drafts that are not refused yet; returns its results and the errors in the drafts' order."""
    accepted = [draft for draft in drafts if isinstance(draft, NewEntity)]
    results = await step(accepted) if accepted else []
    if len(results) != len(accepted):
        raise TypeError(f"{step} received {len(accepted)} drafts, but returned {len(results)} results")
    remaining = iter(results)
    return [next(remaining) if isinstance(draft, NewEntity) else draft for draft in drafts]


async def _retried(attempt: Callable[[], Awaitable[R]], version: int | None) -> R:
    """Retries an attempt on a concurrent change, unless the caller named the version that it requires."""
    if version is not None:
        return await attempt()
    return await retry(attempt, CONTENTION, on=_changed_concurrently, deadline=deadline())


def _changed_concurrently(error: Exception) -> bool:
    return isinstance(error, (VersionConflict, Contended))
