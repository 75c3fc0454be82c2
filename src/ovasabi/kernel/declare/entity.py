"""The declaration of an entity: a typed class from which its table, statements, schemas and API are derived."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import msgspec
from msgspec import UNSET, Meta

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.checks.arguments import check_arguments
from ovasabi.kernel.declare.counters import Counter, counted_reference, counter_of
from ovasabi.kernel.declare.field_rules import check_fields, check_key, check_title
from ovasabi.kernel.declare.fields import (
    Field,
    FromMetadata,
    Immutable,
    Output,
    Reference,
    Search,
    Secret,
    Unique,
    read_fields,
)
from ovasabi.kernel.declare.ids import Id
from ovasabi.kernel.declare.names import (
    MAX_TABLE,
    RESERVED_PLURALS,
    check_class_name,
    check_folder,
    check_not_reserved,
    check_snake,
    check_table,
)


class Scope(StrEnum):
    """Where the rows of an entity live."""

    CAMPAIGN = "campaign"
    """In a campaign; the table is partitioned by campaign and month."""
    ROOT = "root"
    """The campaign itself: its row contains its own number, and the table is not partitioned."""
    GLOBAL = "global"
    """On the platform, without a campaign."""


class Entity(msgspec.Struct, kw_only=True, frozen=True):
    """The fields that every entity has. The kernel sets them; clients send only `metadata`."""

    id: Annotated[Id, Meta(description="The integer id: 53 bits, ordered by creation time.")]
    uuid: Annotated[uuid.UUID, Meta(description="The public identifier, a version 7 UUID.")]
    campaign_id: Annotated[int, Meta(ge=0, description="The number of the entity's campaign; 0 is the platform.")]
    version: Annotated[int, Meta(ge=1, description="Incremented by each change; also sent as the ETag.")]
    created_at: Annotated[
        datetime, Meta(tz=True, description="When the entity was created, in milliseconds, as encoded in the id.")
    ]
    updated_at: Annotated[datetime, Meta(tz=True, description="When the entity was last changed.")]
    metadata: Annotated[
        dict[str, Any], Meta(description="Custom attributes by namespace; merged on update, at most 64 KiB.")
    ] = msgspec.field(default_factory=dict)


E = TypeVar("E", bound=Entity)

STREAMS = ("operational", "analytics", "audit")
"""The retention streams of events."""
SYSTEM_FIELDS = ("id", "uuid", "campaign_id", "version", "created_at", "updated_at")
"""The fields of every entity that only the kernel sets."""


class EntityType(msgspec.Struct, frozen=True, dict=True, eq=False):
    """An entity type as declared: its names, scope and fields."""

    cls: type[Entity]
    name: str
    service: str
    plural: str
    table: str
    scope: Scope
    title: str
    """The field whose value names the entity in the registry."""
    stream: str
    unique: tuple[tuple[str, ...], ...]
    fields: tuple[Field, ...]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The declared fields by name."""
        return {field.name: field for field in self.fields}

    @property
    def table_name(self) -> str:
        """`service_<service>_<table>`."""
        return f"service_{self.service}_{self.table}"

    @property
    def partitioned(self) -> bool:
        """Whether its table is partitioned by campaign and month."""
        return self.scope is Scope.CAMPAIGN

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The stored fields: all except those that the database derives."""
        return tuple(field for field in self.fields if not field.has(FromMetadata))

    @cached_property
    def shown(self) -> tuple[Field, ...]:
        """The readable fields: all except secrets."""
        return tuple(field for field in self.fields if not field.has(Secret))

    @cached_property
    def searched(self) -> tuple[Field, ...]:
        """The fields included in full-text search."""
        return tuple(field for field in self.fields if field.has(Search))

    @cached_property
    def references(self) -> tuple[Field, ...]:
        """The fields that hold another entity's id."""
        return tuple(field for field in self.fields if field.has(Reference))

    @cached_property
    def counter(self) -> Counter | None:
        """The counter of its counted reference, if it has one."""
        found = counted_reference(self.name, self.fields)
        if found is None or (parent := declared.get(found[1].type)) is None:
            return None
        if (self.scope, parent.scope) != (Scope.CAMPAIGN, Scope.CAMPAIGN):
            raise DeclarationError(f"{self.name} is counted by {parent.name}: both must belong to a campaign.")
        return counter_of(self.name, *found, parent.by_name)

    @cached_property
    def derived(self) -> tuple[tuple[str, list[str]], ...]:
        """The hot keys: the fields that the database derives from a path of the metadata."""
        sources = ((field.name, field.get(FromMetadata)) for field in self.fields)
        return tuple((name, source.path.split(".")) for name, source in sources if source is not None)

    @cached_property
    def draft(self) -> type[msgspec.Struct]:
        """The request of a create: every field that a client may set."""
        fields = [
            (field.name, field.request_type) if field.required else (field.name, field.request_type, _default(field))
            for field in self.stored
            if not field.has(Output)
        ]
        return _struct(f"{self.cls.__name__}Draft", fields, f"The {_words(self.name)} to create.")

    @cached_property
    def patch(self) -> type[msgspec.Struct]:
        """The request of an update: any of the fields that a client may change. Omitted fields are not changed."""
        fields = [
            (field.name, field.request_type | msgspec.UnsetType, UNSET)
            for field in self.stored
            if not field.has(Output, Immutable)
        ]
        return _struct(
            f"{self.cls.__name__}Patch", fields, f"The fields of the {_words(self.name)} to change.", metadata=UNSET
        )

    @cached_property
    def written(self) -> type[msgspec.Struct] | None:
        """The accepted forms of decimals in requests, which the type alone does not say; None if none can be set."""
        decimals = [field for field in self.stored if field.base is Decimal and not field.has(Output)]
        fields = [(field.name, field.written | msgspec.UnsetType, UNSET) for field in decimals]
        return msgspec.defstruct(f"{self.cls.__name__}Written", fields, kw_only=True) if fields else None

    def forms_of(self, request: Any) -> type[msgspec.Struct] | None:
        """Returns what the input of a request must fit besides its type, whichever door it comes through, if anything.

        A decimal is a string of digits, with a fraction, or a number: `Decimal` alone takes exponents, and much else.
        """
        return self.written if request in (self.draft, self.patch) else None

    def action(self, verb: str) -> str:
        """Returns a verb as named in the event log: `create` for the main entity, `create_comment` for another one."""
        return verb if self.table in ("main", "master") else f"{verb}_{self.name}"

    def event_type(self, verb: str, state: str = "success") -> str:
        """Returns an event type: `service:action:v1:state`."""
        return f"{self.service}:{self.action(verb)}:v1:{state}"


declared: dict[str, EntityType] = {}
"""All declared entity types, by name."""

_by_class: dict[type[Entity], EntityType] = {}


def entity(
    *,
    plural: str,
    title: str,
    name: str | None = None,
    table: str = "main",
    scope: Scope = Scope.CAMPAIGN,
    stream: str = "operational",
    unique: Iterable[tuple[str, ...]] = (),
) -> Callable[[type[E]], type[E]]:
    """Declares a class as an entity. The service is named after the folder that contains the class.

    `title` is the field that names the entity in the registry, `unique` lists natural keys of several fields, and
    `stream` is the retention stream of its events.
    """

    groups: Any = tuple(unique) if isinstance(cast(Any, unique), Iterable) else unique

    def declare(cls: type[E]) -> type[E]:
        what = f"@entity of {cls.__name__}"
        _check_class(what, cls)
        given = {"plural": plural, "title": title, "table": table, "stream": stream, "unique": groups}
        check_arguments(what, given | ({} if name is None else {"name": name}), get_type_hints(EntityType))
        fields = read_fields(cls, set(Entity.__struct_fields__))
        single = tuple((field.name,) for field in fields if field.has(Unique))
        of = EntityType(
            cls=cls,
            name=cls.__name__.lower() if name is None else name,
            service=cls.__module__.split(".")[-2],
            plural=plural,
            table=table,
            scope=scope,
            title=title,
            stream=stream,
            unique=single + groups,
            fields=fields,
        )
        check_entity(of, declared)
        before = declared.get(of.name)
        declared[of.name] = _by_class[cls] = of
        try:
            _check_counters()
        except DeclarationError:
            del declared[of.name], _by_class[cls]
            if before is not None:
                declared[of.name] = before
            raise
        return cls

    return declare


def _check_class(what: str, cls: Any) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Entity)):
        problem = f"{what} does not stand above a class that is derived from Entity."
        raise DeclarationError(problem, hint=f"Use `class {cls.__name__}(Entity, frozen=True)`.")


def _check_counters() -> None:
    """Refuses a counter that could become wrong, whichever of its two entities is declared last."""
    counted_by: dict[tuple[str, str], str] = {}
    for child in declared.values():
        counter = msgspec.structs.replace(child).counter  # of a copy, since its parent may be declared later
        if counter is None:
            continue
        other = counted_by.setdefault((counter.parent, counter.field.name), child.name)
        if other != child.name:
            raise DeclarationError(f"{counter.parent}.{counter.field.name} would count both {other} and {child.name}.")


def type_of(cls: type[Entity]) -> EntityType:
    """Returns the declaration of an entity class."""
    try:
        return _by_class[cls]
    except KeyError:
        raise DeclarationError(f"{cls.__name__} is not declared with @entity.") from None


def check_entity(of: EntityType, others: Mapping[str, EntityType]) -> None:
    """Raises `DeclarationError` unless an entity type and the others can exist side by side."""
    check_class_name("The entity", of.cls.__name__)
    check_snake(f"The type of {of.cls.__name__}", of.name)
    check_snake(f"The plural of {of.name}", of.plural)
    check_not_reserved(f"The plural of {of.name}", of.plural, RESERVED_PLURALS)
    check_snake(f"The table of {of.name}", of.table)
    check_table(f"The table of {of.name}", of.table)
    check_folder(of.service)
    if len(of.table_name) > MAX_TABLE:
        problem = f"The table of {of.name}, {of.table_name}, has a name of more than {MAX_TABLE} characters."
        raise DeclarationError(problem, hint="Choose a shorter name for the service or for the table.")
    if not isinstance(cast(Any, of.scope), Scope):
        allowed = ", ".join(f"Scope.{each.name}" for each in Scope)
        raise DeclarationError(f"The scope of {of.name} is {of.scope!r}.", hint=f"Use one of {allowed}.")
    if of.stream not in STREAMS:
        raise DeclarationError(
            f"The stream of {of.name} is {of.stream!r}.", hint=f"Choose one of {', '.join(STREAMS)}."
        )
    _check_beside(of, others)
    for name in (of.title, *(part for group in of.unique for part in group)):
        if name not in of.by_name:
            raise DeclarationError(f"{of.name} has no field {name!r}, which its title or a natural key names.")
    check_fields(of.name, of.table_name, of.cls, Entity, of.fields)
    check_title(of.name, of.by_name[of.title])
    for group in of.unique:
        check_key(of.name, (of.by_name[part] for part in group))
    keys = [frozenset(group) for group in of.unique]
    if again := [group for group in of.unique if keys.count(frozenset(group)) > 1]:
        problem = f"{of.name} has the natural key {'+'.join(again[0])} twice."
        raise DeclarationError(problem, hint="Remove one of them; the order of its fields does not matter.")


def _check_beside(of: EntityType, others: Mapping[str, EntityType]) -> None:
    """Refuses names that another entity type has."""
    for other in others.values():
        where = other.cls.__module__
        if other.name == of.name:
            if (where, other.cls.__name__) != (of.cls.__module__, of.cls.__name__):
                raise DeclarationError(f"The entity {of.name} is already declared by {where}.{other.cls.__name__}.")
            continue
        if {of.name, of.plural} & {other.name, other.plural}:
            problem = f"{of.name} ({of.plural}) and {other.name} ({other.plural} in {where}) share a name."
            raise DeclarationError(problem, hint="Choose another name or plural.")
        if other.table_name == of.table_name:
            problem = f"{of.name} and {other.name} in {where} have the same table, {of.table_name}."
            raise DeclarationError(problem, hint='Name another table, such as table="detail".')
        if (other.service, other.action("create")) == (of.service, of.action("create")):
            problem = f"{of.name} and {other.name} in {where} have the same events, {of.event_type('create')}."
            raise DeclarationError(problem, hint='Name another table, such as table="detail".')


def _words(name: str) -> str:
    return name.replace("_", " ")


def _default(field: Field) -> Any:
    if field.has(Secret):
        return UNSET
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return field.default


def _struct(name: str, fields: list[Any], doc: str, metadata: Any = None) -> type[msgspec.Struct]:
    kind = Annotated[dict[str, Any], Meta(description="Custom attributes by namespace.")]
    last = (
        ("metadata", kind | msgspec.UnsetType, UNSET)
        if metadata is UNSET
        else ("metadata", kind, msgspec.field(default_factory=dict))
    )
    return msgspec.defstruct(
        name, [*fields, last], kw_only=True, forbid_unknown_fields=True, namespace={"__doc__": doc}, omit_defaults=False
    )
