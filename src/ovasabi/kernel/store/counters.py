"""The errors for a child that its parent cannot count: the parent is deleted, or accepts no more children."""

from typing import Any

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import ReferenceMissing
from ovasabi.kernel.declare.counters import Counter


class ParentDeleted(OvasabiError):
    """The parent of the entity is deleted."""

    kind = Kind.PRECONDITION
    code = "parent_deleted"
    message = "The {parent} that this {type} belongs to is deleted."
    hint = "Restore the {parent} first."
    example = such_as(parent="content", type="comment", field="content_id")


def why_uncounted(counter: Counter, parent: Any | None) -> OvasabiError | None:
    """Returns the error for a new child that its parent did not count; None if the parent, read later, accepts it."""
    if parent is None:
        name = counter.reference.name
        return ReferenceMissing(field=name, name=name, type=counter.parent)
    return counter.refuse(parent)


def parent_deleted(type: str, counter: Counter) -> ParentDeleted:
    """Returns the error for a child that cannot be deleted or restored, because its count cannot change."""
    return ParentDeleted(field=counter.reference.name, type=type, parent=counter.parent)
