"""One service asks another the same things, and has the same answers, whether that one runs beside it or elsewhere."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ovasabi.database.connection import Database
from ovasabi.errors import OvasabiError
from ovasabi.gateway.grpc.remote import Remote
from ovasabi.kernel.call.context import acting
from ovasabi.kernel.call.errors import EntityNotFound, InvalidValue, KeyTaken, VersionConflict
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import Entities, EntityService, SearchRequest, ServiceRegistry
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.service import Contents
from ovasabi.system.user.service import Users
from tests.integration.gateway.test_grpc_peers import Pair, caller, free_port


@pytest_asyncio.fixture
async def both(database_url: str, database: Database, tmp_path: Path) -> AsyncIterator[dict[str, ServiceRegistry]]:
    """The registry of a process that has the service, and of one that asks the other for it."""
    pair = Pair(database_url, tmp_path, (free_port(), free_port()))
    async with AsyncExitStack() as stack:
        await pair.start()
        stack.push_async_callback(pair.stop)
        await pair.start_asking(stack)
        yield {"here": pair.asked.registry, "elsewhere": pair.asking.registry}


@pytest.fixture(params=["here", "elsewhere"])
def contents(request: pytest.FixtureRequest, both: dict[str, ServiceRegistry]) -> Entities[Any]:
    """The service of contents as a process has it."""
    found = both[request.param].named("content")
    assert isinstance(found, EntityService if request.param == "here" else Remote)
    return found


async def test_every_call_of_the_protocol_is_answered_alike(contents: Entities[Any], campaign: int) -> None:
    with acting(caller(campaign)):
        made = await contents.create({"title": "One", "slug": "one"}, key="client:one")
        assert await contents.create({"title": "One", "slug": "one"}, key="client:one") == made
        answers = await contents.create_many(
            [NewEntity({"title": "Two"}), NewEntity({"title": "Three", "slug": "one"}), NewEntity({"title": "Four"})]
        )
        assert [type(answer).__name__ for answer in answers] == ["Content", "KeyTaken", "Content"]
        two, four = (answer for answer in answers if not isinstance(answer, OvasabiError))
        assert await contents.get(made.id) == await contents.get(str(made.uuid)) == made
        assert await contents.get_many([two.id, made.id, 17]) == {two.id: two, made.id: made}
        assert await contents.get_many([]) == {}
        page = await contents.list(ListRequest(page_size=2, include_total=True))
        assert (page.items, page.total_size) == ([four, two], 3)
        assert (await contents.list(ListRequest(page_size=2, page_token=page.next_page_token))).items == [made]
        changed = await contents.update(made.id, {"title": "Uno"}, expected_version=1)
        assert (changed.title, changed.version) == ("Uno", 2)
        assert await contents.get(made.id, as_of=made.created_at) == made
        assert [hit.entity for hit in (await contents.search(SearchRequest(q="uno"))).hits] == [changed]
        await contents.delete(made.id, expected_version=2)
        assert await contents.get_many([made.id]) == {}
        restored = await contents.restore(made.id)
        assert msgspec.structs.replace(restored, version=2, updated_at=changed.updated_at) == changed


async def test_every_refusal_is_of_the_same_class(contents: Entities[Any], campaign: int) -> None:
    with acting(caller(campaign)):
        made = await contents.create({"title": "One", "slug": "one"})
        with pytest.raises(EntityNotFound):
            await contents.get(17)
        with pytest.raises(VersionConflict):
            await contents.update(made.id, {"title": "Two"}, expected_version=7)
        with pytest.raises(KeyTaken):
            await contents.create({"title": "Two", "slug": "one"})
        with pytest.raises(InvalidValue):
            await contents.list(ListRequest(filter="nonsense = 1"))


async def test_a_verb_and_what_is_allowed_are_asked_by_calls(contents: Entities[Any], campaign: int) -> None:
    methods = {method.name: method for method in Contents.methods()}
    with acting(caller(campaign)):
        made = await contents.create({"title": "One"})
        allowed = await contents.run(Call(methods["allowed_moves"], None, str(made.id)))
        assert [(move.verb, move.to, move.role) for move in allowed.moves] == [
            ("publish", "published", "writer"),
            ("archive", "archived", "writer"),
        ]
        published = await contents.run(Call(methods["publish"], None, str(made.id)))
        assert published.published_at <= datetime.now(UTC)
        with pytest.raises(MoveRefused) as refused:
            await contents.run(Call(methods["publish"], None, str(made.id)))
        assert str(refused.value) == "You cannot publish this content because its state is published."
        assert refused.value.hint == "Allowed from: draft. From published you can: unpublish, archive."


async def test_a_class_is_only_asked_for_where_it_runs(both: dict[str, ServiceRegistry]) -> None:
    assert both["here"].service(Contents) is both["here"].named("content")
    with pytest.raises(TypeError, match="Contents does not run in this process"):
        both["elsewhere"].service(Contents)
    beside = both["elsewhere"].here(Contents)
    assert beside is both["elsewhere"].here(Contents)
    assert beside is not both["elsewhere"].named("content")
    assert both["elsewhere"].here(Users) is both["elsewhere"].named("user")
    assert "contents" not in both["elsewhere"].local
