"""The rules of quotes: valid for a limited time, decided once, and unchanged after that."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.services.quotes.entity import Quote, QuoteState
from ovasabi.services.quotes.errors import AlreadyOver, QuoteDecided, QuoteOverdue, QuoteStillValid

PENDING = QuoteState.PENDING
ACCEPTED, REJECTED, EXPIRED = QuoteState.ACCEPTED, QuoteState.REJECTED, QuoteState.EXPIRED


class Rejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a quote is rejected."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""


class Quotes(EntityService[Quote]):
    """Quotes. An overdue quote cannot be accepted, but stays pending until :expire is called."""

    def check(self, values: Mapping[str, Any], before: Quote | None) -> None:
        """A new quote must still be valid, and the terms of a decided quote cannot be changed."""
        if before is None:
            if values["valid_until"] <= datetime.now(UTC):
                raise AlreadyOver(field="valid_until")
        elif before.state is not PENDING and any(name != "metadata" for name in values):
            raise QuoteDecided(state=before.state)

    @move(from_=[PENDING], to=ACCEPTED)
    async def accept(self, quote: Quote) -> Values:
        """Accepts the quote, while it is still valid."""
        now = datetime.now(UTC)
        if now > quote.valid_until:
            raise QuoteOverdue(field="valid_until", valid_until=quote.valid_until.isoformat())
        return {"decided_at": self.present_time(quote)}

    @move(from_=[PENDING], to=REJECTED)
    async def reject(self, quote: Quote, request: Rejection) -> Values:
        """Rejects the quote."""
        return {"decided_at": self.present_time(quote), "reason": request.reason}

    @move(from_=[PENDING], to=EXPIRED)
    async def expire(self, quote: Quote) -> Values:
        """Expires a quote that was not accepted or rejected in time."""
        now = datetime.now(UTC)
        if now <= quote.valid_until:
            raise QuoteStillValid(field="valid_until", valid_until=quote.valid_until.isoformat())
        return {"decided_at": self.present_time(quote)}
