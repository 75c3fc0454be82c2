"""The data of parcels and of their stops: fields of every kind that can be declared."""

import hashlib
import uuid
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Optional

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ovasabi.kernel.declare.entity import Entity, Scope, entity
from ovasabi.kernel.declare.fields import (
    Bounds,
    Filter,
    FromMetadata,
    Immutable,
    Numeric,
    Output,
    Personal,
    Reference,
    Search,
    Secret,
    Unique,
)


class SampleParcelState(StrEnum):
    """Where a parcel is in its life."""

    PACKED = "packed"
    SENT = "sent"
    DELIVERED = "delivered"


class SampleCarrier(StrEnum):
    """Who carries it."""

    POST = "post"
    BIKE_COURIER = "bike-courier"
    SAME_DAY = 'the "same day"'


class SampleSize(msgspec.Struct, frozen=True):
    """How large it is."""

    width: Annotated[int, Meta(ge=1, le=200)]
    height: Annotated[int, Meta(ge=1, le=200)]
    unit: str = 'the "cm"'
    lids: list["SampleSize"] = []
    wrapped: Optional["SampleWrapping"] = None


class SampleWrapping(msgspec.Struct, frozen=True):
    """What it is wrapped in, which may be wrapped itself: structs refer to themselves and to each other."""

    sizes: list[SampleSize]
    around: Optional["SampleWrapping"] = None
    thickness: Decimal = Decimal("1E-9")


def seal(text: str) -> str:
    """What is kept of the code that opens a parcel."""
    return hashlib.sha256(text.encode()).hexdigest()


@entity(plural="sample_parcels", title="label", name="sample_parcel", unique=[("receiver_id", "due_on", "carrier")])
class SampleParcel(Entity, frozen=True):
    """Something that is sent."""

    label: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    code: Annotated[str, Meta(pattern=r"^[A-Z]{2}[0-9]{9}[A-Z]{2}$(?!\n)", max_length=13), Unique()]
    number: Annotated[int, Meta(ge=1), Unique()]
    weight: Annotated[Decimal, Bounds(gt=0, le=50), Numeric(6, 3), Filter()]
    serial: Annotated[Decimal, Numeric(12, 4), Unique()]
    carrier: Annotated[SampleCarrier, Filter(), Immutable()]
    due_on: Annotated[date, Filter(), Immutable()]
    ready_at: Annotated[datetime, Meta(tz=True), Filter()]
    batch: Annotated[uuid.UUID, Filter()]
    fragile: Annotated[bool, Filter()]
    receiver_id: Annotated[int, Reference("user"), Immutable()]
    notes: Annotated[str, Meta(max_length=5_000), Search("C")] = ""
    alias: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$", max_length=40), Unique(fold=True)] | None = None
    motto: Annotated[str, Meta(max_length=50), Filter()] = 'it\'s "so" \\ {x} and "so"'
    offset: Annotated[Decimal, Bounds(ge=-5, le=5), Numeric(10, 4), Filter()] = Decimal("-1.5")
    exact: Annotated[Decimal, Numeric(38, 30)] = Decimal("1E-20")
    distance: float = 1.5e300
    layers: Annotated[int, Meta(ge=1, le=5, examples=[2])] = 1
    balance: int = 0
    order: Annotated[int, Meta(ge=0), Filter()] = 0
    position: Annotated[int, Filter()] = 0
    rank: int = 0
    reference: Annotated[str, Meta(max_length=100), Search("D")] = ""
    type: str = ""
    floor: Annotated[int, Meta(le=-1)] | None = None
    insured_for: Annotated[Decimal, Numeric(12, 2)] | None = None
    temperature: Annotated[float, Meta(ge=-40, le=60)] | None = None
    insured: bool = False
    signed: bool | None = None
    opened_on: date | None = None
    pick_up_at: Annotated[datetime, Meta(tz=True)] | None = None
    previous_batch: uuid.UUID | None = None
    second_carrier: SampleCarrier | None = None
    marks: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=40)]], Meta(max_length=20), Filter(), Search("B")
    ] = msgspec.field(default_factory=list)
    scans: Annotated[list[int], Meta(max_length=20)] = msgspec.field(default_factory=list)
    carriers: list[SampleCarrier] = msgspec.field(default_factory=list)
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    extra: dict[str, Any] = msgspec.field(default_factory=dict)
    size: SampleSize | None = None
    sizes: list[SampleSize] = msgspec.field(default_factory=list)
    sender_id: Annotated[int, Reference("user")] | None = None
    content_id: Annotated[int, Meta(description="What it was ordered from."), Reference("content")] | None = None
    replaces_id: Annotated[int, Reference("sample_parcel", counted_in="copy_count"), Immutable()] | None = None
    street: Annotated[str, Meta(max_length=200, description="Where it goes."), Personal()] = ""
    lock: Annotated[str, Meta(min_length=6, max_length=60), Secret(seal)] | UnsetType = UNSET
    state: Annotated[SampleParcelState, Filter(), Output()] = SampleParcelState.PACKED
    sent_at: Annotated[datetime, Meta(tz=True), Filter(), Output()] | None = None
    scan_count: Annotated[int, Meta(ge=0), Output()] = 0
    stop_count: Annotated[int, Meta(ge=0), Output()] = 0
    copy_count: Annotated[int, Meta(ge=0), Output()] = 0
    section: Annotated[str, FromMetadata("service_specific.sample_parcel.section")] | None = None


@entity(plural="sample_parcel_stops", title="planned_at", name="sample_parcel_stop", table="stop")
class SampleParcelStop(Entity, frozen=True):
    """A place that a parcel passes."""

    parcel_id: Annotated[int, Reference("sample_parcel", counted_in="stop_count"), Immutable()]
    town: Annotated[str, Meta(min_length=1, max_length=100), Search("A")]
    planned_at: Annotated[datetime, Meta(tz=True), Filter()]
    reached_at: Annotated[datetime, Meta(tz=True), Filter()] | None = None


@entity(plural="sample_depots", title="heated", name="sample_depot", table="sample_depot", scope=Scope.GLOBAL)
class SampleDepot(Entity, frozen=True):
    """A place of the platform where parcels lie."""

    name: Annotated[str, Meta(min_length=1, max_length=100), Unique()]
    heated: bool
    capacity: Annotated[int, Meta(ge=0, multiple_of=10)] = 0
