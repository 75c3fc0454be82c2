"""The data of products and their variants."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.declare.entity import Entity, entity
from ovasabi.kernel.declare.fields import Bounds, Filter, Immutable, Numeric, Output, Reference, Search, Unique


class ProductKind(StrEnum):
    """The kind of a product."""

    PHYSICAL = "physical"
    DIGITAL = "digital"
    SERVICE = "service"
    SUBSCRIPTION = "subscription"


class ProductState(StrEnum):
    """The lifecycle state of a product."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 currency code.")]


@entity(plural="products", title="name")
class Product(Entity, frozen=True):
    """A product that a campaign offers."""

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
            int,
            Meta(description="The variant shown first; set by calling :make_default on the variant."),
            Reference("variant"),
            Output(),
        ]
        | None
    ) = None


@entity(plural="variants", title="name", table="variant")
class Variant(Entity, frozen=True):
    """A sellable variant of a product, with its own SKU, price and stock."""

    product_id: Annotated[int, Reference("product", counted_in="variant_count"), Immutable()]
    sku: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="Stock-keeping unit (SKU); unique in the campaign."),
        Unique(),
    ]
    name: Annotated[str, Meta(min_length=1, max_length=200), Search("A")]
    price: Annotated[
        Decimal,
        Meta(description="The price in major units of the currency, for example 9.90 for EUR 9.90."),
        Bounds(ge=0),
        Numeric(18, 4),
        Filter(),
    ]
    currency: Currency
    compare_at_price: Annotated[Decimal, Bounds(ge=0), Numeric(18, 4)] | None = None
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    stock: Annotated[
        int,
        Meta(ge=0, description="Quantity available for sale; changed by :restock, :reserve and :release."),
        Output(),
    ] = 0
    reserved: Annotated[int, Meta(ge=0, description="Quantity reserved and not yet taken."), Output()] = 0
