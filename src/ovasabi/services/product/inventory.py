"""Inventory: stock and reservations, adjusted without reading first, and never below zero under concurrency."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ovasabi.kernel.call.errors import RuleBroken
from ovasabi.kernel.store.repository import Repository
from ovasabi.services.product.entity import Variant
from ovasabi.services.product.errors import NotReserved, OutOfStock


class Quantity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity of goods."""

    quantity: Annotated[int, Meta(ge=1, le=1_000_000_000)]


async def shift(
    variants: Repository[Variant], variant: Variant, quantity: int, *, stock: int = 0, reserved: int = 0
) -> Variant:
    """Adds `quantity` times the given signs to stock and reserved.

    Raises OutOfStock or NotReserved if one would fall below zero, which the table's CHECK constraints detect.
    """
    amounts = {"stock": stock * quantity, "reserved": reserved * quantity}
    try:
        return await variants.adjust(variant.id, {name: amount for name, amount in amounts.items() if amount})
    except RuleBroken as error:
        match error.field:
            case "stock":
                raise OutOfStock(field="quantity", quantity=quantity) from error
            case "reserved":
                raise NotReserved(field="quantity", quantity=quantity) from error
        raise
