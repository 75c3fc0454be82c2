"""State machines: the declared moves of an entity type's state, each from some states to one, enforced here alone."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import EntityType
from ovasabi.kernel.declare.fields import Field


class MoveRefused(OvasabiError):
    """The verb is not one of those that apply to the entity's present state."""

    kind = Kind.PRECONDITION
    code = "move_refused"
    message = "You cannot {verb} this {type} because it is {state}."
    example = such_as(
        verb="unpublish",
        type="content",
        state="archived",
        field="state",
        hint="Allowed from: published. From archived you can: unarchive.",
    )


class Move(msgspec.Struct, frozen=True):
    """A verb that leads from one of some states to another one."""

    verb: str
    sources: tuple[StrEnum, ...]
    target: StrEnum
    role: Role = Role.WRITER
    field: str | None = None
    """The field of the state, where the entity has several of that enum."""
    internal: bool = False
    """Whether only the service itself makes it, and no door offers it."""
    doc: str = ""


class AllowedMove(msgspec.Struct, frozen=True):
    """A verb that applies to an entity now."""

    verb: Annotated[str, Meta(description="The verb, which is the name of its method.")]
    to: Annotated[str, Meta(description="The state that it leads to.")]
    role: Annotated[Role, Meta(description="The role that it needs.")]


class AllowedMoves(msgspec.Struct, frozen=True):
    """The state of an entity, and the verbs that apply to it now."""

    state: str
    moves: list[AllowedMove]


class StateMachine:
    """The moves of one entity type, in order of declaration. A declaration that cannot work is a `TypeError`."""

    def __init__(self, of: EntityType, moves: Sequence[Move]) -> None:
        self.of = of
        self.moves = tuple(moves)
        fields = {_field(of, move).name for move in self.moves}
        if len(fields) != 1:
            raise TypeError(f"{of.name} has moves of several fields ({', '.join(sorted(fields))}): one has a machine")
        self.field = fields.pop()
        self._by_verb: dict[str, Move] = {}
        for move in self.moves:
            if move.verb in self._by_verb:
                raise TypeError(f"{of.name}.{move.verb} is declared twice")
            self._by_verb[move.verb] = move

    @property
    def states(self) -> list[StrEnum]:
        """All states, in order of declaration."""
        return list(type(self.moves[0].target))

    @property
    def initial(self) -> StrEnum | None:
        """The state of a new entity, where the declaration says it."""
        initial = self.of.by_name[self.field].initial()
        return initial if isinstance(initial, StrEnum) else None

    def allowed(self, state: StrEnum) -> list[Move]:
        """The moves that a caller can make from a state."""
        return [move for move in self.moves if state in move.sources and not move.internal]

    def allowed_moves(self, entity: Any) -> AllowedMoves:
        """What can be done with an entity now, as it is told to a caller."""
        state: StrEnum = getattr(entity, self.field)
        return AllowedMoves(state, [AllowedMove(move.verb, move.target, move.role) for move in self.allowed(state)])

    def after(self, verb: str, entity: Any) -> StrEnum:
        """The state that a verb leads an entity to; `MoveRefused` if the verb does not apply to it."""
        move, state = self._by_verb[verb], getattr(entity, self.field)
        if state in move.sources:
            return move.target
        sources, verbs = ", ".join(move.sources), ", ".join(other.verb for other in self.allowed(state))
        rest = f"From {state} you can: {verbs}." if verbs else f"Nothing can be done from {state}."
        raise MoveRefused(
            field=self.field,
            verb=verb.replace("_", " "),
            type=self.of.name.replace("_", " "),
            state=state,
            hint=f"Allowed from: {sources}. {rest}",
        )


def _field(of: EntityType, move: Move) -> Field:
    """The field of the entity that a move sets, once the move is found to make sense."""
    place, states = f"{of.name}.{move.verb}", type(move.target)
    if not move.sources:
        raise TypeError(f"{place} has no state to come from")
    if any(type(source) is not states for source in move.sources):
        raise TypeError(f"{place} moves between states of different enums")
    if len(set(move.sources)) < len(move.sources):
        raise TypeError(f"{place} names a state twice")
    if move.target in move.sources:
        raise TypeError(f"{place} moves from {move.target} to {move.target}, which is no move")
    found = [field for field in of.fields if field.base is states and move.field in (None, field.name)]
    if not found:
        named = "field" if move.field is None else f"field {move.field!r}"
        raise TypeError(f"{place} needs a {named} of {states.__name__}, which {of.name} does not have")
    if len(found) > 1:
        names = ", ".join(field.name for field in found)
        raise TypeError(f"{place} could set {names}: name the field with field=…")
    if found[0].nullable:
        raise TypeError(f"{place} sets {found[0].name}, which may be null: a state is always there")
    return found[0]
