"""The data of a quote."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Bounds, Filter, Immutable, Numeric, Output, Reference, Search


class QuoteState(StrEnum):
    """The lifecycle state of a quote."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"


@entity(plural="quotes", title="description")
class Quote(Entity, frozen=True):
    """A price offered for a limited time."""

    description: Annotated[str, Meta(min_length=1, max_length=2_000), Search("A")]
    amount: Annotated[
        Decimal,
        Meta(description="The amount in major units of the currency, for example 9.90 for EUR 9.90."),
        Bounds(gt=0),
        Numeric(20, 8),
    ]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 currency code.")]
    valid_until: Annotated[datetime, Meta(tz=True), Filter(), Immutable()]
    user_id: Annotated[int, Meta(description="The user the quote is for."), Reference("user"), Immutable()] | None = (
        None
    )
    product_id: Annotated[int, Reference("product"), Immutable()] | None = None
    state: Annotated[QuoteState, Filter(), Output()] = QuoteState.PENDING
    decided_at: Annotated[datetime, Meta(tz=True), Output()] | None = None
    reason: Annotated[str, Meta(max_length=1_000), Output()] = ""
