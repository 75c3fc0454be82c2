"""The generated client on a running server: every function of every service, called as its declaration says."""

import keyword
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ovasabi.codegen.client.functions import RESERVED
from ovasabi.database.connection import Database
from ovasabi.discovery import discover
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import Scope, declared
from ovasabi.kernel.declare.methods import OPERATION, Method, MethodKind, Resource, Subject
from ovasabi.kernel.service import ServiceRegistry, services
from ovasabi.security.keys import create_key
from ovasabi_client import ApiError, AsyncClient, Client
from tests.integration.drafts import Maker
from tests.integration.gateway.touring_fixtures import Tour, all_functions
from tests.samples import least_of

discover()
SUBJECTS = {service.subject.label: service for service in services}
OWN = (MethodKind.VERB, MethodKind.READ)


class Visit:
    """A visit of one service: where its functions are in the client, and an entity for those that need one."""

    def __init__(self, tour: Tour, maker: Maker, subject: Subject) -> None:
        self.maker, self.subject, self.tour = maker, subject, tour
        self.campaign = tour.campaign(maker.campaign)
        place = tour if subject.resource is Resource.PLATFORM else self.campaign
        self.service = getattr(place, subject.label) if subject.collection else place
        self.home = tour if subject.resource is Resource.PLATFORM else self.campaign
        self.methods = {method.name: method for method in SUBJECTS[subject.label].methods()}

    def has(self, kind: MethodKind) -> bool:
        """Whether the service offers it."""
        return any(method.operation is kind and kind.value == method.name for method in self.methods.values())

    async def made(self) -> Any:
        """An entity: of the service's own type by its client if that creates any, else as the kernel makes it."""
        of = self.subject.of
        if self.subject.singular == OPERATION:
            return await self.operation()
        if of is None:
            return await self.maker.create(min(name for name, each in declared.items() if each.scope is Scope.CAMPAIGN))
        if not self.has(MethodKind.CREATE):
            return await self.maker.create(of.name)
        made = await self.service.create(**_named(await self.maker.draft(of.name)))
        assert (type(made).__name__, made.version) == (of.cls.__name__, 1)
        return made

    async def operation(self) -> Any:
        """An operation that has ended: of some long method of a campaign that needs to be told nothing."""
        methods = (method for service in SUBJECTS.values() for method in service.methods())
        wanted = next(
            method
            for method in methods
            if method.operation is MethodKind.LONG
            and method.resource is Resource.CAMPAIGN
            and not method.on_entity
            and (method.request is None or not least_of(method.request))
        )
        started = await getattr(getattr(self.campaign, wanted.subject.label), wanted.function)()
        return await self.campaign.operations.wait(started.id)

    def reference(self, made: Any) -> Any:
        """How a call names an entity: a campaign by its number."""
        root = self.subject.of is not None and self.subject.of.scope is Scope.ROOT
        return made.campaign_id if root else made.id

    async def call(self, method: Method, made: Any) -> Any:
        """Calls a method with the values that it must be given."""
        values = {} if method.request is None else _named(least_of(method.request))
        arguments = [self.reference(made)] if method.on_entity else []
        if method.operation is MethodKind.SEARCH:
            arguments += values.values()
            values = {}
        return await getattr(self.service, method.function)(*arguments, **values)


@pytest_asyncio.fixture(params=["sync", "async"])
async def tour(request: pytest.FixtureRequest, address: str, database: Database) -> AsyncIterator[Tour]:
    """A client of each kind, with an admin key of the platform."""
    key = await create_key(database.url, "test", Role.ADMIN)
    if request.param == "sync":
        with Client(address, key) as client:
            yield Tour(client, set())
    else:
        async with AsyncClient(address, key) as client:
            yield Tour(client, set())


@pytest.mark.parametrize("label", sorted(SUBJECTS))
async def test_every_function_of_a_service_answers_or_refuses_by_a_rule(
    label: str, tour: Tour, registry: ServiceRegistry, campaign: int
) -> None:
    visit = Visit(tour, Maker(registry, campaign), SUBJECTS[label].subject)
    made = await visit.made()
    if visit.subject.of is not None:
        made = await _visit_entity(visit, made)
    await _visit_lists(visit, made)
    await _visit_own(visit, made)
    await _visit_long(visit, made)
    functions = {name for cls, name in all_functions() if cls == visit.subject.title}
    assert functions == {name for cls, name in tour._called if cls == visit.subject.title}
    assert functions


def test_there_is_no_function_beside_those_of_the_services() -> None:
    classes = {cls for cls, _ in all_functions()}
    assert classes == {service.subject.title for service in services} | {"Client"}
    assert {name for cls, name in all_functions() if cls == "Client"} == {"campaign"}


async def _visit_entity(visit: Visit, made: Any) -> Any:
    """What every entity has, as far as the service offers it; answers the entity as it is in the end."""
    service, reference, of = visit.service, visit.reference(made), visit.subject.of
    assert of is not None
    if visit.has(MethodKind.UPDATE):
        patch = _named(await visit.maker.patch(of.name))
        changed = await service.update(reference, **patch, expected_version=made.version)
        assert changed.version == made.version + 1
        with pytest.raises(ApiError) as refused:
            await service.update(reference, **patch, expected_version=made.version)
        assert refused.value.code == "version_conflict"
        assert await service.get(reference, as_of=made.updated_at) == made
        made = changed
    if visit.has(MethodKind.GET):
        assert (await service.get(reference)).uuid == made.uuid
    if visit.has(MethodKind.DELETE):
        other = await visit.made()
        assert (await service.delete(visit.reference(other))).version == other.version + 1
        if visit.has(MethodKind.RESTORE):
            assert (await service.restore(visit.reference(other))).version == other.version + 2
    return made


async def _visit_lists(visit: Visit, made: Any) -> None:
    """Lists and searches, and what goes on answering."""
    kinds = {method.operation: method for method in visit.methods.values()}
    if visit.has(MethodKind.LIST):
        listed = await visit.service.list()
        assert listed
        page = await visit.service.page(page_size=1)
        items = next(value for value in msgspec.structs.astuple(page) if isinstance(value, list))
        assert items[0] == listed[0] or visit.subject.of is None
        if visit.subject.of is not None:
            (found,) = await visit.service.list(filter=f"id = {made.id}")
            assert found.uuid == made.uuid
    if MethodKind.SEARCH in kinds:
        await visit.call(kinds[MethodKind.SEARCH], made)
    if MethodKind.GET in kinds and visit.subject.of is None:
        assert (await visit.service.get(made.uuid)).id == made.id
    if MethodKind.WATCH in kinds:
        for _ in range(3):
            await visit.made()
        assert await visit.service.watch(heartbeat_seconds=0.5)


async def _visit_own(visit: Visit, made: Any) -> None:
    """The service's own methods, as long as one more of them applies: one verb opens the way for another."""
    left = [method for method in visit.methods.values() if method.operation in OWN]
    verbs, tried = len(left), True
    while tried:
        tried = False
        for method in list(left):
            try:
                await visit.call(method, made)
            except ApiError as error:
                _check_refusal(error)
            else:
                left.remove(method)
                tried = True
    if visit.has(MethodKind.CREATE):
        assert len(left) < verbs or not verbs, "not one of them applied to a new entity"


def _check_refusal(error: ApiError) -> None:
    """It is by a rule of the service, in a class of its own: what was sent could be read."""
    assert type(error) is not ApiError, error
    assert error.status < 500, error
    assert error.code != "invalid_request", error


async def _visit_long(visit: Visit, made: Any) -> None:
    """What goes on as an operation: it ends, if not well then by a rule."""
    operations = visit.home.operations
    for method in visit.methods.values():
        if method.operation is MethodKind.LONG:
            started = await visit.call(method, made)
            ended = await operations.wait(started.id)
            assert ended.finished_at is not None
            assert ended.error is None or ended.error.kind != "internal", ended.error


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """Values by the names of the parameters: one that Python or the client keeps for itself has an underscore."""
    return {f"{n}_" if keyword.iskeyword(n) or n in RESERVED else n: value for n, value in values.items()}
