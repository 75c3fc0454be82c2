"""The rules that a service can add to the operations of its entities, by overriding methods."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.fields import Output
from ovasabi.kernel.declare.methods import MethodKind
from ovasabi.kernel.store.rows import NewEntity

E = TypeVar("E", bound=Entity)

HOOKS = {
    MethodKind.CREATE: ("check", "prepare"),
    MethodKind.UPDATE: ("check",),
    MethodKind.DELETE: ("before_delete", "after_delete"),
    MethodKind.RESTORE: ("after_restore",),
}
"""The rules that apply to each operation."""
ONE_PATH = ("create", "create_many")
"""Methods that no service may override, because imports and bulk creates would bypass its rules."""


class Rules(Generic[E]):
    """Base class of entity services, with rules that allow everything."""

    def check(self, values: Mapping[str, Any], before: E | None) -> None:
        """Refuses values that violate a rule; `before` is the current entity, None for a new one."""

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """Prepares entities to be created, one or many, with as few statements as possible.

        Returns, for each draft, the draft to create or the error that refuses it.
        """
        return drafts

    async def before_delete(self, entity: E) -> None:
        """Runs before a delete, in its transaction: may refuse it, or remove references to the entity."""

    async def after_delete(self, entity: E) -> None:
        """Runs after a delete, in its transaction: `entity` is the deleted entity, still locked."""

    async def after_restore(self, entity: E) -> None:
        """Runs after a restore, in its transaction."""


def hooks_of(cls: Any) -> frozenset[str]:
    """Returns the names of the rules that a service overrides."""
    names = {name for hooks in HOOKS.values() for name in hooks}
    return frozenset(name for name in names if getattr(cls, name) is not getattr(Rules, name))


def check_class(cls: Any, base: type) -> None:
    """Raises `TypeError` for a service that would bypass its own rules or those of its state machine."""
    for name in ONE_PATH:
        if getattr(cls, name) is not getattr(base, name):
            problem = f"{cls.__name__} overrides {name}, which an import would bypass"
            raise TypeError(f"{problem}: move the rule to check or prepare, which every create runs")
    machine = getattr(cls, "machine", None)
    if machine is None or not cls.offers & {MethodKind.CREATE, MethodKind.UPDATE}:
        return
    if not machine.of.by_name[machine.field].has(Output):
        raise TypeError(f"{machine.of.name}.{machine.field} has moves, so clients must not set it: mark it Output()")
