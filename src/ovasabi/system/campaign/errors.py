"""What can go wrong with campaigns."""

from ovasabi.errors import Kind, OvasabiError


class NotOnPlatform(OvasabiError):
    """Somebody tried to create a campaign from within another one."""

    kind = Kind.DENIED
    code = "not_on_platform"
    message = "Campaigns are created on the platform, not within a campaign."
    hint = "Send the call to the platform, with a key that is not confined to a campaign."


class DatesReversed(OvasabiError):
    """A campaign would end before it starts."""

    kind = Kind.INVALID
    code = "dates_reversed"
    message = "The campaign must start before it ends."
    hint = "Give starts_at a time before ends_at."


class NothingScheduled(OvasabiError):
    """A campaign without a start in the future cannot wait for it."""

    kind = Kind.PRECONDITION
    code = "nothing_scheduled"
    message = "The campaign has no start in the future to be scheduled for."
    hint = "Set starts_at to a time to come, or activate it now."
