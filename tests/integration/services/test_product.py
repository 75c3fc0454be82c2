"""Products: never oversold, one default variant at most, and not deleted from under their variants."""

import asyncio
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ovasabi.errors import OvasabiError
from ovasabi.kernel.call.context import Context, acting
from ovasabi.kernel.call.errors import EntityNotFound, KeyTaken, ReferenceMissing
from ovasabi.kernel.declare.entity import type_of
from ovasabi.kernel.declare.state_machine import MoveRefused
from ovasabi.kernel.service import ServiceRegistry
from ovasabi.kernel.store.history import state_at
from ovasabi.services.product.entity import Product, Variant
from ovasabi.services.product.errors import NotReserved, OutOfStock, ProductHasVariants
from ovasabi.services.product.inventory import Quantity
from ovasabi.services.product.service import Products, Variants
from tests.conformance.fixtures import events_of
from tests.integration.services.calls import call


async def new_product(registry: ServiceRegistry) -> Product:
    return await registry.service(Products).create({"name": "Tea"})


async def new_variant(registry: ServiceRegistry, product: Product, **values: Any) -> Variant:
    draft = {
        "product_id": product.id,
        "sku": uuid.uuid4().hex,
        "name": "Box",
        "price": Decimal("3.50"),
        "currency": "EUR",
    }
    return await registry.service(Variants).create(draft | values)


async def test_goods_are_promised_given_back_and_taken(registry: ServiceRegistry, context: Context) -> None:
    variants = registry.service(Variants)
    with acting(context):
        variant = await new_variant(registry, await new_product(registry))
        steps = [("restock", 10, 10, 0), ("reserve", 4, 6, 4), ("release", 1, 7, 3), ("take", 2, 7, 1)]
        for verb, quantity, stock, reserved in steps:
            answer = await call(variants, verb, variant.id, Quantity(quantity))
            assert (answer.stock, answer.reserved) == (stock, reserved)
        with pytest.raises(OutOfStock) as out:
            await call(variants, "reserve", variant.id, Quantity(8))
        assert (out.value.kind, out.value.field) == ("precondition", "quantity")
        for verb in ("release", "take"):
            with pytest.raises(NotReserved):
                await call(variants, verb, variant.id, Quantity(2))
        now = await variants.get(variant.id)
        assert (now.stock, now.reserved, now.version) == (7, 1, 1)
        assert await state_at(variants.database, Variant, variant.id, datetime.now(UTC)) == now


async def test_a_verb_logs_its_own_event_of_whatever_it_changes(registry: ServiceRegistry, context: Context) -> None:
    variants = registry.service(Variants)
    with acting(context):
        product = await new_product(registry)
        variant = await new_variant(registry, product)
        steps = [("restock", Quantity(9)), ("reserve", Quantity(3)), ("take", Quantity(1)), ("make_default", None)]
        for verb, request in steps:
            await call(variants, verb, variant.id, request)
        await variants.delete(variant.id)
    for entity, verbs in (
        (variant, ["create", "restock", "reserve", "take", "delete"]),
        (product, ["create", "count_variants", "make_default", "clear_default", "count_variants"]),
    ):
        logged = [event.type for event in await events_of(variants.database, entity)]
        assert logged == [type_of(type(entity)).event_type(verb) for verb in verbs]


async def test_of_a_hundred_who_want_one_of_thirty_thirty_get_it(registry: ServiceRegistry, context: Context) -> None:
    variants = registry.service(Variants)
    with acting(context):
        variant = await new_variant(registry, await new_product(registry))
        await call(variants, "restock", variant.id, Quantity(30))
        wanted = (call(variants, "reserve", variant.id, Quantity(1)) for _ in range(100))
        answers = await asyncio.gather(*wanted, return_exceptions=True)
        assert sum(isinstance(answer, Variant) for answer in answers) == 30
        assert sum(isinstance(answer, OutOfStock) for answer in answers) == 70
        now = await variants.get(variant.id)
        assert (now.stock, now.reserved) == (0, 30)


async def test_a_product_has_one_default_variant_at_most(registry: ServiceRegistry, context: Context) -> None:
    products, variants = registry.service(Products), registry.service(Variants)
    with acting(context):
        product = await new_product(registry)
        several = [await new_variant(registry, product) for _ in range(4)]
        assert (await products.get(product.id)).default_variant_id is None
        await asyncio.gather(*(call(variants, "make_default", variant.id) for variant in several))
        default = (await products.get(product.id)).default_variant_id
        assert default in {variant.id for variant in several}
        assert (await call(variants, "make_default", several[0].id)).default_variant_id == several[0].id
        await variants.delete(several[1].id)
        assert (await products.get(product.id)).default_variant_id == several[0].id
        await variants.delete(several[0].id)
        assert (await products.get(product.id)).default_variant_id is None
        await variants.restore(several[0].id)
        assert (await products.get(product.id)).default_variant_id is None


async def test_a_variant_is_not_made_the_default_while_it_is_deleted(
    registry: ServiceRegistry, context: Context
) -> None:
    products, variants = registry.service(Products), registry.service(Variants)
    with acting(context):
        product = await new_product(registry)
        for _ in range(5):
            variant = await new_variant(registry, product)
            await asyncio.gather(
                variants.delete(variant.id), call(variants, "make_default", variant.id), return_exceptions=True
            )
            with pytest.raises(EntityNotFound):
                await variants.get(variant.id)
            assert (await products.get(product.id)).default_variant_id is None


async def test_a_product_with_variants_is_not_deleted(registry: ServiceRegistry, context: Context) -> None:
    products, variants = registry.service(Products), registry.service(Variants)
    with acting(context):
        product = await new_product(registry)
        variant = await new_variant(registry, product)
        with pytest.raises(ProductHasVariants):
            await products.delete(product.id)
        assert (await products.get(product.id)).version == product.version
        await variants.delete(variant.id)
        await products.delete(product.id)
        with pytest.raises(ReferenceMissing):
            await new_variant(registry, product)


async def test_a_product_is_not_deleted_while_a_variant_is_added(registry: ServiceRegistry, context: Context) -> None:
    products, variants = registry.service(Products), registry.service(Variants)
    with acting(context):
        for _ in range(10):
            product = await new_product(registry)
            added, deleted = await asyncio.gather(
                new_variant(registry, product), products.delete(product.id), return_exceptions=True
            )
            assert isinstance(added, OvasabiError) != isinstance(deleted, OvasabiError)
            if isinstance(added, Variant):
                assert (await products.get(product.id)).variant_count == 1
                assert await variants.get(added.id) == added


async def test_a_sku_is_taken_once_and_a_refused_variant_is_not_counted(
    registry: ServiceRegistry, context: Context
) -> None:
    products = registry.service(Products)
    with acting(context):
        product = await new_product(registry)
        await new_variant(registry, product, sku="tea-1")
        answers = await asyncio.gather(
            *(new_variant(registry, product, sku=f"tea-{number % 3}") for number in range(9)), return_exceptions=True
        )
        assert sum(isinstance(answer, Variant) for answer in answers) == 2
        assert sum(isinstance(answer, KeyTaken) for answer in answers) == 7
        assert (await products.get(product.id)).variant_count == 3


async def test_the_moves_of_a_product(registry: ServiceRegistry, context: Context) -> None:
    products = registry.service(Products)
    with acting(context):
        product = await new_product(registry)
        with pytest.raises(MoveRefused):
            await call(products, "activate", product.id)
        assert (await call(products, "deactivate", product.id)).state == "inactive"
        assert (await call(products, "archive", product.id)).state == "archived"
        assert (await call(products, "activate", product.id)).state == "active"
