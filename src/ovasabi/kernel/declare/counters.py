"""Counters: an entity's field that holds how many entities refer to it through a reference."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Meta

from ovasabi.errors import DeclarationError, Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import ReferenceMissing
from ovasabi.kernel.declare.fields import Field, Immutable, Output, Reference, Unique


class ParentDeleted(OvasabiError):
    """The parent of the entity is deleted."""

    kind = Kind.PRECONDITION
    code = "parent_deleted"
    message = "The {parent} that this {type} belongs to is deleted."
    hint = "Restore the {parent} first."
    example = such_as(parent="content", type="comment", field="content_id")


class Counter(msgspec.Struct, frozen=True, eq=False):
    """A counted reference: the referring field, the entity type it refers to, and the counting field of that type."""

    reference: Field
    parent: str
    """The entity type that counts."""
    field: Field
    closed_in: tuple[StrEnum, ...] = ()
    """The states of the parent in which it accepts no more references."""
    state: Field | None = None
    """The parent's field that holds those states."""
    refusal: type[OvasabiError] | None = None
    """The error raised for a parent in one of those states."""

    def refuse(self, parent: Any) -> OvasabiError | None:
        """Returns the error for a parent that accepts no more references; None if it accepts them."""
        if self.state is None or self.refusal is None or getattr(parent, self.state.name) not in self.closed_in:
            return None
        return self.refusal()


def counted_reference(name: str, fields: tuple[Field, ...]) -> tuple[Field, Reference] | None:
    """Returns the counted reference of an entity type, if it has one; raises `DeclarationError` if it has several."""
    marked = ((field, field.get(Reference)) for field in fields)
    found = [(field, mark) for field, mark in marked if mark is not None and mark.counted_in is not None]
    if len(found) > 1:
        raise DeclarationError(
            f"{name} is counted by {' and '.join(field.name for field, _ in found)}: only one is allowed."
        )
    for field, mark in ((field, mark) for field in fields if (mark := field.get(Reference)) is not None):
        if mark.closed_in and (mark.counted_in is None or mark.refusal is None):
            raise DeclarationError(f"{name}.{field.name} has closed_in, which requires counted_in and refusal.")
        if mark.refusal is not None and not mark.closed_in:
            raise DeclarationError(f"{name}.{field.name} has refusal, which requires counted_in and closed_in.")
        if mark.refusal is not None and mark.refusal.placeholders():
            problem = f"{name}.{field.name} has a refusal with placeholders, {mark.refusal.__name__}."
            raise DeclarationError(problem, hint="Use an error whose message is always the same.")
        if len(set(mark.closed_in)) < len(mark.closed_in):
            raise DeclarationError(f"{name}.{field.name} names a state twice in closed_in.")
    return found[0] if found else None


def counter_of(name: str, field: Field, mark: Reference, parent: Mapping[str, Field]) -> Counter:
    """Returns the counter of a counted reference; raises `DeclarationError` if the count could become wrong."""
    path = f"{name}.{field.name}"
    if not field.has(Immutable):
        raise DeclarationError(f"{path} is counted, so it must be Immutable: a change would not be counted.")
    counter = parent.get(str(mark.counted_in))
    if counter is None:
        raise DeclarationError(f"{path} is counted in {mark.counted_in!r}, which is not a field of {mark.type}.")
    if counter.base is not int or counter.nullable or counter.initial() != 0 or not counter.has(Output):
        raise DeclarationError(
            f"{path} is counted in {mark.type}.{counter.name}, which must be an Output int with default 0."
        )
    meta = counter.meta or Meta()
    if counter.has(Immutable, Reference, Unique) or (meta.le, meta.lt, meta.multiple_of) != (None, None, None):
        problem = f"{path} is counted in {mark.type}.{counter.name}, which could not hold every number."
        raise DeclarationError(problem, hint="Remove its other markers, and its limits apart from ge=0.")
    if not mark.closed_in:
        return Counter(field, mark.type, counter)
    kinds = {type(state) for state in mark.closed_in}
    states = [state for state in parent.values() if {state.base} == kinds]
    if len(states) != 1:
        closed_in = ", ".join(mark.closed_in)
        raise DeclarationError(f"{path} is closed in {closed_in}, which {mark.type} must have exactly one field for.")
    return Counter(field, mark.type, counter, mark.closed_in, states[0], mark.refusal)


def why_uncounted(counter: Counter, parent: Any | None) -> OvasabiError | None:
    """Returns the error for a new child that its parent did not count; None if the parent, read later, accepts it."""
    if parent is None:
        name = counter.reference.name
        return ReferenceMissing(field=name, name=name, type=counter.parent)
    return counter.refuse(parent)


def parent_deleted(type: str, counter: Counter) -> ParentDeleted:
    """Returns the error for a child that cannot be deleted or restored, because its count cannot change."""
    return ParentDeleted(field=counter.reference.name, type=type, parent=counter.parent)
