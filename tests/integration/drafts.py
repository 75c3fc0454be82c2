"""Valid drafts of any entity, made from its declaration alone: what the conformance suite creates its entities from."""

import datetime
import typing
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from ovasabi.kernel.call.context import PLATFORM, acting, system_context
from ovasabi.kernel.declare.entity import Entity, EntityType, Scope, declared
from ovasabi.kernel.declare.fields import Bounds, Field, FromMetadata, Immutable, Numeric, Output, Reference, Secret
from ovasabi.kernel.service import EntityService, ServiceRegistry

PASSWORD = "Correct-horse-7"


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
    """A value of a field that differs from call to call where it can; `Meta(examples=…)` decides if there are any."""
    if field.has(Secret):
        return PASSWORD
    if field.meta is not None and field.meta.examples:
        return field.meta.examples[0]
    if field.base is bool:
        return field.initial() if not field.required else True
    if field.base is datetime.datetime:
        # In the order of declaration, so that what begins does so before it ends.
        later = datetime.timedelta(days=1 + of.fields.index(field))
        return datetime.datetime.now(datetime.UTC) + later
    return _plain(field.base, field)


def _plain(base: Any, field: Field) -> Any:
    if isinstance(base, type) and issubclass(base, Enum):
        return list(base)[-1]
    if typing.get_origin(base) is list:
        return [_plain(_bare(typing.get_args(base)[0]), field)]
    if typing.get_origin(base) is dict:
        return {"colour": "green"}
    if base is Decimal:
        digits, bounds = field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()
        return Decimal(bounds.ge or bounds.gt or 0) + 7 + Decimal(1).scaleb(-digits.scale)
    if base is int:
        return int(field.meta.ge or 0) + 7 if field.meta is not None else 7
    return {str: _text(field), datetime.date: datetime.date(2026, 2, 28), uuid.UUID: uuid.uuid4(), float: 0.5}[base]


def _text(field: Field) -> str:
    """The first of some usual forms of text that the field takes."""
    unique = uuid.uuid4().hex
    forms = [f"w{unique[:12]} plain words", f"w{unique[:12]}", f"{unique[:12]}@example.org", "EUR", unique, "1", "en"]
    for form in forms:
        try:
            return str(msgspec.convert(form, field.annotation)) if not field.is_list else form
        except msgspec.ValidationError:
            continue
    raise AssertionError(f"{field.name} takes none of {forms}: give its Meta an example")


def _bare(annotation: Any) -> Any:
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


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
