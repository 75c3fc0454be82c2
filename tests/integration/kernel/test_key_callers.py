"""A client's idempotency key is the caller's own, and a repeated request is recognized across upgrades."""

import hashlib
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from ovasabi.database.connection import Database
from ovasabi.database.secret_keys import SecretKeys
from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import CLIENT_KEY, Context, Principal, Role, acting, system_context
from ovasabi.kernel.call.errors import KeyReused
from ovasabi.kernel.call.transaction import transaction
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.store.row_codec import KEYED, UNKEYED, Codec, encoded
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, kinds, together, within

KEY = f"{CLIENT_KEY}order-1"
EVERY_FIELD = {
    "title": "all",
    "body": "b",
    "slug": "s",
    "tags": ["x"],
    "metadata": {"tags": ["t"], "service_specific": {"content": {"section": "news"}}},
}


def caller(name: str, campaign: int) -> AbstractContextManager[Context]:
    """Acts as one of the callers of a campaign."""
    principal = Principal(f"key:{name}", campaign, Role.WRITER)
    return acting(msgspec.structs.replace(system_context("test", campaign), principal=principal))


async def test_two_callers_with_the_same_key_create_their_own(database: Database, campaign: int) -> None:
    made = {}
    for name in ("ada", "bob"):
        with caller(name, campaign):
            made[name] = await contents(database).create({"title": name}, key=KEY)
    for name in ("ada", "bob"):
        with caller(name, campaign):
            assert await contents(database).create({"title": name}, key=KEY) == made[name]
            with pytest.raises(KeyReused):
                await contents(database).create({"title": "another"}, key=KEY)
    assert made["ada"].id != made["bob"].id


async def test_concurrent_creates_of_several_callers_with_one_key_make_one_row_each(
    database: Database, database_url: str, campaign: int
) -> None:
    async def create(number: int) -> Content:
        with caller(f"c{number % 4}", campaign):
            return await contents(database).create({"title": "same"}, key=KEY)

    answers = await together(40, create)
    assert kinds(answers) == {"Content": 40}
    assert [len({answer.id for answer in answers[number::4]}) for number in range(4)] == [1] * 4
    assert len({answer.id for answer in answers}) == 4
    async with admin(database_url) as connection:
        query = "SELECT caller FROM idempotency WHERE campaign_id = $1 ORDER BY caller"
        assert [row[0] for row in await connection.fetch(query, campaign)] == [f"key:c{number}" for number in range(4)]


async def test_a_key_of_the_platforms_own_creates_is_the_same_for_every_caller(
    database: Database, campaign: int
) -> None:
    ids = set()
    for name in ("ada", "bob"):
        with caller(name, campaign):
            ids.add((await contents(database).create({"title": "sample"}, key="sample:1")).id)
    assert len(ids) == 1


def of_old(campaign: int, values: dict[str, Any]) -> bytes:
    """The digest that the version before made of a request."""
    initial = {field.name: field.initial() for field in type_of(Content).stored} | {"metadata": {}}
    return hashlib.sha256(f"content\0{encoded(initial | values, order='sorted')}".encode()).digest()


async def age(url: str, campaign: int, digest: bytes) -> None:
    """Makes the campaign's keys as the version before wrote them: without a caller, and with its digest."""
    async with admin(url) as connection:
        await connection.execute(
            "UPDATE idempotency SET caller = '', digest = $2 WHERE campaign_id = $1", campaign, digest
        )


@pytest.mark.parametrize("values", [{"title": "a"}, EVERY_FIELD], ids=["least", "most"])
@pytest.mark.parametrize("within_transaction", [False, True])
async def test_a_request_from_before_an_upgrade_is_recognized_when_it_is_repeated(
    database: Database, database_url: str, campaign: int, values: dict[str, Any], within_transaction: bool
) -> None:
    repository = contents(database)
    with caller("ada", campaign):
        made = await repository.create(values, key=KEY)
        await age(database_url, campaign, of_old(campaign, values))
        assert await repository.create(values, key=KEY) == made
        assert await repository.create_many([NewEntity(values, KEY)]) == [made]
        if within_transaction:
            async with transaction(database):
                assert await repository.create(values, key=KEY) == made
        with pytest.raises(KeyReused):
            await repository.create(values | {"title": "another"}, key=KEY)
        (refused,) = await repository.create_many([NewEntity(values | {"title": "another"}, KEY)])
        assert isinstance(refused, KeyReused)


async def test_a_key_from_before_callers_shows_nothing_to_another_caller(
    database: Database, database_url: str, campaign: int
) -> None:
    with caller("ada", campaign):
        await contents(database).create({"title": "a", "body": "private"}, key=KEY)
    await age(database_url, campaign, of_old(campaign, {"title": "a", "body": "private"}))
    with caller("bob", campaign), pytest.raises(KeyReused):
        await contents(database).create({"title": "a", "body": "private"}, key=KEY)


def test_a_digest_does_not_change_when_an_entity_gets_another_field() -> None:
    codec = Codec(Content)
    values = {field.name: field.initial() for field in type_of(Content).stored} | {"metadata": {}, "title": "a"}
    fewer = {name: value for name, value in values.items() if name != "body"}
    assert codec.digest(values, 2) == codec.digest(fewer, 2)
    assert codec.digest(values, 1) != codec.digest(fewer, 1)
    assert codec.digest(values | {"body": "b"}, 2) != codec.digest(values, 2)


def test_a_digest_of_a_version_that_is_not_known_is_not_taken_for_another_request() -> None:
    values = {field.name: field.initial() for field in type_of(Content).stored} | {"metadata": {}, "title": "a"}
    assert Codec(Content).repeats(values, bytes([9]) + bytes(32))
    assert not Codec(Content).repeats(values, bytes([2]) + bytes(32))


def test_a_digest_under_a_key_is_compared_under_that_key_alone() -> None:
    values = {field.name: field.initial() for field in type_of(Content).stored} | {"metadata": {}, "title": "a"}
    old, new = SecretKeys(["o" * 40]), SecretKeys(["n" * 40, "o" * 40])
    stored = Codec(Content, old).digest(values, KEYED)
    assert stored != Codec(Content, new).digest(values, KEYED)
    for keys in (old, new):
        assert Codec(Content, keys).repeats(values, stored)
        assert not Codec(Content, keys).repeats(values | {"title": "b"}, stored)
        assert Codec(Content, keys).repeats(values, Codec(Content).digest(values, UNKEYED))
        assert not Codec(Content, keys).repeats(values | {"title": "b"}, Codec(Content).digest(values, UNKEYED))
    for unable in (Codec(Content), Codec(Content, SecretKeys(["n" * 40]))):
        assert unable.repeats(values | {"title": "b"}, stored), "the client's key has to do"


async def test_a_refused_create_leaves_the_key_to_its_caller(database: Database, campaign: int) -> None:
    with caller("ada", campaign):
        with pytest.raises(OvasabiError):
            await contents(database).create({"title": "a", "author_id": 1}, key=KEY)
        assert (await contents(database).create({"title": "a"}, key=KEY)).title == "a"
    with within(campaign):
        assert (await contents(database).create({"title": "b"}, key=KEY)).title == "b"
