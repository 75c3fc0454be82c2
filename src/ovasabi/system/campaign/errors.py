"""Errors of campaigns."""

from ovasabi.errors import Kind, OvasabiError, such_as


class NotOnPlatform(OvasabiError):
    """A campaign cannot be created from within another campaign."""

    kind = Kind.DENIED
    code = "not_on_platform"
    message = "Campaigns are created on the platform, not within a campaign."
    hint = "Call the platform with a key that is not limited to a campaign."


class DatesReversed(OvasabiError):
    """The campaign would end before it starts."""

    kind = Kind.INVALID
    code = "dates_reversed"
    message = "The campaign must start before it ends."
    hint = "Set starts_at to a time before ends_at."


class NothingScheduled(OvasabiError):
    """A campaign can be scheduled only if it starts in the future."""

    kind = Kind.PRECONDITION
    code = "nothing_scheduled"
    message = "The campaign cannot be scheduled: starts_at is not in the future."
    hint = "Set starts_at to a future time, or :activate the campaign now."


class CampaignLost(OvasabiError):
    """The directory has the campaign, but its server, which was restored from an earlier backup, does not."""

    kind = Kind.UNAVAILABLE
    code = "campaign_lost"
    message = "The campaign {campaign} was lost when server {shard} was restored."
    hint = "Restore a newer backup of that server, or give the campaign up: ovasabi migrate --give-up-lost"
    example = such_as(campaign="python", shard=1)
