"""Litestar with advanced-alchemy: msgspec structs, a service over a repository, three rows in a transaction."""

import secrets
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    providers,
    repository,
    service,
)
from advanced_alchemy.filters import LimitOffset
from litestar import Controller, Litestar, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from benchmarks.peers.tables import ENGINE, KEY, URL, Base, Content, content_of


class Draft(msgspec.Struct):
    """What a client sends."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    body: Annotated[str, msgspec.Meta(max_length=1_000_000)] = ""
    slug: Annotated[str, msgspec.Meta(max_length=120, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] | None = None
    tags: Annotated[list[str], msgspec.Meta(max_length=50)] = []


class Shown(msgspec.Struct):
    """What a client gets."""

    id: int
    uuid: UUID
    campaign_id: int
    version: int
    created_at: datetime
    updated_at: datetime
    data: dict[str, Any]
    title: str
    body: str
    slug: str | None
    kind: str
    visibility: str
    tags: list[str]
    media_urls: list[str]
    author_id: int | None
    parent_id: int | None
    state: str
    published_at: datetime | None
    comment_count: int
    reaction_count: int
    section: str | None


class Page(msgspec.Struct):
    """A page of contents."""

    contents: list[Shown]


class Hit(msgspec.Struct):
    """One that matches."""

    id: int
    name: str
    rank: float


class Hits(msgspec.Struct):
    """What matches, best first."""

    hits: list[Hit]


class Contents(service.SQLAlchemyAsyncRepositoryService[Content]):
    """The service of contents."""

    class Repository(repository.SQLAlchemyAsyncRepository[Content]):
        """The repository of contents."""

        model_type = Content

    repository_type = Repository


def authenticated(connection: ASGIConnection, _: BaseRouteHandler) -> None:
    """Only the key may in."""
    if not secrets.compare_digest(connection.headers.get("X-API-Key", ""), KEY):
        raise NotAuthorizedException


class ContentController(Controller):
    """Contents of a campaign."""

    path = "/v1/campaigns/{campaign:int}"
    guards = [authenticated]  # noqa: RUF012  (Litestar's form)
    dependencies = {  # noqa: RUF012
        "contents": providers.create_service_provider(Contents, load=[joinedload(Content.master)])
    }

    @post("/contents")
    async def create(self, campaign: int, data: Draft, contents: Contents) -> Shown:
        """Registry, content and event in one transaction, which the plugin commits."""
        # Every value is known here: a refresh would only read them back.
        content = await contents.create(content_of(campaign, msgspec.structs.asdict(data)), auto_refresh=False)
        return contents.to_schema(content, schema_type=Shown)

    @get("/contents/{id:int}")
    async def show(self, campaign: int, id: int, contents: Contents) -> Shown:
        """One content by its key."""
        mine = Content.campaign_id == campaign
        content = await contents.get_one(mine, Content.id == id, Content.deleted_at.is_(None))
        return contents.to_schema(content, schema_type=Shown)

    @get("/contents")
    async def list_page(self, campaign: int, contents: Contents, page_size: int = 50) -> Page:
        """The newest contents."""
        found = await contents.get_many(
            LimitOffset(page_size, 0),
            Content.campaign_id == campaign,
            Content.deleted_at.is_(None),
            order_by=[(Content.created_at, True), (Content.id, True)],
        )
        return Page(contents=[contents.to_schema(content, schema_type=Shown) for content in found])

    @get("/contents:search")
    async def search(self, campaign: int, q: str, db_session: AsyncSession, page_size: int = 20) -> Hits:
        """The contents that match best."""
        asked = func.websearch_to_tsquery("simple", q)
        rank = func.ts_rank(Content.search_vector, asked).label("rank")
        query = select(Content.id, Content.title.label("name"), rank).where(Content.search_vector.bool_op("@@")(asked))
        query = query.where(Content.campaign_id == campaign, Content.deleted_at.is_(None))
        found = await db_session.execute(query.order_by(rank.desc(), Content.id.desc()).limit(page_size))
        return Hits(hits=[Hit(*row) for row in found])


config = SQLAlchemyAsyncConfig(
    connection_string=URL,
    engine_config=EngineConfig(**ENGINE),
    session_config=AsyncSessionConfig(expire_on_commit=False),
    before_send_handler="autocommit",
    create_all=True,
    metadata=Base.metadata,
)
app = Litestar([ContentController], plugins=[SQLAlchemyPlugin(config)])
