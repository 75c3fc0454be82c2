"""Valid drafts of any entity, made from its declaration alone: what the conformance suite creates its entities from."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
import msgspec.inspect as mi

from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Bounds, Field, FromMetadata, Immutable, Numeric, Output, Reference, Secret
from ovasabi.kernel.service import EntityService, ServiceRegistry
from tests.samples import value_of


class Acts(msgspec.Struct, frozen=True):
    """What the conformance suite does to entities: through the service what it offers, the rest by the kernel alone."""

    create: Any
    update: Any
    delete: Any
    restore: Any


class Maker:
    """Makes entities in one campaign; what they refer to is made with them, each time anew."""

    def __init__(self, registry: ServiceRegistry, campaign: int) -> None:
        self.registry, self.campaign = registry, campaign

    def service(self, name: str) -> EntityService[Any]:
        """The service of an entity type."""
        return self.registry.named(name)

    def acts(self, name: str) -> Acts:
        """The writes of an entity type."""
        service = self.service(name)
        chosen = (service if act in service.offers else service.repository for act in Acts.__struct_fields__)
        return Acts(*(getattr(by, act) for by, act in zip(chosen, Acts.__struct_fields__, strict=True)))

    @contextmanager
    def creating(self, name: str) -> Iterator[None]:
        """The context in which entities of a type are created."""
        home = self.campaign if declared[name].scope is Scope.CAMPAIGN else PLATFORM
        with acting(system_context("test", home)):
            yield

    async def create(self, name: str, draft: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """A new entity, through its service."""
        values = draft or await self.draft(name)
        with self.creating(name):
            return await self.acts(name).create(values, key=key)

    async def draft(self, name: str) -> dict[str, Any]:
        """Values for every field that a client may set, except references to its own type."""
        of = declared[name]
        values = {field.name: await self._value(of, field) for field in of.stored if not field.has(Output)}
        return values | {"metadata": _metadata(of)}

    async def least(self, name: str) -> dict[str, Any]:
        """Values for the fields that a client must set."""
        of = declared[name]
        return {field.name: await self._value(of, field) for field in of.stored if field.required}

    async def patch(self, name: str) -> dict[str, Any]:
        """New values for every field that may be changed, references left as they are."""
        of = declared[name]
        fields = [field for field in of.stored if not field.has(Output, Immutable, Reference)]
        values = {field.name: await self._value(of, field) for field in fields}
        return values | {"metadata": {"tags": [uuid.uuid4().hex]}}

    async def _value(self, of: EntityType, field: Field) -> Any:
        reference = field.get(Reference)
        if reference is None:
            return sample(of, field)
        return (
            None
            if reference.type == of.name
            else (await self.create(reference.type, await self.least(reference.type))).id
        )


@contextmanager
def within(entity: Entity) -> Iterator[None]:
    """The context in which an entity lives."""
    with acting(system_context("test", entity.campaign_id)):
        yield


def sample(of: EntityType, field: Field) -> Any:
    """A value of a field, from its declaration; one of a natural key differs from call to call."""
    unique = any(field.name in group for group in of.unique)
    if field.meta is not None and field.meta.examples and not (unique or field.has(Secret)):
        return field.meta.examples[0]
    if field.base is bool and not field.required:
        return field.initial()
    if field.base is Decimal:
        return _decimal(field, unique)
    later = 1 + of.fields.index(field)  # in the order of declaration, so that what begins does so before it ends
    return value_of(_described(field), unique=unique, password=field.has(Secret), later=later)


def _described(field: Field) -> Any:
    """The type of a field without the arms of nothing, as msgspec tells it."""
    described = mi.type_info(field.annotation)
    while isinstance(described, mi.Metadata):
        described = described.type
    if isinstance(described, mi.UnionType):
        (described,) = (arm for arm in described.types if not isinstance(arm, mi.NoneType | mi.CustomType))
    return described


def _decimal(field: Field, unique: bool) -> Decimal:
    """Any one within its bounds if it must differ from others; else a few more than the least, with all digits after
    the point, and never more than there may be."""
    digits, bounds = field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()
    whole = 10**digits.scale  # counted in steps: Python's decimals are rounded to 28 digits
    greatest = digits.limit * whole - 1
    most = greatest if bounds.le is None else min(bounds.le * whole, greatest)
    low = bounds.ge if bounds.gt is None else bounds.gt
    least = -greatest if low is None else low * whole + (bounds.gt is not None)
    wanted = random.randint(least, most) if unique else min((low or 0) * whole + 7 * whole + 1, most)
    return Decimal((int(wanted < 0), tuple(map(int, str(abs(wanted)))), -digits.scale))


def _metadata(of: EntityType) -> dict[str, Any]:
    """Metadata that holds every hot key of the entity."""
    own: dict[str, Any] = {"note": "kept"}
    metadata: dict[str, Any] = {"tags": ["one"], "service_specific": {of.service: own}}
    for field in of.fields:
        if (source := field.get(FromMetadata)) is not None:
            *parents, last = source.path.split(".")
            place: Any = metadata
            for part in parents:
                place = place.setdefault(part, {})
            place[last] = "hot"
    return metadata
