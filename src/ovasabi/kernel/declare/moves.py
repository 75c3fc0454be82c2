"""`@move`: declares a verb by its source states and its target state."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from ovasabi.errors import DeclarationError
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.call.verb import named
from ovasabi.kernel.declare.checks.arguments import check_arguments
from ovasabi.kernel.declare.entity import Entity
from ovasabi.kernel.declare.methods import OFFERED, Declared, MethodKind, check_function
from ovasabi.kernel.declare.state_machine import Move

Values = Mapping[str, Any]
"""Values of an entity's fields, by name."""
E = TypeVar("E", bound=Entity)
P = ParamSpec("P")
Own = Callable[Concatenate[Any, E, P], Awaitable[Values | None]]
_ARGUMENTS = {"from_": list[StrEnum] | tuple[StrEnum, ...], "to": StrEnum, "field": str | None, "internal": bool}
Verb = Callable[Concatenate[Any, E, P], Coroutine[Any, Any, E]]


def move(
    *,
    from_: Collection[StrEnum],
    to: StrEnum,
    role: Role = Role.WRITER,
    field: str | None = None,
    internal: bool = False,
) -> Callable[[Own[E, P]], Verb[E, P]]:
    """Declares a verb of one entity that moves its state: `@move(from_=[DRAFT], to=PUBLISHED)`.

    The function contains only what is specific to the verb. It is called when the verb is allowed; it may refuse by
    raising an error, and may return further values to set. A second parameter is the request. The verb then sets the
    state and the values, logs its own event, and returns the entity. The state is stored in the field whose type is
    the enum of `to`; if there are several, `field` names it. An `internal` move is made only by the service itself and
    is not part of the API.
    """

    def declare(function: Own[E, P]) -> Verb[E, P]:
        check_function("move", function, role)
        given = {"from_": from_, "to": to, "field": field, "internal": internal}
        check_arguments(f"@move of {function.__qualname__}", given, _ARGUMENTS)
        name, own = function.__name__.rstrip("_"), named(function)
        if name in OFFERED:
            raise DeclarationError(f"{name} is an operation of every entity: a move needs a different name.")

        @functools.wraps(function)
        async def verb(self: Any, entity: E, /, *args: P.args, **kwargs: P.kwargs) -> E:
            machine = self.machine
            target = machine.after(name, entity)
            values = await own(self, entity, *args, **kwargs)
            changed: E = await self.change(entity, name, **{machine.field: target}, **(values or {}))
            return changed

        declared = Move(name, tuple(from_), to, role, field, internal, inspect.getdoc(function) or "")
        verb.__declared__ = Declared(MethodKind.VERB, role, declared)  # type: ignore[attr-defined]
        return verb

    return declare


def moves_of(cls: type) -> list[Move]:
    """Returns the moves that a class declares, in order of declaration."""
    members = {name: member for base in reversed(cls.__mro__) for name, member in vars(base).items()}
    found: list[Move] = []
    for name, member in members.items():
        move = getattr(getattr(member, "__declared__", None), "move", None)
        if move is None:
            continue
        if name.rstrip("_") != move.verb:
            raise DeclarationError(f"{cls.__name__}.{name} is the move {move.verb} under another name.")
        found.append(move)
    return found
