"""The base of every service: what it is about, its methods, and how a call of one is answered."""

import inspect
from collections.abc import AsyncGenerator
from typing import Any, ClassVar, Protocol, TypeVar

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, Resource, Subject, Watched, own_methods
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.kernel.search.result_cache import ResultCache
from ovasabi.kernel.service.protocol import Entities
from ovasabi.kernel.work.long_methods import Lookup, start

S = TypeVar("S", bound="Service")
Methods = list[Method]
"""Named here, since inside a service `list` is a method."""

services: "list[type[Service]]" = []
"""Every service class that was declared."""


class Services(Lookup, Protocol):
    """The running services, as one of them sees the others."""

    subscriptions: Subscriptions
    result_cache: ResultCache

    def named(self, entity_type: str) -> Entities[Any]:
        """The running service of an entity type, here or elsewhere."""

    def service(self, kind: type[S]) -> S:
        """The service of a class that runs in this process, as those of one folder do."""


class Service:
    """Base of the services. One of an entity is an `EntityService`; this alone is for those that only ask and tell.

    `singular` and `plural` name what it is about; `collection` is its part of the address, none for the campaign's own.
    """

    singular: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    collection: ClassVar[str] = ""
    resource: ClassVar[Resource] = Resource.CAMPAIGN
    subject: ClassVar[Subject]

    def __init_subclass__(cls, *, base: bool = False) -> None:
        super().__init_subclass__()
        if not base:
            cls.subject = cls._subject()
            services.append(cls)

    def __init__(self, database: Database, registry: Services) -> None:
        self.database = database
        self.registry = registry

    @classmethod
    def methods(cls) -> Methods:
        """The methods that every door offers."""
        return own_methods(cls, cls.subject)

    async def run(self, call: Call) -> Any:
        """Answers a call of one of its methods; a long one with the operation that goes on."""
        if call.method.operation is MethodKind.LONG:
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
            resource=cls.resource,
        )


def declared_methods() -> Methods:
    """All methods of all services, wherever they run."""
    return [method for service in services for method in service.methods()]
