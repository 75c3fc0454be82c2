"""Errors of quotes."""

from ovasabi.errors import Kind, OvasabiError, such_as


class AlreadyOver(OvasabiError):
    """The new quote would already have expired."""

    kind = Kind.INVALID
    code = "already_over"
    message = "A new quote must be valid until a time in the future."
    hint = "Set valid_until to a future time, with a time zone."


class QuoteOverdue(OvasabiError):
    """The quote is overdue and can no longer be accepted."""

    kind = Kind.PRECONDITION
    code = "quote_overdue"
    message = "The quote was valid until {valid_until}."
    hint = "Request a new quote."
    example = such_as(valid_until="2026-11-30T12:00:00+00:00", field="valid_until")


class QuoteStillValid(OvasabiError):
    """The quote cannot expire while it is still valid."""

    kind = Kind.PRECONDITION
    code = "quote_still_valid"
    message = "The quote is still valid, until {valid_until}."
    hint = "Wait until then, or :reject it."
    example = such_as(valid_until="2026-11-30T12:00:00+00:00", field="valid_until")


class QuoteDecided(OvasabiError):
    """A quote that was accepted or rejected, or that has expired, cannot be changed."""

    kind = Kind.PRECONDITION
    code = "quote_decided"
    message = "The quote is {state}; its terms can no longer be changed."
    hint = "Create a new quote."
    example = such_as(state="accepted")
