"""The rules of campaigns: created on the platform, with their own partitions if they are dedicated."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from ovasabi.database.background import in_background
from ovasabi.database.connection import Database
from ovasabi.database.failures import LOST, NotSent, unavailable
from ovasabi.database.readiness import problem_of
from ovasabi.errors import Kind, OvasabiError
from ovasabi.kernel.call.context import PLATFORM, Role, current_campaign
from ovasabi.kernel.call.errors import InvalidValue, KeyTaken, from_postgres
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store import partitions
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.system.campaign.directory import SLUG, Entry, abandon, claim, enter, free, ids_by_key, settle
from ovasabi.system.campaign.entity import Campaign, CampaignState
from ovasabi.system.campaign.errors import DatesReversed, NothingScheduled, NotOnPlatform

PLACE_SECONDS = 1.0
"""How long a server has to answer, to be given a new campaign."""
UNCERTAIN = frozenset(kind for kind in Kind if kind.transient or kind is Kind.INTERNAL)
"""The errors after which a campaign may exist nevertheless."""
INVALID_SLUG = InvalidValue(
    field="slug", problem="The slug must begin with a letter and consist of 2 to 63 characters."
)

SCHEDULED, ACTIVE, INACTIVE = CampaignState.SCHEDULED, CampaignState.ACTIVE, CampaignState.INACTIVE
COMPLETED, ARCHIVED = CampaignState.COMPLETED, CampaignState.ARCHIVED


class Campaigns(EntityService[Campaign]):
    """Campaigns. Listed on the platform, all campaigns are returned; within a campaign, only that campaign."""

    manages = Role.ADMIN

    def check(self, values: Mapping[str, Any], before: Campaign | None) -> None:
        """A campaign is created on the platform, and must start before it ends."""
        if before is None and current_campaign() != PLATFORM:
            raise NotOnPlatform
        starts = values.get("starts_at") if before is None or "starts_at" in values else before.starts_at
        ends = values.get("ends_at") if before is None or "ends_at" in values else before.ends_at
        if starts is not None and ends is not None and starts >= ends:
            raise DatesReversed(field="ends_at")

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """A dedicated campaign gets partitions of its own."""
        # The directory gives each campaign its number before it is created.
        slugs = [str(draft.values.get("slug")) for draft in drafts]
        valid = [(slug, draft.key) for slug, draft in zip(slugs, drafts, strict=True) if SLUG.fullmatch(slug)]
        slugs_and_keys = [slug for slug, _ in valid], [key for _, key in valid]
        entries = iter(await enter(self._home, *slugs_and_keys, await self._available()))
        entered = [next(entries) if SLUG.fullmatch(slug) else INVALID_SLUG for slug in slugs]
        try:
            return [
                entry if isinstance(entry, OvasabiError) else await self._placed(draft, entry)
                for entry, draft in zip(entered, drafts, strict=True)
            ]
        except asyncio.CancelledError:
            new = [entry.number for entry in entered if isinstance(entry, Entry) and entry.new]
            in_background(self._abandon(new))
            raise

    async def created(self, drafts: Sequence[NewEntity], results: Sequence[Campaign | OvasabiError]) -> None:
        """The slug of a campaign that is refused remains available."""
        # An entry of a campaign that may have been created nevertheless is settled later, see `reconcile`.
        for draft, result in zip(drafts, results, strict=True):
            if draft.number is None or draft.shard is None:
                continue
            if draft.key is None and _had_no_effect(result):
                await free(self._home, draft.number)  # so that another server can take it
            elif _is_uncertain(result):
                await self._abandon([draft.number])
            else:
                await settle(self._home, self.registry.shards.numbered(draft.shard).database, draft.number)

    async def ids_by_key(self, keys: Sequence[str | None]) -> Mapping[str, int]:
        """Campaigns are created on the platform, but each has its key among its own rows."""
        return await ids_by_key({n: each.database for n, each in self.registry.shards.all.items()}, keys)

    async def deleted(self, entity: Campaign) -> None:
        """Until the campaign is restored, its data is retained, but cannot be accessed."""
        await settle(self._home, self.database, entity.campaign_id)

    async def before_restore(self, id: int) -> None:
        """The slug must not have been taken by another campaign in the meantime."""
        await claim(self._home, current_campaign())

    @move(from_=[ACTIVE, INACTIVE], to=SCHEDULED, role=Role.ADMIN)
    async def schedule(self, campaign: Campaign) -> None:
        """Schedules the campaign for its start time."""
        if campaign.starts_at is None or campaign.starts_at <= datetime.now(UTC):
            raise NothingScheduled(field="starts_at")

    @move(from_=[SCHEDULED, INACTIVE], to=ACTIVE, role=Role.ADMIN)
    async def activate(self, campaign: Campaign) -> None:
        """Activates the campaign immediately."""

    @move(from_=[SCHEDULED, ACTIVE], to=INACTIVE, role=Role.ADMIN)
    async def deactivate(self, campaign: Campaign) -> None:
        """Pauses the campaign."""

    @move(from_=[ACTIVE, INACTIVE], to=COMPLETED, role=Role.ADMIN)
    async def complete(self, campaign: Campaign) -> None:
        """Completes the campaign; it cannot be activated again."""

    @move(from_=[SCHEDULED, INACTIVE, COMPLETED], to=ARCHIVED, role=Role.ADMIN)
    async def archive(self, campaign: Campaign) -> None:
        """Archives the campaign. An active campaign must be deactivated or completed first."""

    async def _placed(self, draft: NewEntity, entry: Entry | None) -> NewEntity | OvasabiError:
        if entry is None:
            return KeyTaken(field="slug", type="campaign", key="slug")
        if entry.new and draft.values.get("dedicated"):
            # They come first, so that none of its rows is ever in the shared pool. If the campaign is refused
            # afterwards, the empty partitions remain: they are harmless, and their number is not used again.
            place = self.registry.shards.numbered(entry.shard).database
            try:
                await partitions.dedicate(place, entry.number, place.months_ahead)
            except (OvasabiError, asyncpg.PostgresError) as error:
                await self._abandon([entry.number])
                if (known := _known(error)) is None:
                    raise
                return known
        return msgspec.structs.replace(draft, number=entry.number, shard=entry.shard)

    @property
    def _home(self) -> Database:
        home: Database = self.registry.shards.home.database
        return home

    async def _available(self) -> Collection[int]:
        """Returns the servers that could take a new campaign now; all of them if none could, which then says why."""
        databases = {number: each.database for number, each in self.registry.shards.all.items()}
        if len(databases) == 1:
            return databases
        found = await asyncio.gather(*(problem_of(each, PLACE_SECONDS) for each in databases.values()))
        able = [number for number, problem in zip(databases, found, strict=True) if problem is None]
        return able or databases

    async def _abandon(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            with suppress(OvasabiError, asyncpg.PostgresError):  # it is old enough in a minute in any case
                await abandon(self._home, number)


def _known(error: OvasabiError | asyncpg.PostgresError) -> OvasabiError | None:
    return error if isinstance(error, OvasabiError) else from_postgres(error, "campaign", "")


def _had_no_effect(result: Campaign | OvasabiError) -> bool:
    """Returns whether a campaign without a key was certainly not created, because of its server."""
    cause = result.__cause__ if isinstance(result, OvasabiError) else None
    return isinstance(cause, NotSent) or (unavailable(cause) is not None and not isinstance(cause, LOST))


def _is_uncertain(result: Campaign | OvasabiError) -> bool:
    return isinstance(result, OvasabiError) and result.kind in UNCERTAIN
