"""The base class of services: their subject, their methods, and how calls are dispatched."""

import inspect
from collections.abc import AsyncGenerator
from typing import Any, ClassVar, Protocol, TypeVar

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource, Subject, Watched
from ovasabi.kernel.declare.signatures import own_methods
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.kernel.search.result_cache import ResultCache
from ovasabi.kernel.service.overrides import DESCRIPTION, check_own
from ovasabi.kernel.service.protocol import Entities
from ovasabi.kernel.service.sealing import seal
from ovasabi.kernel.service.shards import Shards
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.work.long_methods import Lookup, start

S = TypeVar("S", bound="Service")
Methods = list[Method]
"""Defined here because `list` is a method in the classes of services."""

services: "list[type[Service]]" = []
"""All declared service classes."""


class Services(Lookup, Protocol):
    """The running services, as seen by one of them."""

    subscriptions: Subscriptions
    result_cache: ResultCache
    shards: "Shards[Any]"

    def named(self, entity_type: str) -> Entities[Any]:
        """Returns the running service of an entity type, in this process or another."""

    def service(self, kind: type[S]) -> S:
        """Returns the service of a class that runs in this process, as all services of one folder do."""


class Service:
    """Base class of services. A service of an entity is an `EntityService`; others derive directly from this class.

    `singular` and `plural` name its subject; `collection` is its part of the address, empty if there is none.
    """

    singular: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    collection: ClassVar[str] = ""
    resource: ClassVar[Resource] = Resource.CAMPAIGN
    subject: ClassVar[Subject]
    database: Database
    registry: Services

    def __init_subclass__(cls, *, base: bool = False, checked: bool = False) -> None:
        super().__init_subclass__()
        if base:
            seal(cls)
            return
        if not checked:
            check_own(cls, Service, frozenset(), DESCRIPTION)
        cls.subject = cls._subject()
        services.append(cls)
        seal(cls)

    def __init__(self, database: Database, registry: Services) -> None:
        self.database = database
        self.registry = registry

    @classmethod
    def methods(cls) -> Methods:
        """Returns the methods that every protocol offers."""
        return own_methods(cls, cls.subject)

    async def run(self, call: Call) -> Any:
        """Runs a call of one of its methods; for a long method, starts it and returns its operation."""
        if call.method.operation is MethodKind.LONG:
            return await start(self.registry, call)
        return await self._function(call)

    async def stream(self, call: Call) -> AsyncGenerator[Watched, None]:
        """Returns the messages of a call of a watch. An invalid call is refused before the first message."""
        messages: AsyncGenerator[Watched, None] = self._function(call)
        return messages

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
            doc=inspect.cleandoc(vars(cls).get("__doc__") or ""),
            resource=cls.resource,
        )


seal(Service, Repository)


def declared_methods() -> Methods:
    """Returns all methods of all services, in this process or others."""
    return [method for service in services for method in service.methods()]
