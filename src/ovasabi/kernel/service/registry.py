"""The running services: one instance of each, in this process or another."""

from collections.abc import Callable
from typing import Any

from ovasabi.database.connection import Database
from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.entity import Scope, declared, type_of
from ovasabi.kernel.declare.methods import OPERATION
from ovasabi.kernel.events.subscriptions import Subscriptions
from ovasabi.kernel.search.result_cache import MAX_BYTES, ResultCache
from ovasabi.kernel.service.base import S, Service, services
from ovasabi.kernel.service.entity_service import EntityService
from ovasabi.kernel.service.protocol import Entities, Served
from ovasabi.kernel.service.sealing import check_instance, check_sealed
from ovasabi.kernel.service.shards import HOME, Shards, at_home
from ovasabi.kernel.store.repository import Repository
from ovasabi.kernel.work.long_methods import Starter

Elsewhere = Callable[[type[Service]], Entities[Any] | None]
"""Returns the proxy of a service that runs in another process; None if it runs in this process."""


class ServiceRegistry:
    """The services, one instance of each; through it services call each other, including those in other processes."""

    shards: "Shards[ServiceRegistry]"
    """The registries of all servers; set anew where there are several."""

    def __init__(
        self,
        database: Database,
        elsewhere: Elsewhere | None = None,
        *,
        kept_bytes: int = MAX_BYTES,
        home: "ServiceRegistry | None" = None,
    ) -> None:
        self.database = database
        self.shards = Shards({HOME: home or self}, at_home)
        self.subscriptions = Subscriptions(database)
        self.result_cache = ResultCache(database, kept_bytes)
        self.services: dict[str, Served] = {}
        self._entities: dict[str, Entities[Any]] = {}
        self._local: dict[str, Service] = {}
        self._additional: dict[type[Service], Service] = {}
        for kind in services:
            if home is not None and issubclass(kind, EntityService) and type_of(kind.entity).scope is Scope.GLOBAL:
                self._share(kind, home)
            else:
                self._add(kind, elsewhere(kind) if elsewhere is not None else None)

    def named(self, entity_type: str) -> Entities[Any]:
        """Returns the running service of an entity type, in this process or another."""
        return self._entities[declared[entity_type].plural]

    def service(self, kind: type[S]) -> S:
        """Returns the service of a class that runs in this process, as all services of one folder do."""
        running = self._local.get(kind.subject.label)
        if not isinstance(running, kind):
            raise TypeError(f"{kind.__name__} does not run in this process: use named() with its entity type")
        return running

    def here(self, kind: type[S]) -> S:
        """Returns an instance of a service in this process, even if the service runs in another one."""
        running = self._local.get(kind.subject.label) or self._additional.get(kind)
        if not isinstance(running, kind):
            running = self._additional[kind] = self._created(kind)
        return running

    @property
    def operations(self) -> Starter:
        """The service that accepts long methods, in this process."""
        starter = self.here(service_class(OPERATION))
        if not isinstance(starter, Starter):
            raise TypeError(f"{type(starter).__name__} does not accept long methods")
        return starter

    @property
    def local(self) -> list[str]:
        """The services that run in this process, by label."""
        return list(self._local)

    def _share(self, kind: type[Service], home: "ServiceRegistry") -> None:
        """Takes over the service of an entity of the platform, which is written at home only."""
        label = kind.subject.label
        self.services[label], self._entities[label] = home.services[label], home._entities[label]
        if label in home._local:
            self._local[label] = home._local[label]

    def _add(self, kind: type[Service], remote: Entities[Any] | None) -> None:
        label = kind.subject.label
        if remote is not None:
            self.services[label] = remote
            if kind.subject.entity is not None:
                self._entities[label] = remote
            return
        running = self._created(kind)
        self.services[label] = self._local[label] = running
        if isinstance(running, EntityService):
            self._entities[label] = running

    def _created(self, kind: type[S]) -> S:
        """Returns a new instance of a service; raises `DeclarationError` if it replaces what its class defines."""
        check_sealed(kind, Repository)
        try:
            running = kind(self.database, self)
        except Exception as error:  # an author's constructor can raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".:")
            raise DeclarationError(f"{kind.__name__}.__init__ failed: {reason}.", hint="Correct it.") from error
        check_sealed(kind, Repository)  # again, since the constructor has run
        base = EntityService if issubclass(kind, EntityService) else Service
        check_instance(running, kind, base, self.database, self)
        return running


def service_class(entity_type: str) -> type[EntityService[Any]]:
    """Returns the service class of an entity type."""
    label = declared[entity_type].plural
    (found,) = (kind for kind in services if kind.subject.label == label and issubclass(kind, EntityService))
    return found
