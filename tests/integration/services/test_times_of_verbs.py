"""The times that verbs set are not before the creation of their entity, even while ids are ahead of the clock."""

from datetime import UTC, datetime, timedelta

from ovasabi.kernel.declare.ids import time_id
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.services.quotes.service import Rejection
from tests.integration.drafts import Maker
from tests.integration.kernel.fixtures import admin, make_campaign, pools, within
from tests.integration.services.calls import call

AHEAD = timedelta(minutes=50)


async def ahead(url: str) -> None:
    """Moves the last id ahead of the clock."""
    async with admin(url) as connection:
        await connection.execute("SELECT setval('id_clock', $1)", time_id(datetime.now(UTC) + AHEAD))


async def test_a_verb_of_an_entity_is_not_before_its_creation(migrated_url: str) -> None:
    async with pools(migrated_url, readers=1, writers=1) as database:
        await ahead(migrated_url)
        registry, campaign = ServiceRegistry(database), await make_campaign(database)
        with within(campaign):
            content = await registry.named("content").create({"title": "t"})
            published = await call(registry.named("content"), "publish", content.id)
            assert published.published_at >= content.created_at > datetime.now(UTC)
            quote = await Maker(registry, campaign).create("quote")
            rejected = await call(registry.named("quote"), "reject", quote.id, Rejection("too much"))
            assert rejected.decided_at >= quote.created_at > datetime.now(UTC)


async def test_an_operation_begins_and_ends_after_it_was_accepted(migrated_url: str) -> None:
    async with pools(migrated_url, readers=1, writers=1) as database:
        await ahead(migrated_url)
        registry, campaign = ServiceRegistry(database), await make_campaign(database)
        operations = registry.named("operation")
        with within(campaign):
            queued = await operations.repository.create({"kind": "users_import", "request_digest": "d"})
            cancelled = await operations.cancel(queued)
            assert cancelled.finished_at >= queued.created_at > datetime.now(UTC)
            queued = await operations.repository.create({"kind": "users_import", "request_digest": "d"})
            running = await operations.start(queued)
            assert running.started_at >= queued.created_at > datetime.now(UTC)
            assert operations.present_time(running) >= running.started_at
