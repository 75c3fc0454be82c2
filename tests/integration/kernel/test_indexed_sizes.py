"""What is too large for an index or for search is refused with its field, alone, and mostly before it is sent."""

import asyncio
import random
import string
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from ovasabi.database.connection import Database
from ovasabi.kernel.call.errors import TooLarge
from ovasabi.kernel.declare.fields import INDEXED_BYTES
from ovasabi.kernel.store.listing import ListRequest, list_page
from ovasabi.services.content.entity import Content
from tests.integration.kernel.fixtures import admin, contents, make_campaign, within
from tests.integration.kernel.merging_fixtures import called, caller, counted

LETTERS = string.ascii_letters + string.digits
WIDE = [chr(code) for code in range(0x20000, 0x2A6DF)]
"""Letters of four bytes each."""


PATH = "service_specific.content.section"


def noise(length: int) -> str:
    """A text that cannot be compressed much."""
    return "".join(random.choices(LETTERS, k=length))


def section(value: Any) -> dict[str, Any]:
    """Metadata with a value that is indexed."""
    return {"service_specific": {"content": {"section": value}}}


TOO_MANY_WORDS = {
    "pairs": " ".join(f"{WIDE[n]}-{WIDE[(7 * n + 1) % len(WIDE)]}{n % 16:x}" for n in range(40_000)),
    "pairs of digits": " ".join(f"{WIDE[n]}{n % 10}-{WIDE[(3 * n) % len(WIDE)]}{n % 7}" for n in range(34_000)),
}
ORDINARY: dict[str, str] = {
    "prose": " ".join(random.choices([noise(random.randint(2, 9)).lower() for _ in range(20_000)], k=140_000)),
    "one word": "w" * 1_000_000,
    "without spaces": "，".join("".join(random.choices(WIDE[:3000], k=9)) for _ in range(99_000)),
    "uuids": " ".join(str(uuid.UUID(int=random.getrandbits(128))) for _ in range(27_000)),
    "numbers": " ".join(f"{n}.{n}" for n in range(60_000)),
    "punctuation": "don't, (stop)! - " * 50_000,
}


async def test_rows_too_large_are_refused_before_they_are_sent_and_neighbours_are_written(
    database_url: str, database: Database
) -> None:
    home, neighbour, at = await make_campaign(database), await make_campaign(database), f"metadata.{PATH}"
    async with counted(database_url) as (own, sent):
        repository = contents(own)
        with within(home):
            made = await repository.create({"title": "t"})
        bad: list[tuple[dict[str, Any], str]] = [
            ({"title": "t", "body": TOO_MANY_WORDS["pairs"]}, "body"),
            (
                {"title": "t", "metadata": section(noise(INDEXED_BYTES + 1))},
                "metadata.service_specific.content.section",
            ),
            ({"title": "t", "metadata": section("é" * 1400)}, at),
            ({"title": "t", "metadata": section({"a": noise(2700)})}, at),
        ]
        sent.clear()
        calls = []
        for n, (values, _) in enumerate(bad):
            calls += [
                called(caller(home, n), lambda values=values: repository.create(values)),
                called(caller(home, n), lambda values=values: repository.update(made.id, values)),
                called(caller(neighbour, n), lambda: repository.create({"title": "good"})),
            ]
        answers = await asyncio.gather(*calls)
        assert [type(answer) for answer in answers] == [TooLarge, TooLarge, Content] * len(bad)
        assert [answers[n].field for n in range(0, len(answers), 3)] == [field for _, field in bad]
        assert [answers[n].field for n in range(1, len(answers), 3)] == [field for _, field in bad]
        await asyncio.sleep(0)
        assert len(sent) == 1, "one statement of the neighbour's"


@pytest.mark.parametrize("text", TOO_MANY_WORDS)
async def test_what_postgresql_would_refuse_is_refused_before(database: Database, campaign: int, text: str) -> None:
    with within(campaign), pytest.raises(TooLarge) as caught:
        await contents(database).create({"title": "t", "body": TOO_MANY_WORDS[text]})
    assert caught.value.field == "body"
    with pytest.raises(asyncpg.PostgresError) as refused:
        await database.read("SELECT to_tsvector('simple', left($1, 200000))", TOO_MANY_WORDS[text])
    assert refused.value.sqlstate == "54000"


@pytest.mark.parametrize("text", ORDINARY)
async def test_ordinary_texts_of_any_length_are_accepted(database: Database, campaign: int, text: str) -> None:
    with within(campaign):
        made = await contents(database).create({"title": "t", "body": ORDINARY[text]})
        assert (await contents(database).get(made.id)).body == ORDINARY[text]


@pytest.mark.parametrize("letter", ["noise", "é", "😀"])
async def test_what_the_limits_allow_can_be_indexed(database: Database, campaign: int, letter: str) -> None:
    text = noise(INDEXED_BYTES) if letter == "noise" else letter * (INDEXED_BYTES // len(letter.encode()))
    with within(campaign):
        made = await contents(database).create({"title": "t", "metadata": section(text)})
        assert made.section == text
        assert (await contents(database).get(made.id)).section == text


async def test_what_only_the_database_can_see_is_refused_with_its_field_and_alone(
    database: Database, campaign: int
) -> None:
    repository, neighbour = contents(database), await make_campaign(database)
    with within(campaign):
        made = [await repository.create({"title": "t", "metadata": section({"a": noise(2000)})}) for _ in range(3)]
    with within(neighbour):
        others = [await repository.create({"title": "t"}) for _ in range(3)]
    calls: list[Any] = []
    grown: Callable[[int], Any] = lambda id: repository.update(id, {"metadata": section({"b": noise(2000)})})  # noqa: E731
    for n, (one, other) in enumerate(zip(made, others, strict=True)):
        calls += [
            called(caller(campaign, n), lambda id=one.id: grown(id)),
            called(caller(neighbour, n), lambda id=other.id: repository.update(id, {"body": "good"})),
        ]
    answers = await asyncio.gather(*calls)
    assert [type(answer) for answer in answers] == [TooLarge, Content] * 3
    assert {answer.field for answer in answers[::2]} == {"section"}


async def test_rows_that_exceed_a_limit_from_before_stay_readable_and_changeable(
    database: Database, database_url: str, campaign: int
) -> None:
    repository, long = contents(database), "x" * 5000
    with within(campaign):
        made = await repository.create({"title": "old"})
        async with admin(database_url) as connection:
            await connection.execute(
                """UPDATE service_content_main SET metadata = jsonb_build_object('service_specific',
                     jsonb_build_object('content', jsonb_build_object('section', $1::text)))
                   WHERE campaign_id = $2 AND master_id = $3""",
                long, campaign, made.id,
            )  # fmt: skip
        assert (await repository.get(made.id)).section == long
        assert [content.section for content in (await list_page(repository, ListRequest())).items] == [long]
        changed = await repository.update(made.id, {"title": "new", "metadata": {"tags": ["a"]}})
        assert (changed.title, changed.section) == ("new", long)
        assert (await repository.delete(made.id)).section == long
