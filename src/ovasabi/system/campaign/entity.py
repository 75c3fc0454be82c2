"""The data of a campaign."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, Scope, entity
from ovasabi.kernel.declare.fields import Filter, Immutable, Output, Reference, Search, Unique


class CampaignState(StrEnum):
    """The lifecycle state of a campaign."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    INACTIVE = "inactive"
    COMPLETED = "completed"
    ARCHIVED = "archived"


class CampaignKind(StrEnum):
    """The kind of a campaign."""

    EVERGREEN = "evergreen"
    SCHEDULED = "scheduled"
    FLASH = "flash"
    DRIP = "drip"
    RECURRING = "recurring"
    SEASONAL = "seasonal"
    TARGETED = "targeted"
    TEST = "test"
    EXPERIMENTAL = "experimental"


@entity(plural="campaigns", title="title", scope=Scope.ROOT, stream="audit")
class Campaign(Entity, frozen=True):
    """A tenant. Every other entity belongs either to a campaign or to the platform."""

    slug: Annotated[
        str,
        Meta(
            pattern=r"^[a-z][a-z0-9_-]{1,62}$(?!\n)",
            max_length=63,
            description="The name used in URLs; unique, and cannot be changed.",
        ),
        Unique(),
        Immutable(),
    ]
    title: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    description: Annotated[str, Meta(max_length=10_000), Search("B")] = ""
    kind: Annotated[CampaignKind, Filter()] = CampaignKind.EVERGREEN
    state: Annotated[CampaignState, Filter(), Output()] = CampaignState.ACTIVE
    dedicated: Annotated[bool, Meta(description="Whether the campaign has its own partitions."), Immutable()] = False
    owner_id: Annotated[int, Meta(description="The user responsible for the campaign."), Reference("user")] | None = (
        None
    )
    starts_at: Annotated[datetime, Meta(tz=True)] | None = None
    ends_at: Annotated[datetime, Meta(tz=True)] | None = None
