"""State machines: the declared moves of an entity type's state, each from several states to one. Enforced only here."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.errors import DeclarationError, Kind, OvasabiError, such_as
from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.entity import SYSTEM_FIELDS, EntityType
from ovasabi.kernel.declare.fields import Field, FromMetadata, Immutable, Output

ALLOWED_MOVES = "allowed_moves"
"""The name of the method that returns the moves that are currently allowed."""


class MoveRefused(OvasabiError):
    """The verb is not allowed in the entity's current state."""

    kind = Kind.PRECONDITION
    code = "move_refused"
    message = "You cannot {verb} this {type} because its state is {state}."
    example = such_as(
        verb="unpublish",
        type="content",
        state="archived",
        field="state",
        hint="Allowed from: published. From archived you can: unarchive.",
    )


class Move(msgspec.Struct, frozen=True):
    """A verb that moves an entity from one of its source states to a target state."""

    verb: str
    sources: tuple[StrEnum, ...]
    target: StrEnum
    role: Role = Role.WRITER
    field: str | None = None
    """The field of the state; required if the entity has several fields of that enum."""
    internal: bool = False
    """Whether only the service itself makes the move, so that it is not part of the API."""
    doc: str = ""


class AllowedMove(msgspec.Struct, frozen=True):
    """A verb that is currently allowed."""

    verb: Annotated[str, Meta(description="The verb, which is also the name of its method.")]
    to: Annotated[str, Meta(description="The state that the verb leads to.")]
    role: Annotated[Role, Meta(description="The role that the verb requires.")]


class AllowedMoves(msgspec.Struct, frozen=True):
    """The state of an entity, and the verbs that are currently allowed."""

    state: str
    moves: list[AllowedMove]


machines: "dict[str, StateMachine]" = {}
"""The state machine of each entity type that has one, by name."""


class StateMachine:
    """The moves of one entity type, in order of declaration. An invalid declaration raises `DeclarationError`."""

    def __init__(self, of: EntityType, moves: Sequence[Move]) -> None:
        self.of = of
        self.moves = tuple(moves)
        fields = {_field(of, move).name for move in self.moves}
        if len(fields) != 1:
            raise DeclarationError(
                f"{of.name} has moves of several fields ({', '.join(sorted(fields))}): only one is allowed."
            )
        self.field = fields.pop()
        self._by_verb: dict[str, Move] = {}
        for move in self.moves:
            if move.verb in self._by_verb:
                raise DeclarationError(f"{of.name}.{move.verb} is declared twice.")
            self._by_verb[move.verb] = move

    def check_reachable(self) -> None:
        """Raises `DeclarationError` for a move from a state in which an entity can never be."""
        found = set(self.states if self.initial is None else [self.initial])
        while more := {move.target for move in self.moves if found.intersection(move.sources)} - found:
            found |= more
        for move in self.moves:
            if lost := [source for source in move.sources if source not in found]:
                problem = f"{self.of.name}.{move.verb} leads from {lost[0]}, which no move leads to."
                raise DeclarationError(problem, hint=f"Declare a move to {lost[0]}, or omit it.")

    @property
    def states(self) -> list[StrEnum]:
        """All states, in order of declaration."""
        return list(type(self.moves[0].target))

    @property
    def initial(self) -> StrEnum | None:
        """The state of a new entity, if the declaration defines it."""
        initial = self.of.by_name[self.field].initial()
        return initial if isinstance(initial, StrEnum) else None

    def allowed(self, state: StrEnum) -> list[Move]:
        """Returns the moves that a caller can make from a state."""
        return [move for move in self.moves if state in move.sources and not move.internal]

    def allowed_moves(self, entity: Any) -> AllowedMoves:
        """Returns the state of an entity and the moves that a caller can make."""
        state: StrEnum = getattr(entity, self.field)
        return AllowedMoves(state, [AllowedMove(move.verb, move.target, move.role) for move in self.allowed(state)])

    def after(self, verb: str, entity: Any) -> StrEnum:
        """Returns the state that a verb moves an entity to; raises `MoveRefused` if the verb is not allowed."""
        move, state = self._by_verb[verb], getattr(entity, self.field)
        if state in move.sources:
            return move.target
        sources, verbs = ", ".join(move.sources), ", ".join(other.verb for other in self.allowed(state))
        possible = f"From {state} you can: {verbs}." if verbs else f"No verb is allowed from {state}."
        raise MoveRefused(
            field=self.field,
            verb=verb.replace("_", " "),
            type=self.of.name.replace("_", " "),
            state=state,
            hint=f"Allowed from: {sources}. {possible}",
        )


def why_not_set(of: EntityType, name: str, *, changing: bool) -> tuple[str, str] | None:
    """Returns why clients cannot set or change a field, and what to do instead; None if there is no such field."""
    field = of.by_name.get(name)
    if field is None and name not in SYSTEM_FIELDS:
        return None
    machine = machines.get(of.name)
    moves = [move for move in machine.moves if not move.internal] if machine and machine.field == name else []
    if moves:
        *others, last = [move.verb for move in moves]
        verbs = f"verbs {', '.join(others)} and {last}" if others else f"verb {last}"
        return f"The field {name!r} is set by the {verbs}.", f"Omit it, and call {'one of them' if others else 'it'}."
    if field is not None and (source := field.get(FromMetadata)) is not None:
        return f"The field {name!r} is derived from the metadata.", f"Set {source.path} in the metadata."
    if field is not None and changing and field.has(Immutable) and not field.has(Output):
        return f"The field {name!r} can be set only when the {_words(of)} is created.", "Omit it."
    return f"The field {name!r} is set by the platform.", "Omit it."


def _words(of: EntityType) -> str:
    return of.name.replace("_", " ")


def _field(of: EntityType, move: Move) -> Field:
    """Returns the field that a move sets; raises `DeclarationError` if the move is invalid."""
    path, states = f"{of.name}.{move.verb}", type(move.target)
    if not move.sources:
        raise DeclarationError(f"{path} has no source states.")
    if any(type(source) is not states for source in move.sources):
        raise DeclarationError(f"{path} mixes states of different enums.")
    if len(set(move.sources)) < len(move.sources):
        raise DeclarationError(f"{path} names a state twice.")
    if move.target in move.sources:
        raise DeclarationError(f"{path} moves from {move.target} to {move.target}, which is not a move.")
    found = [field for field in of.fields if field.base is states and move.field in (None, field.name)]
    if not found:
        named = "field" if move.field is None else f"field {move.field!r}"
        raise DeclarationError(f"{path} needs a {named} of {states.__name__}, which {of.name} does not have.")
    if len(found) > 1:
        names = ", ".join(field.name for field in found)
        raise DeclarationError(f"{path} could set any of {names}: choose one with field=….")
    if found[0].has(Immutable):
        raise DeclarationError(f"{path} sets {found[0].name}, which is Immutable.")
    if found[0].nullable:
        raise DeclarationError(
            f"{path} sets {found[0].name}, which must not be nullable: an entity always has a state."
        )
    return found[0]
