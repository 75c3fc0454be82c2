"""The rules of campaigns: made on the platform, with partitions of their own if they are to be dedicated."""

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
from ovasabi.kernel.store.history import is_known
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.store.rows import NewEntity
from ovasabi.system.campaign.directory import forget
from ovasabi.system.campaign.entity import Campaign, CampaignState
from ovasabi.system.campaign.errors import DatesReversed, NothingScheduled, NotOnPlatform

MONTHS_AHEAD = 2

SCHEDULED, ACTIVE, INACTIVE = CampaignState.SCHEDULED, CampaignState.ACTIVE, CampaignState.INACTIVE
COMPLETED, ARCHIVED = CampaignState.COMPLETED, CampaignState.ARCHIVED


class Campaigns(EntityService[Campaign]):
    """Campaigns. On the platform a list shows all of them; within a campaign it shows itself."""

    manages = Role.ADMIN

    def check(self, values: Mapping[str, Any], before: Campaign | None) -> None:
        """Creation is the platform's, and a campaign starts before it ends."""
        if before is None and current_campaign() != PLATFORM:
            raise NotOnPlatform
        starts = values.get("starts_at") if before is None or "starts_at" in values else before.starts_at
        ends = values.get("ends_at") if before is None or "ends_at" in values else before.ends_at
        if starts is not None and ends is not None and starts >= ends:
            raise DatesReversed(field="ends_at")

    async def prepare(self, drafts: Sequence[NewEntity]) -> Sequence[NewEntity | OvasabiError]:
        """A dedicated one gets its partitions first, so that no row of it is ever in the pool.

        If the row is refused after that, the empty partitions stay: they harm nothing, and their number is used up.
        """
        return [await self._placed(draft) if draft.values.get("dedicated") else draft for draft in drafts]

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Campaign:
        """Deletes one, softly: it can be restored. Its data stays, and cannot be reached meanwhile."""
        campaign = await super().delete(reference, expected_version=expected_version)
        forget(self.database, campaign.campaign_id)
        return campaign

    @move(from_=[ACTIVE, INACTIVE], to=SCHEDULED, role=Role.ADMIN)
    async def schedule(self, campaign: Campaign) -> None:
        """Lets it wait for its start."""
        if campaign.starts_at is None or campaign.starts_at <= datetime.now(UTC):
            raise NothingScheduled(field="starts_at")

    @move(from_=[SCHEDULED, INACTIVE], to=ACTIVE, role=Role.ADMIN)
    async def activate(self, campaign: Campaign) -> None:
        """Lets it run, from now."""

    @move(from_=[SCHEDULED, ACTIVE], to=INACTIVE, role=Role.ADMIN)
    async def deactivate(self, campaign: Campaign) -> None:
        """Pauses it."""

    @move(from_=[ACTIVE, INACTIVE], to=COMPLETED, role=Role.ADMIN)
    async def complete(self, campaign: Campaign) -> None:
        """Ends it for good."""

    @move(from_=[SCHEDULED, INACTIVE, COMPLETED], to=ARCHIVED, role=Role.ADMIN)
    async def archive(self, campaign: Campaign) -> None:
        """Puts it away; an active one is deactivated or completed first."""

    async def _placed(self, draft: NewEntity) -> NewEntity | OvasabiError:
        if draft.key is not None and await is_known(self.database, draft.key):
            return draft
        # A look before partitions are made; the create itself decides.
        page = await self.list(ListRequest(filter=f'slug = "{draft.values["slug"]}"', page_size=1))
        if page.items:
            return KeyTaken(field="slug", type="campaign", key="slug")
        number = await self.repository.reserve_number()
        await partitions.dedicate(self.database, number, MONTHS_AHEAD)
        return msgspec.structs.replace(draft, number=number)
