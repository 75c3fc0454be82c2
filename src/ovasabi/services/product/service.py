"""The rules of products and their variants: stock that is never oversold, and one default variant at most."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
from ovasabi.kernel.store.counters import Counted
from ovasabi.kernel.store.locks import locked_entity
from ovasabi.services.product.entity import Product, ProductState, Variant
from ovasabi.services.product.errors import ProductHasVariants
from ovasabi.services.product.inventory import Quantity, shift

ACTIVE, INACTIVE, ARCHIVED = ProductState.ACTIVE, ProductState.INACTIVE, ProductState.ARCHIVED


class Products(EntityService[Product]):
    """Products."""

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Product:
        """Deletes one, softly. One with variants is refused: they are deleted one by one, by whoever means it."""

        async def write() -> Product:
            # The delete answers the count under the row's lock, so a variant that is just being added is seen.
            product = await super(Products, self).delete(reference, expected_version=expected_version)
            if product.variant_count:
                raise ProductHasVariants(count=product.variant_count)
            return product

        return await atomically(self.database, write)

    @move(from_=[INACTIVE, ARCHIVED], to=ACTIVE)
    async def activate(self, product: Product) -> None:
        """Offers it."""

    @move(from_=[ACTIVE], to=INACTIVE)
    async def deactivate(self, product: Product) -> None:
        """Offers it no more, for a while."""

    @move(from_=[ACTIVE, INACTIVE], to=ARCHIVED)
    async def archive(self, product: Product) -> None:
        """Puts it away."""


class Variants(EntityService[Variant]):
    """Variants."""

    async def create(self, values: Mapping[str, Any], *, key: str | None = None) -> Variant:
        """Adds one to its product, and counts it there."""
        return await self._counted.create(values, key=key)

    async def delete(self, reference: int | str, *, expected_version: int | None = None) -> Variant:
        """Deletes one, softly; if it is the product's default, the product has none then."""
        variant = await self.get(reference)

        async def write() -> Variant:
            async with locked_entity(self.database, variant.id), locked_entity(self.database, variant.product_id):
                await self._default_no_more(variant)
                return await self._counted.delete(variant.id, expected_version=expected_version)

        return await atomically(self.database, write)

    async def restore(self, reference: int | str) -> Variant:
        """Takes a delete back; it is not the default again."""
        id, _ = self.repository.resolve(reference)
        return await self._counted.restore(id)

    @verb()
    async def make_default(self, variant: Variant) -> Product:
        """Makes it the variant of its product that is shown first, instead of any other."""

        async def write() -> Product:
            async with locked_entity(self.database, variant.id), locked_entity(self.database, variant.product_id):
                there = await self.get(variant.id)
                product = await self._products.get(variant.product_id)
                return await self._products.change(product, "make_default", default_variant_id=there.id)

        return await atomically(self.database, write)

    @verb()
    async def restock(self, variant: Variant, request: Quantity) -> Variant:
        """Adds goods to the stock."""
        return await shift(self.repository, variant, "restock", request.quantity, stock=1)

    @verb()
    async def reserve(self, variant: Variant, request: Quantity) -> Variant:
        """Promises goods: from the stock to what is reserved."""
        return await shift(self.repository, variant, "reserve", request.quantity, stock=-1, reserved=1)

    @verb()
    async def release(self, variant: Variant, request: Quantity) -> Variant:
        """Takes a promise back: reserved goods return to the stock."""
        return await shift(self.repository, variant, "release", request.quantity, stock=1, reserved=-1)

    @verb()
    async def take(self, variant: Variant, request: Quantity) -> Variant:
        """Keeps a promise: reserved goods leave."""
        return await shift(self.repository, variant, "take", request.quantity, reserved=-1)

    async def _default_no_more(self, variant: Variant) -> None:
        products = self._products.repository
        product = (await products.get_many([variant.product_id])).get(variant.product_id)
        if product is not None and product.default_variant_id == variant.id:
            await self._products.change(product, "clear_default", default_variant_id=None)

    @property
    def _products(self) -> Products:
        return self.registry.service(Products)

    @cached_property
    def _counted(self) -> Counted[Variant, Product]:
        return Counted(self.repository, self._products.repository, reference="product_id", counter="variant_count")
