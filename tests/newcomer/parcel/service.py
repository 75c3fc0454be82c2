"""The rules of parcels: packed, sent, delivered; with methods of every kind."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.context import Role
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.declare.methods import long, read, verb
from ovasabi.kernel.declare.moves import Values, move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.listing import ListRequest
from ovasabi.kernel.work.long_methods import Progress
from ovasabi.services.parcel.entity import Carrier, Depot, Parcel, ParcelState, ParcelStop
from ovasabi.services.parcel.errors import ParcelTooHigh

PACKED, SENT, DELIVERED = ParcelState.PACKED, ParcelState.SENT, ParcelState.DELIVERED
BIKE_LIMIT = 3


class Delivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it was delivered."""

    receiver_name: Annotated[str, Meta(min_length=1, max_length=100)]
    depot_id: Id | None = None
    tip: Annotated[int, Meta(ge=0)] = 0
    via: Carrier = Carrier.POST
    at: datetime | None = None
    remarks: list[str] = []


class Quotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a price depends on."""

    weight: float
    carrier: Carrier
    express: bool = False


class Price(msgspec.Struct, frozen=True):
    """What it would cost."""

    amount: Decimal
    carrier: Carrier


class Scanned(msgspec.Struct, frozen=True):
    """What a round of scanning found."""

    scanned: int = 0


class Scanning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to scan."""

    most: Annotated[int, Meta(ge=1, le=1_000)]


class Parcels(EntityService[Parcel]):
    """Parcels."""

    def check(self, values: Mapping[str, Any], before: Parcel | None) -> None:
        """A bike carries only so much."""
        carrier = values.get("carrier", before.carrier if before else None)
        if carrier == Carrier.BIKE_COURIER and values.get("layers", 1) > BIKE_LIMIT:
            raise ParcelTooHigh(field="layers", carrier=carrier.value, limit=BIKE_LIMIT)

    @move(from_=[PACKED], to=SENT)
    async def send(self, parcel: Parcel) -> Values:
        """Hands it to its carrier."""
        return {"sent_at": datetime.now(UTC)}

    @move(from_=[SENT], to=DELIVERED)
    async def deliver(self, parcel: Parcel, request: Delivery) -> Values:
        """Hands it to its receiver."""
        return {"notes": f"{parcel.notes} {request.receiver_name}"[:5_000]}

    @move(from_=[SENT], to=PACKED, role=Role.ADMIN)
    async def unsend(self, parcel: Parcel) -> Values:
        """Takes it back from its carrier."""
        return {"sent_at": None}

    @verb()
    async def scan(self, parcel: Parcel) -> None:
        """Counts that it was seen."""
        await self.repository.adjust(parcel.id, {"scan_count": 1})

    @verb()
    async def sweep(self, request: Scanning) -> Scanned:
        """Says how many there are to scan."""
        page = await self.list(ListRequest(page_size=request.most))
        return Scanned(len(page.items))

    @read()
    async def quote(self, request: Quotation) -> Price:
        """What a parcel would cost."""
        return Price(Decimal(str(request.weight)) * (2 if request.express else 1), request.carrier)

    @read()
    async def age(self, parcel: Parcel) -> Scanned:
        """How often it was seen."""
        return Scanned(parcel.scan_count)

    @long(role=Role.ADMIN)
    async def scan_all(self, progress: Progress) -> Scanned:
        """Looks at all of them."""
        page = await self.list(ListRequest(page_size=1000))
        await progress.step(len(page.items), so_far=Scanned(len(page.items)))
        return Scanned(len(page.items))

    @long()
    async def scan_some(self, request: Scanning, progress: Progress) -> Scanned:
        """Looks at some of them."""
        return Scanned(min(request.most, len((await self.list(ListRequest(page_size=1000))).items)))

    @long()
    async def trace(self, parcel: Parcel, progress: Progress) -> None:
        """Asks its carrier where it is."""
        await progress.step(1, 1)


class ParcelStops(EntityService[ParcelStop]):
    """Stops of parcels."""


class Depots(EntityService[Depot]):
    """Depots."""

    manages = Role.ADMIN
