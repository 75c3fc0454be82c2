"""What is said where a count cannot follow: the parent is deleted, or takes no more."""

from typing import Any

from ovasabi.errors import Kind, OvasabiError, such_as
from ovasabi.kernel.call.errors import Contended
from ovasabi.kernel.declare.counters import Counter


class ParentDeleted(OvasabiError):
    """What the entity belongs to is deleted; its count could not follow."""

    kind = Kind.PRECONDITION
    code = "parent_deleted"
    message = "The {parent} that this {type} belongs to is deleted."
    hint = "Restore the {parent} first."
    example = such_as(parent="content", type="comment", field="content_id")


def why_uncounted(type: str, counter: Counter, parent: Any | None) -> OvasabiError:
    """Why a parent did not take another one, which was looked at only after that."""
    if parent is None:
        return ParentDeleted(field=counter.reference.name, type=type, parent=counter.parent)
    return counter.refuse(parent) or Contended()  # it was closed, and is open again
