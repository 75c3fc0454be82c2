"""Counters: how many entities refer to another one by a field, which that one keeps in a field of its own."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.fields import Field, Immutable, Output, Reference


class Counter(msgspec.Struct, frozen=True, eq=False):
    """A counted reference: of which field, to which entity type, counted in which field of it."""

    reference: Field
    parent: str
    """The entity type that counts."""
    field: Field
    closed_in: tuple[StrEnum, ...] = ()
    """The states of the parent in which it takes no more."""
    state: Field | None = None
    """The field of those states."""
    refusal: type[OvasabiError] | None = None
    """What is said of a parent in one of those states."""

    def refuse(self, parent: Any) -> OvasabiError | None:
        """What is said of a parent that takes no more, if it does not."""
        if self.state is None or self.refusal is None or getattr(parent, self.state.name) not in self.closed_in:
            return None
        return self.refusal()


def counted_reference(name: str, fields: tuple[Field, ...]) -> tuple[Field, Reference] | None:
    """The field of an entity type by which it is counted, if there is one; a `TypeError` if there are several."""
    marked = ((field, field.get(Reference)) for field in fields)
    found = [(field, mark) for field, mark in marked if mark is not None and mark.counted_in is not None]
    if len(found) > 1:
        raise TypeError(f"{name} is counted by {' and '.join(field.name for field, _ in found)}: one counts it at most")
    for field, mark in ((field, mark) for field in fields if (mark := field.get(Reference)) is not None):
        if mark.closed_in and (mark.counted_in is None or mark.refusal is None):
            raise TypeError(f"{name}.{field.name} has closed_in, which needs counted_in and a refusal")
    return found[0] if found else None


def counter_of(name: str, field: Field, mark: Reference, parent: Mapping[str, Field]) -> Counter:
    """The counter of a counted reference, in the fields of its parent; a `TypeError` if it cannot be kept right."""
    place = f"{name}.{field.name}"
    if not field.has(Immutable):
        raise TypeError(f"{place} is counted, so it must be Immutable: a change of it would have to be counted")
    counter = parent.get(str(mark.counted_in))
    if counter is None:
        raise TypeError(f"{place} is counted in {mark.counted_in!r}, which is no field of {mark.type}")
    if counter.base is not int or counter.nullable or counter.initial() != 0 or not counter.has(Output):
        raise TypeError(f"{place} is counted in {mark.type}.{counter.name}, which must be an int that is Output and 0")
    if not mark.closed_in:
        return Counter(field, mark.type, counter)
    kinds = {type(state) for state in mark.closed_in}
    states = [state for state in parent.values() if {state.base} == kinds]
    if len(states) != 1:
        raise TypeError(f"{place} is closed in {', '.join(mark.closed_in)}, which is not of one field of {mark.type}")
    return Counter(field, mark.type, counter, mark.closed_in, states[0], mark.refusal)
