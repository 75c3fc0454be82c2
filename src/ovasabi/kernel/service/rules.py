"""The rules that a service adds to the operations of its entities, each a method to be overridden."""

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
"""Which of them belong to which operation."""
ONE_PATH = ("create", "create_many")
"""What no service overrides: an import, and a create of many, would bypass its rules."""


class Rules(Generic[E]):
    """Base of the services of an entity: rules that allow everything."""

    def check(self, values: Mapping[str, Any], before: E | None) -> None:
        """Refuses values that break a rule; `before` is what is there, None for a new one."""

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """Looks at what is to be created, one or many, with as few statements as that takes.

        Answers each draft as it is to be created, or the error that refuses it.
        """
        return drafts

    async def before_delete(self, entity: E) -> None:
        """Part of the transaction of a delete, before it: may refuse it, or clear what refers to the entity."""

    async def after_delete(self, entity: E) -> None:
        """Part of the transaction of a delete, after it: `entity` is as it was deleted, under its lock."""

    async def after_restore(self, entity: E) -> None:
        """Part of the transaction of a restore, after it."""


def hooks_of(cls: Any) -> frozenset[str]:
    """The rules that a service overrides."""
    names = {name for hooks in HOOKS.values() for name in hooks}
    return frozenset(name for name in names if getattr(cls, name) is not getattr(Rules, name))


def check_class(cls: Any, base: type) -> None:
    """Refuses a service that would bypass rules, its own or those of a state machine."""
    for name in ONE_PATH:
        if getattr(cls, name) is not getattr(base, name):
            problem = f"{cls.__name__} overrides {name}, which an import would bypass"
            raise TypeError(f"{problem}: put the rule into check or prepare, which every create runs")
    machine = getattr(cls, "machine", None)
    if machine is None or not cls.offers & {MethodKind.CREATE, MethodKind.UPDATE}:
        return
    if not machine.of.by_name[machine.field].has(Output):
        raise TypeError(f"{machine.of.name}.{machine.field} has moves, so no client may set it: mark it Output()")
