"""The data of products and their variants."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Bounds, Filter, Immutable, Numeric, Output, Reference, Search, Unique


class ProductKind(StrEnum):
    """What is offered."""

    PHYSICAL = "physical"
    DIGITAL = "digital"
    SERVICE = "service"
    SUBSCRIPTION = "subscription"


class ProductState(StrEnum):
    """Whether it is offered."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217.")]


@entity(plural="products", title="name")
class Product(Entity, frozen=True):
    """Something that a campaign offers."""

    name: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    description: Annotated[str, Meta(max_length=100_000), Search("C")] = ""
    kind: Annotated[ProductKind, Filter()] = ProductKind.PHYSICAL
    tags: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=50), Filter(), Search("B")
    ] = msgspec.field(default_factory=list)
    owner_id: Annotated[int, Reference("user")] | None = None
    main_image_url: Annotated[str, Meta(max_length=2_000)] = ""
    gallery_image_urls: Annotated[list[Annotated[str, Meta(max_length=2_000)]], Meta(max_length=50)] = msgspec.field(
        default_factory=list
    )
    state: Annotated[ProductState, Filter(), Output()] = ProductState.ACTIVE
    variant_count: Annotated[int, Meta(ge=0), Output()] = 0
    default_variant_id: (
        Annotated[
            int, Meta(description="The variant shown first; set by its :make_default."), Reference("variant"), Output()
        ]
        | None
    ) = None


@entity(plural="variants", title="name", table="variant")
class Variant(Entity, frozen=True):
    """A product as it is sold: with a stock-keeping unit, a price, and stock."""

    product_id: Annotated[int, Reference("product", counted_in="variant_count"), Immutable()]
    sku: Annotated[
        str, Meta(min_length=1, max_length=64, description="Stock-keeping unit; unique in the campaign."), Unique()
    ]
    name: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    price: Annotated[Decimal, Meta(description="In units of the currency."), Bounds(ge=0), Numeric(18, 4), Filter()]
    currency: Currency
    compare_at_price: Annotated[Decimal, Bounds(ge=0), Numeric(18, 4)] | None = None
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    stock: Annotated[
        int, Meta(ge=0, description="What is there to be sold; changed by :restock, :reserve, :release."), Output()
    ] = 0
    reserved: Annotated[int, Meta(ge=0, description="What is promised and not yet taken."), Output()] = 0
