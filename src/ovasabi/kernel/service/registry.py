"""The running services: one instance of each, here or in another process."""

import typing
from collections.abc import Callable
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.kernel.declare.entity import declared
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.kernel.search.result_cache import MOST_BYTES, ResultCache
from ovasabi.kernel.service.base import S, Service, services
from ovasabi.kernel.service.entity_service import EntityService


class ServiceRegistry:
    """The services, one instance of each; through it one service calls another, also one that runs elsewhere."""

    def __init__(
        self,
        database: Database,
        elsewhere: Callable[[type[Service]], Service | None] | None = None,
        *,
        kept_bytes: int = MOST_BYTES,
    ) -> None:
        self.database = database
        self.subscriptions = Subscriptions(database)
        self.result_cache = ResultCache(database, kept_bytes)
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
