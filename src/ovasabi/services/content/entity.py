"""The data of content, comments and reactions."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Filter, FromMetadata, Immutable, Output, Reference, Search, Unique
from ovasabi.services.content.errors import ContentArchived


class ContentKind(StrEnum):
    """The form of a piece of content."""

    ARTICLE = "article"
    MICRO = "micro"
    VIDEO = "video"
    STORY = "story"


class ContentState(StrEnum):
    """The lifecycle state of content."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class Visibility(StrEnum):
    """The intended audience of content."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class ReactionKind(StrEnum):
    """The kind of a reaction."""

    LIKE = "like"
    LOVE = "love"
    LAUGH = "laugh"
    SURPRISE = "surprise"
    SAD = "sad"
    ANGRY = "angry"


Tag = Annotated[str, Meta(min_length=1, max_length=64)]


@entity(plural="contents", title="title")
class Content(Entity, frozen=True):
    """A piece of content: an article, micro post, video or story."""

    title: Annotated[str, Meta(min_length=1, max_length=300), Search("A")]
    body: Annotated[str, Meta(max_length=1_000_000), Search("C")] = ""
    slug: (
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$(?!\n)",
                max_length=120,
                description="The name used in URLs; unique in the campaign.",
            ),
            Unique(),
        ]
        | None
    ) = None
    kind: Annotated[ContentKind, Filter()] = ContentKind.ARTICLE
    visibility: Annotated[Visibility, Filter()] = Visibility.PUBLIC
    tags: Annotated[list[Tag], Meta(max_length=50), Filter(), Search("B")] = msgspec.field(default_factory=list)
    media_urls: Annotated[list[Annotated[str, Meta(max_length=2_000)]], Meta(max_length=50)] = msgspec.field(
        default_factory=list
    )
    author_id: Annotated[int, Meta(description="The user who wrote the content."), Reference("user")] | None = None
    parent_id: (
        Annotated[int, Meta(description="The content that this content belongs to."), Reference("content")] | None
    ) = None
    state: Annotated[ContentState, Filter(), Output()] = ContentState.DRAFT
    published_at: Annotated[datetime, Meta(tz=True), Filter(), Output()] | None = None
    comment_count: Annotated[int, Meta(ge=0), Output()] = 0
    reaction_count: Annotated[int, Meta(ge=0), Output()] = 0
    section: (
        Annotated[
            str,
            Meta(description="Derived from metadata.service_specific.content.section."),
            FromMetadata("service_specific.content.section"),
        ]
        | None
    ) = None


@entity(plural="comments", title="body", table="comment")
class Comment(Entity, frozen=True):
    """A comment on a piece of content."""

    content_id: Annotated[
        int,
        Reference("content", counted_in="comment_count", closed_in=(ContentState.ARCHIVED,), refusal=ContentArchived),
        Immutable(),
    ]
    body: Annotated[str, Meta(min_length=1, max_length=10_000), Search("B")]
    author_id: Annotated[int, Reference("user"), Immutable()] | None = None
    reply_to_id: (
        Annotated[int, Meta(description="The comment that this comment replies to."), Reference("comment"), Immutable()]
        | None
    ) = None


@entity(plural="reactions", title="kind", table="reaction", unique=[("content_id", "user_id", "kind")])
class Reaction(Entity, frozen=True):
    """A user's reaction to a piece of content. A user can add each kind of reaction once."""

    content_id: Annotated[
        int,
        Reference("content", counted_in="reaction_count", closed_in=(ContentState.ARCHIVED,), refusal=ContentArchived),
        Immutable(),
    ]
    user_id: Annotated[int, Reference("user"), Immutable()]
    kind: Annotated[ReactionKind, Filter(), Immutable()]
