"""Errors of content, comments and reactions."""

from ovasabi.errors import Kind, OvasabiError, such_as


class ContentArchived(OvasabiError):
    """Archived content does not accept comments or reactions."""

    kind = Kind.PRECONDITION
    code = "content_archived"
    message = "The content is archived and does not accept comments or reactions."
    hint = "Call :unarchive first."


class OwnAncestor(OvasabiError):
    """The content would become its own ancestor."""

    kind = Kind.INVALID
    code = "own_ancestor"
    message = "Content cannot belong to itself or to one of its descendants."
    hint = "Choose another parent_id."


class NestedTooDeep(OvasabiError):
    """The content would be nested deeper than allowed."""

    kind = Kind.PRECONDITION
    code = "nested_too_deep"
    message = "Content can be nested at most {depth} levels deep."
    example = such_as(depth=50, field="parent_id")


class ReplyElsewhere(OvasabiError):
    """The reply is to a comment on other content."""

    kind = Kind.INVALID
    code = "reply_elsewhere"
    message = "The comment being replied to belongs to other content."
    hint = "Set reply_to_id to a comment on the same content."
