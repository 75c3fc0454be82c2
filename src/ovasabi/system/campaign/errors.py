"""Errors of campaigns."""

from ovasabi.errors import Kind, OvasabiError


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
