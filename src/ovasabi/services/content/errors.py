"""What can go wrong with content, comments and reactions."""

from ovasabi.errors import Kind, OvasabiError, such_as


class ContentArchived(OvasabiError):
    """Archived content takes no comments and no reactions any more."""

    kind = Kind.PRECONDITION
    code = "content_archived"
    message = "The content is archived: it takes no comments and no reactions."
    hint = "Bring it back with :unarchive first."


class OwnAncestor(OvasabiError):
    """A piece of content would belong to itself, directly or through others."""

    kind = Kind.INVALID
    code = "own_ancestor"
    message = "Content cannot belong to itself, nor to what belongs to it."
    hint = "Choose another parent_id."


class NestedTooDeep(OvasabiError):
    """The chain of parents is longer than is followed."""

    kind = Kind.PRECONDITION
    code = "nested_too_deep"
    message = "Content can be nested {depth} levels deep at most."
    example = such_as(depth=50, field="parent_id")


class ReplyElsewhere(OvasabiError):
    """A reply answers a comment on another piece of content."""

    kind = Kind.INVALID
    code = "reply_elsewhere"
    message = "The comment that is answered is on other content."
    hint = "Give the id of a comment on the same content."
