"""What can go wrong with quotes."""

from ovasabi.errors import Kind, OvasabiError, such_as


class AlreadyOver(OvasabiError):
    """A new quote would be valid until a time that is past."""

    kind = Kind.INVALID
    code = "already_over"
    message = "A quote must be valid until a time to come."
    hint = "Give valid_until a time in the future, with its time zone."


class QuoteOverdue(OvasabiError):
    """A quote is accepted too late."""

    kind = Kind.PRECONDITION
    code = "quote_overdue"
    message = "The quote was valid until {valid_until}."
    hint = "Ask for a new one."
    example = such_as(valid_until="2026-11-30T12:00:00+00:00", field="valid_until")


class QuoteStillValid(OvasabiError):
    """A quote is to expire before its time."""

    kind = Kind.PRECONDITION
    code = "quote_still_valid"
    message = "The quote is valid until {valid_until}."
    hint = "Wait until then, or :reject it."
    example = such_as(valid_until="2026-11-30T12:00:00+00:00", field="valid_until")


class QuoteDecided(OvasabiError):
    """What was accepted, rejected or has expired is not changed any more."""

    kind = Kind.PRECONDITION
    code = "quote_decided"
    message = "The quote is {state}; its terms stay as they are."
    hint = "Make a new quote."
    example = such_as(state="accepted")
