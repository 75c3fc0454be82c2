"""FastAPI with SQLAlchemy 2 on asyncpg: Pydantic models, a session by dependency, three rows in a transaction."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload

from benchmarks.peers.tables import ENGINE, KEY, URL, Base, Content, content_of

engine = create_async_engine(URL, **ENGINE)
sessions = async_sessionmaker(engine, expire_on_commit=False)
api_key = APIKeyHeader(name="X-API-Key")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The tables are made at the start."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    """A session for each request."""
    async with sessions() as opened:
        yield opened


async def authenticated(key: Annotated[str, Depends(api_key)]) -> None:
    """Only the key may in."""
    if not secrets.compare_digest(key, KEY):
        raise HTTPException(401)


class Draft(BaseModel):
    """What a client sends."""

    title: str = Field(min_length=1, max_length=300)
    body: str = Field("", max_length=1_000_000)
    slug: str | None = Field(None, max_length=120, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    tags: list[str] = Field(default=[], max_length=50)


class Shown(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)

    id: int
    uuid: UUID
    campaign_id: int
    version: int
    created_at: datetime
    updated_at: datetime
    metadata: dict[str, Any] = Field(validation_alias="data")
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


class Page(BaseModel):
    """A page of contents."""

    contents: list[Shown]


class Hit(BaseModel):
    """One that matches."""

    id: int
    name: str
    rank: float


class Hits(BaseModel):
    """What matches, best first."""

    hits: list[Hit]


app = FastAPI(lifespan=lifespan, dependencies=[Depends(authenticated)])
Session = Annotated[AsyncSession, Depends(session)]
CONTENTS = "/v1/campaigns/{campaign}/contents"


@app.post(CONTENTS, status_code=201)
async def create(campaign: int, draft: Draft, session: Session) -> Shown:
    """Registry, content and event in one transaction."""
    content = content_of(campaign, draft.model_dump())
    session.add(content)
    await session.commit()
    return content  # type: ignore[return-value]


@app.get(CONTENTS + "/{id}")
async def get(campaign: int, id: int, session: Session) -> Shown:
    """One content by its key."""
    query = select(Content).options(joinedload(Content.master)).where(Content.campaign_id == campaign, Content.id == id)
    content = await session.scalar(query.where(Content.deleted_at.is_(None)))
    if content is None:
        raise HTTPException(404)
    return content  # type: ignore[return-value]


@app.get(CONTENTS)
async def list_page(campaign: int, session: Session, page_size: int = 50) -> Page:
    """The newest contents."""
    query = select(Content).options(joinedload(Content.master))
    query = query.where(Content.campaign_id == campaign, Content.deleted_at.is_(None))
    found = await session.scalars(query.order_by(Content.created_at.desc(), Content.id.desc()).limit(page_size))
    return Page.model_validate({"contents": found.all()}, from_attributes=True)


@app.get(CONTENTS + ":search")
async def search(campaign: int, q: str, session: Session, page_size: int = 20) -> Hits:
    """The contents that match best."""
    asked = func.websearch_to_tsquery("simple", q)
    rank = func.ts_rank(Content.search_vector, asked).label("rank")
    query = select(Content.id, Content.title.label("name"), rank).where(Content.search_vector.bool_op("@@")(asked))
    query = query.where(Content.campaign_id == campaign, Content.deleted_at.is_(None))
    found = await session.execute(query.order_by(rank.desc(), Content.id.desc()).limit(page_size))
    return Hits.model_validate({"hits": found.mappings().all()})
