"""The three tables in the plain form that such an application would have: the columns and indexes of OVASABI's own."""

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import BigInteger, Computed, ForeignKey, Identity, Index, String, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import DateTime

URL = os.environ["BENCH_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
KEY = os.environ["BENCH_KEY"]
# As many connections as OVASABI has; connections beyond the pool would be opened and closed all the time.
ENGINE: dict[str, Any] = {
    "pool_size": 16,
    "max_overflow": 0,
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}
SEARCHED = """setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'C')
 || setweight(array_to_tsvector(tags), 'B')"""


class Base(DeclarativeBase):
    """What the tables share; a computed column that nobody reads is not fetched after an insert."""

    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012  (SQLAlchemy's form)
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
        int: BigInteger,
    }


def now() -> datetime:
    """The time of a write."""
    return datetime.now(UTC)


class Master(Base):
    """The registry row."""

    __tablename__ = "master"
    __table_args__ = (
        Index("master_id", "campaign_id", "id", unique=True),
        Index("master_type", "campaign_id", "type", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    uuid: Mapped[UUID] = mapped_column(default=uuid4, unique=True)
    campaign_id: Mapped[int]
    type: Mapped[str] = mapped_column(String(63))
    name: Mapped[str] = mapped_column(String(200))
    status: Mapped[int] = mapped_column(default=1, server_default="1")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    events: Mapped[list["Event"]] = relationship(back_populates="master", lazy="raise")


class Content(Base):
    """The entity's own row."""

    __tablename__ = "service_content_main"
    __table_args__ = (
        Index("content_created_at", "campaign_id", "created_at", "master_id"),
        *(
            Index(f"content_{name}", "campaign_id", name, "master_id")
            for name in ("author_id", "kind", "parent_id", "published_at", "section", "state", "visibility")
        ),
        Index("content_slug", "campaign_id", "slug", unique=True),
        Index("content_search", "search_vector", postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column("master_id", ForeignKey("master.id"), primary_key=True)
    campaign_id: Mapped[int]
    title: Mapped[str] = mapped_column(String(300))
    body: Mapped[str] = mapped_column(default="")
    slug: Mapped[str | None] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(32), default="article", server_default="article")
    visibility: Mapped[str] = mapped_column(String(32), default="public", server_default="public")
    tags: Mapped[list[str]] = mapped_column(default=list)
    media_urls: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    author_id: Mapped[int | None] = mapped_column(ForeignKey("master.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("master.id"))
    state: Mapped[str] = mapped_column(String(32), default="draft", server_default="draft")
    published_at: Mapped[datetime | None]
    comment_count: Mapped[int] = mapped_column(default=0, server_default="0")
    reaction_count: Mapped[int] = mapped_column(default=0, server_default="0")
    section: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None]
    search_vector: Mapped[Any] = mapped_column(TSVECTOR, Computed(SEARCHED, persisted=True), deferred=True)
    master: Mapped[Master] = relationship(foreign_keys=[id], lazy="raise")

    @property
    def uuid(self) -> UUID:
        """The public reference, which the registry keeps."""
        return self.master.uuid

    @property
    def version(self) -> int:
        """The version, which the registry keeps."""
        return self.master.version


class Event(Base):
    """What happened."""

    __tablename__ = "service_event"
    __table_args__ = (
        Index("event_master", "campaign_id", "master_id", "id"),
        Index("event_campaign", "campaign_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    stream: Mapped[str] = mapped_column(String(32))
    occurred_at: Mapped[datetime] = mapped_column(default=now)
    campaign_id: Mapped[int]
    master_id: Mapped[int] = mapped_column(ForeignKey("master.id"))
    event_type: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    actor: Mapped[str] = mapped_column(String(200))
    correlation_id: Mapped[str | None] = mapped_column(String(100))
    payload: Mapped[dict[str, Any]]
    master: Mapped[Master] = relationship(back_populates="events", lazy="raise")


def content_of(campaign: int, values: dict[str, Any]) -> Content:
    """A new content with its registry row and its event, ready to be added to a session."""
    at = now()
    event = Event(
        stream="operational",
        occurred_at=at,
        campaign_id=campaign,
        event_type="content:create:v1:success",
        version=1,
        actor="key:bench",
        correlation_id=uuid4().hex,
        payload=values,
    )
    master = Master(
        campaign_id=campaign, type="content", name=values["title"][:200], created_at=at, updated_at=at, events=[event]
    )
    return Content(**values, campaign_id=campaign, created_at=at, updated_at=at, master=master)
