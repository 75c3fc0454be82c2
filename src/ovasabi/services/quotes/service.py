"""The rules of quotes: valid until a moment, decided once, unchanged after that."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.declare.state_machine import StateMachine
from ovasabi.kernel.service import EntityService
from ovasabi.services.quotes.entity import Quote, QuoteState
from ovasabi.services.quotes.errors import AlreadyOver, QuoteDecided, QuoteOverdue, QuoteStillValid

PENDING = QuoteState.PENDING
MOVES = StateMachine(
    {
        "accept": ([PENDING], QuoteState.ACCEPTED),
        "reject": ([PENDING], QuoteState.REJECTED),
        "expire": ([PENDING], QuoteState.EXPIRED),
    }
)


class Rejection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a quote is rejected."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""


class Quotes(EntityService[Quote]):
    """Quotes. An overdue one stays pending until it is expired, but cannot be accepted."""

    def check(self, values: Mapping[str, Any], before: Quote | None) -> None:
        """A new quote is valid for a while; a decided one keeps its terms."""
        if before is None:
            if values["valid_until"] <= datetime.now(UTC):
                raise AlreadyOver(field="valid_until")
        elif before.state is not PENDING and any(name != "metadata" for name in values):
            raise QuoteDecided(state=before.state)

    @verb()
    async def accept(self, quote: Quote) -> Quote:
        """Takes the offer, while it is valid."""
        state, now = MOVES.after("accept", quote.state), datetime.now(UTC)
        if now > quote.valid_until:
            raise QuoteOverdue(field="valid_until", valid_until=quote.valid_until.isoformat())
        return await self.change(quote, "accept", state=state, decided_at=now)

    @verb()
    async def reject(self, quote: Quote, request: Rejection) -> Quote:
        """Declines the offer."""
        state = MOVES.after("reject", quote.state)
        return await self.change(quote, "reject", state=state, decided_at=datetime.now(UTC), reason=request.reason)

    @verb()
    async def expire(self, quote: Quote) -> Quote:
        """Ends an offer that nobody took in time."""
        state, now = MOVES.after("expire", quote.state), datetime.now(UTC)
        if now <= quote.valid_until:
            raise QuoteStillValid(field="valid_until", valid_until=quote.valid_until.isoformat())
        return await self.change(quote, "expire", state=state, decided_at=now)
