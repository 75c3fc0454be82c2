"""State machines: the named moves of an entity's state, each from some states to one, enforced here alone."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from ovasabi.errors import Kind, OvasabiError, such_as

S = TypeVar("S", bound=StrEnum)


class MoveRefused(OvasabiError):
    """The verb is not one of those that apply to the entity's present state."""

    kind = Kind.PRECONDITION
    code = "move_refused"
    message = "The verb {verb} does not apply to what is {state}."
    hint = "It applies to: {sources}. To what is {state} there applies: {verbs}."
    example = such_as(verb="publish", state="archived", sources="draft", verbs="unarchive", field="state")


class StateMachine(Generic[S]):
    """The moves by verb: from which states, to which. `StateMachine({"publish": ([DRAFT], PUBLISHED), …})`."""

    def __init__(self, moves: Mapping[str, tuple[Collection[S], S]]) -> None:
        self._moves = moves

    def after(self, verb: str, state: S) -> S:
        """The state that a verb leads to; `MoveRefused` if it does not apply to this one."""
        sources, target = self._moves[verb]
        if state not in sources:
            verbs = ", ".join(sorted(name for name, (known, _) in self._moves.items() if state in known))
            raise MoveRefused(field="state", verb=verb, state=state, sources=", ".join(sources), verbs=verbs or "none")
        return target
