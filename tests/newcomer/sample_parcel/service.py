"""The rules of parcels: packed, sent, delivered; with methods of every kind."""

from collections.abc import Mapping
from datetime import datetime
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
from ovasabi.services.sample_parcel.entity import (
    SampleCarrier,
    SampleDepot,
    SampleParcel,
    SampleParcelState,
    SampleParcelStop,
)
from ovasabi.services.sample_parcel.errors import SampleParcelTooHigh

PACKED, SENT, DELIVERED = SampleParcelState.PACKED, SampleParcelState.SENT, SampleParcelState.DELIVERED
BIKE_LIMIT = 3


class SampleDelivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How it was delivered."""

    receiver_name: Annotated[str, Meta(min_length=1, max_length=100)]
    depot_id: Id | None = None
    tip: Annotated[int, Meta(ge=0)] = 0
    via: SampleCarrier = SampleCarrier.POST
    at: datetime | None = None
    remarks: list[str] = []


class SampleQuotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a price depends on."""

    weight: float
    carrier: SampleCarrier
    express: bool = False


class SamplePrice(msgspec.Struct, frozen=True):
    """What it would cost."""

    amount: Decimal
    carrier: SampleCarrier


class SampleScanned(msgspec.Struct, frozen=True):
    """What a round of scanning found."""

    scanned: int = 0


class SampleScanning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to scan."""

    most: Annotated[int, Meta(ge=1, le=1_000)]


class SampleParcels(EntityService[SampleParcel]):
    """Sample parcels."""

    def check(self, values: Mapping[str, Any], before: SampleParcel | None) -> None:
        """A bike carries only so much."""
        carrier = values.get("carrier", before.carrier if before else None)
        if carrier == SampleCarrier.BIKE_COURIER and values.get("layers", 1) > BIKE_LIMIT:
            raise SampleParcelTooHigh(field="layers", carrier=carrier.value, limit=BIKE_LIMIT)

    @move(from_=[PACKED], to=SENT)
    async def send(self, parcel: SampleParcel) -> Values:
        """Hands it to its carrier."""
        return {"sent_at": self.present_time(parcel)}

    @move(from_=[SENT], to=DELIVERED)
    async def deliver(self, parcel: SampleParcel, request: SampleDelivery) -> Values:
        """Hands it to its receiver."""
        return {"notes": f"{parcel.notes} {request.receiver_name}"[:5_000]}

    @move(from_=[SENT], to=PACKED, role=Role.ADMIN)
    async def unsend(self, parcel: SampleParcel) -> Values:
        """Takes it back from its carrier."""
        return {"sent_at": None}

    @verb()
    async def scan(self, parcel: SampleParcel) -> None:
        """Counts that it was seen."""
        await self.repository.adjust(parcel.id, {"scan_count": 1})

    @verb()
    async def sweep(self, request: SampleScanning) -> SampleScanned:
        """Says how many there are to scan."""
        page = await self.list(ListRequest(page_size=request.most))
        return SampleScanned(len(page.items))

    @read()
    async def quote(self, request: SampleQuotation) -> SamplePrice:
        """What a parcel would cost."""
        return SamplePrice(Decimal(str(request.weight)) * (2 if request.express else 1), request.carrier)

    @read()
    async def age(self, parcel: SampleParcel) -> SampleScanned:
        """How often it was seen."""
        return SampleScanned(parcel.scan_count)

    @long(role=Role.ADMIN)
    async def scan_all(self, progress: Progress) -> SampleScanned:
        """Looks at all of them."""
        page = await self.list(ListRequest(page_size=1000))
        await progress.step(len(page.items), so_far=SampleScanned(len(page.items)))
        return SampleScanned(len(page.items))

    @long()
    async def scan_some(self, request: SampleScanning, progress: Progress) -> SampleScanned:
        """Looks at some of them."""
        return SampleScanned(min(request.most, len((await self.list(ListRequest(page_size=1000))).items)))

    @long()
    async def trace(self, parcel: SampleParcel, progress: Progress) -> None:
        """Asks its carrier where it is."""
        await progress.step(1, 1)


class SampleParcelStops(EntityService[SampleParcelStop]):
    """Stops of sample parcels."""


class SampleDepots(EntityService[SampleDepot]):
    """Sample depots."""

    manages = Role.ADMIN
