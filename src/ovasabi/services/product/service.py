"""The rules of products and their variants: stock is never oversold, and a product has at most one default variant."""

from ovasabi.kernel.call.locks import locked_entity
from ovasabi.kernel.call.transaction import atomically
from ovasabi.kernel.declare.methods import verb
from ovasabi.kernel.declare.moves import move
from ovasabi.kernel.service import EntityService
from ovasabi.services.product.entity import Product, ProductState, Variant
from ovasabi.services.product.errors import ProductHasVariants
from ovasabi.services.product.inventory import Quantity, shift

ACTIVE, INACTIVE, ARCHIVED = ProductState.ACTIVE, ProductState.INACTIVE, ProductState.ARCHIVED


class Products(EntityService[Product]):
    """Products."""

    async def after_delete(self, entity: Product) -> None:
        """Refuses to delete a product that still has variants: they must be deleted one by one, deliberately."""
        # The count is read under the row's lock, so a variant that is being added at the same time is included.
        if entity.variant_count:
            raise ProductHasVariants(count=entity.variant_count)

    @move(from_=[INACTIVE, ARCHIVED], to=ACTIVE)
    async def activate(self, product: Product) -> None:
        """Activates the product, so that it is offered."""

    @move(from_=[ACTIVE], to=INACTIVE)
    async def deactivate(self, product: Product) -> None:
        """Deactivates the product temporarily, so that it is no longer offered."""

    @move(from_=[ACTIVE, INACTIVE], to=ARCHIVED)
    async def archive(self, product: Product) -> None:
        """Archives the product."""


class Variants(EntityService[Variant]):
    """Variants."""

    async def before_delete(self, entity: Variant) -> None:
        """Clears the product's default variant if it is this one; a restore does not make it the default again."""
        async with locked_entity(self.database, entity.id), locked_entity(self.database, entity.product_id):
            products = self._products.repository
            product = (await products.get_many([entity.product_id])).get(entity.product_id)
            if product is not None and product.default_variant_id == entity.id:
                await self._products.change(product, "clear_default", default_variant_id=None)

    @verb()
    async def make_default(self, variant: Variant) -> Product:
        """Makes the variant the default of its product, replacing any previous default."""

        async def write() -> Product:
            async with locked_entity(self.database, variant.id), locked_entity(self.database, variant.product_id):
                latest = await self.get(variant.id)
                product = await self._products.get(variant.product_id)
                return await self._products.change(product, default_variant_id=latest.id)

        return await atomically(self.database, write)

    @verb()
    async def restock(self, variant: Variant, request: Quantity) -> Variant:
        """Adds a quantity to the stock."""
        return await shift(self.repository, variant, request.quantity, stock=1)

    @verb()
    async def reserve(self, variant: Variant, request: Quantity) -> Variant:
        """Reserves a quantity: moves it from `stock` to `reserved`."""
        return await shift(self.repository, variant, request.quantity, stock=-1, reserved=1)

    @verb()
    async def release(self, variant: Variant, request: Quantity) -> Variant:
        """Releases a reserved quantity: moves it from `reserved` back to `stock`."""
        return await shift(self.repository, variant, request.quantity, stock=1, reserved=-1)

    @verb()
    async def take(self, variant: Variant, request: Quantity) -> Variant:
        """Takes a reserved quantity out of inventory, for example when it is shipped."""
        return await shift(self.repository, variant, request.quantity, reserved=-1)

    @property
    def _products(self) -> Products:
        return self.registry.service(Products)
