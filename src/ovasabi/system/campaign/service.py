"""The rules of campaigns: created on the platform, with their own partitions if they are dedicated."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import PLATFORM, Role, current_campaign
from ovasabi.kernel.call.errors import KeyTaken
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store import partitions
from ovasabi.kernel.store.history import request_of
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.system.campaign.directory import forget
from ovasabi.system.campaign.entity import Campaign, CampaignState
from ovasabi.system.campaign.errors import DatesReversed, NothingScheduled, NotOnPlatform

MONTHS_AHEAD = 2

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
        # They come first, so that none of its rows is ever in the shared pool. If the row is refused afterwards, the
        # empty partitions remain: they are harmless, and their number is not used again.
        return [await self._partitioned(draft) if draft.values.get("dedicated") else draft for draft in drafts]

    def deleted(self, entity: Campaign) -> None:
        """Until the campaign is restored, its data is retained, but cannot be accessed."""
        forget(self.database, entity.campaign_id)

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

    async def _partitioned(self, draft: NewEntity) -> NewEntity | OvasabiError:
        if draft.key is not None and await request_of(self.database, draft.key) is not None:
            return draft
        # Checked before partitions are created; the insert itself has the final say.
        page = await self.list(ListRequest(filter=f'slug = "{draft.values["slug"]}"', page_size=1))
        if page.items:
            return KeyTaken(field="slug", type="campaign", key="slug")
        number = await self.repository.reserve_number()
        await partitions.dedicate(self.database, number, MONTHS_AHEAD)
        return msgspec.structs.replace(draft, number=number)
