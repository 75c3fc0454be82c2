"""The errors for a child that its parent cannot count: the parent is deleted, or accepts no more children."""

from typing import Any

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import Contended
from ovasabi.kernel.declare.counters import Counter


class ParentDeleted(OvasabiError):
    """The parent of the entity is deleted."""

    kind = Kind.PRECONDITION
    code = "parent_deleted"
    message = "The {parent} that this {type} belongs to is deleted."
    hint = "Restore the {parent} first."
    example = such_as(parent="content", type="comment", field="content_id")


def why_uncounted(type: str, counter: Counter, parent: Any | None) -> OvasabiError:
    """Returns the error for a child that its parent did not count; `parent` was read only afterwards."""
    if parent is None:
        return ParentDeleted(field=counter.reference.name, type=type, parent=counter.parent)
    return counter.refuse(parent) or Contended()  # it refused children at the time, but accepts them again
