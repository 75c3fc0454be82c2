"""The rules that a service can add to the operations of its entities, by overriding methods."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from ovasabi.errors import DeclarationError, OvasabiError
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope
from ovasabi.kernel.declare.fields import Output
from ovasabi.kernel.declare.methods import OFFERED, MethodKind, Resource
from ovasabi.kernel.store.rows import NewEntity

E = TypeVar("E", bound=Entity)

HOOKS = {
    MethodKind.CREATE: ("check", "prepare", "created"),
    MethodKind.UPDATE: ("check", "around_update"),
    MethodKind.DELETE: ("before_delete", "after_delete", "deleted"),
    MethodKind.RESTORE: ("before_restore", "after_restore"),
}
"""The rules that apply to each operation."""
RULES = frozenset(name for names in HOOKS.values() for name in names)
"""The methods that a service can override, in addition to `change`, which writes what its verbs set."""


class Rules(Generic[E]):
    """Base class of entity services, with rules that allow everything."""

    def check(self, values: Mapping[str, Any], before: E | None) -> None:
        """Refuses values that violate a rule; `before` is the current entity, None for a new one."""

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """Prepares entities to be created, one or many, with as few statements as possible.

        Returns, for each draft, the draft to create or the error that refuses it.
        """
        return drafts

    async def created(self, drafts: Sequence[NewEntity], results: Sequence[E | OvasabiError]) -> None:
        """Runs when a create is complete, with the entity or the error of each draft that `prepare` let through."""

    @asynccontextmanager
    async def around_update(self, id: int, values: Mapping[str, Any]) -> AsyncIterator[None]:
        """Runs around an update: may refuse it before the `yield`, or lock what must not change until it is done."""
        yield

    async def before_delete(self, entity: E) -> None:
        """Runs before a delete, in its transaction: may refuse it, or remove references to the entity."""

    async def after_delete(self, entity: E) -> None:
        """Runs after a delete, in its transaction: `entity` is the deleted entity, still locked."""

    async def deleted(self, entity: E) -> None:
        """Runs when a delete is complete, outside its transaction."""

    async def before_restore(self, id: int) -> None:
        """Runs before a restore, outside its transaction: may refuse it."""

    async def after_restore(self, entity: E) -> None:
        """Runs after a restore, in its transaction."""


def hooks_of(cls: Any) -> frozenset[str]:
    """Returns the names of the rules that a service overrides."""
    return frozenset(name for name in RULES if getattr(cls, name) is not getattr(Rules, name))


_RESOURCES = {
    Scope.CAMPAIGN: (Resource.CAMPAIGN, Resource.EITHER),
    Scope.GLOBAL: (Resource.PLATFORM,),
    Scope.ROOT: (Resource.PLATFORM,),
}
"""What the methods of an entity can be called on, by its scope; the first is the default."""


def check_service(cls: Any, of: EntityType) -> None:
    """Raises `DeclarationError` for a service that offers what its entities do not have."""
    if cls.offers - OFFERED:
        names = ", ".join(sorted(cls.offers - OFFERED))
        raise DeclarationError(f"{cls.__name__}.offers has {names}, which is not an operation of every entity.")
    resource = vars(cls).get("resource", _RESOURCES[of.scope][0])
    if resource not in _RESOURCES[of.scope]:
        allowed = ", ".join(f"Resource.{each.name}" for each in _RESOURCES[of.scope])
        problem = f"{cls.__name__}.resource is {resource}, where {of.name} does not exist."
        raise DeclarationError(problem, hint=f"Use {allowed}.")
    machine = getattr(cls, "machine", None)
    if machine is None:
        return
    if "prepare" not in hooks_of(cls):  # which can create entities in any state
        machine.check_reachable()
    path = f"{of.name}.{machine.field}"
    if cls.offers & {MethodKind.CREATE, MethodKind.UPDATE} and not of.by_name[machine.field].has(Output):
        raise DeclarationError(f"{path} has moves, so clients must not set it: mark it Output().")
