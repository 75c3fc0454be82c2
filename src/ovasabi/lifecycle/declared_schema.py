"""The declared schema as SQLAlchemy Core metadata, which migrations are compared with. Requests never use it."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from ovasabi.decimals import plain
from ovasabi.kernel.declare.entity import EntityType, Scope, declared
from ovasabi.kernel.declare.fields import (
    SEARCHED_CHARACTERS,
    Bounds,
    Field,
    Filter,
    FromMetadata,
    Reference,
    Unique,
)
from ovasabi.kernel.declare.names import PLATFORM_COLUMN

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "ck": "%(table_name)s_%(constraint_name)s_check",
}


def metadata_of(entities: dict[str, EntityType] | None = None) -> sa.MetaData:
    """Returns the tables of the given entities (all declared ones by default), and the registry that they refer to."""
    metadata = sa.MetaData(naming_convention=NAMING)
    _registry(metadata)
    for of in (declared if entities is None else entities).values():
        _entity_table(metadata, of)
    return metadata


def _registry(metadata: sa.MetaData) -> None:
    """Adds the columns that entity tables refer to; the first migration creates the registry itself, in SQL."""
    sa.Table(
        "master",
        metadata,
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    )


def _entity_table(metadata: sa.MetaData, of: EntityType) -> sa.Table:
    name, scoped = of.table_name, of.scope is not Scope.GLOBAL
    keys = [*(["campaign_id"] if scoped else []), *(["created_at"] if of.partitioned else []), "master_id"]
    parts: list[sa.schema.SchemaItem] = []
    if scoped:
        parts.append(sa.Column("campaign_id", sa.Integer, nullable=False, autoincrement=False))
    parts += [
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("master_id", sa.BigInteger, nullable=False, autoincrement=False),
        *(_column(field) for field in of.fields),
        sa.Column("metadata", pg.JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        *_platform(of),
        sa.PrimaryKeyConstraint(*keys, name=f"{name}_pkey"),
        _foreign_key(name, "master_id", "campaign_id" if scoped else PLATFORM_COLUMN, "master"),
        sa.CheckConstraint("octet_length(metadata::text) <= 131072", name=sa.schema.conv(f"{name}_metadata_check")),
    ]
    if of.searched:
        parts.append(sa.Column("search_vector", pg.TSVECTOR, sa.Computed(_vector(of), persisted=True)))
    parts += [_reference(of, field) for field in of.references]
    parts += [check for field in of.stored if (check := _check(name, field)) is not None]
    options: dict[str, Any] = {"postgresql_partition_by": "LIST (campaign_id)"} if of.partitioned else {}
    table = sa.Table(name, metadata, *parts, comment=of.cls.__doc__, **options)
    for index in _indexes(of, table):
        assert index.table is table
    return table


def _platform(of: EntityType) -> list[sa.schema.SchemaItem]:
    """Returns the column with the campaign of the platform's entities, always 0, that foreign keys to them need."""
    if of.scope is not Scope.GLOBAL and not any(map(_to_platform, of.references)):
        return []
    check = sa.CheckConstraint(f"{PLATFORM_COLUMN} = 0", name=sa.schema.conv(f"{of.table_name}_platform_check"))
    return [sa.Column(PLATFORM_COLUMN, sa.Integer, nullable=False, server_default=sa.text("0")), check]


def _column(field: Field) -> sa.Column[object]:
    derived = field.get(FromMetadata)
    if derived is not None:
        path = "{" + derived.path.replace(".", ",") + "}"
        return sa.Column(field.column, _type(field), sa.Computed(f"(metadata #>> '{path}')", persisted=True))
    return sa.Column(
        field.column, _type(field), nullable=field.nullable, server_default=_default(field), comment=field.description
    )


def _default(field: Field) -> sa.TextClause | None:
    """Returns the default in SQL, so that a column can be added to a table with rows, and old programs can insert."""
    if field.required or field.nullable:
        return None
    value = field.initial()
    if isinstance(value, bool):
        return sa.text("true" if value else "false")
    if isinstance(value, Decimal):
        return sa.text(plain(value))
    if isinstance(value, int | float):
        return sa.text(str(value))
    if isinstance(value, str):
        escaped = str(value).replace("'", "''")
        return sa.text(f"'{escaped}'")
    if value in ([], {}):
        return sa.text("'[]'" if value == [] and not field.is_list else "'{}'")  # a list that is stored as JSON
    raise TypeError(f"the default of {field.name} cannot be written in SQL; make it nullable or required")


def _type(field: Field) -> sa.types.TypeEngine[Any]:
    text = field.sql_type
    if text.endswith("[]"):
        return pg.ARRAY(_named(text[:-2]))
    return _named(text)


def _named(text: str) -> sa.types.TypeEngine[Any]:
    base, _, rest = text.partition("(")
    numbers = [int(number) for number in rest.rstrip(")").split(",")] if rest else []
    match base:
        case "varchar":
            return sa.String(numbers[0])
        case "numeric":
            return sa.Numeric(numbers[0], numbers[1])
    plain: dict[str, sa.types.TypeEngine[Any]] = {
        "text": sa.Text(),
        "boolean": sa.Boolean(),
        "bigint": sa.BigInteger(),
        "double precision": sa.Double(),
        "timestamptz": sa.DateTime(timezone=True),
        "date": sa.Date(),
        "uuid": sa.Uuid(),
        "jsonb": pg.JSONB(),
    }
    return plain[base]


def _vector(of: EntityType) -> str:
    """Returns the expression of the search vector, from the beginning of each text: see `Sizes`."""
    parts = []
    for field in of.searched:
        text = f"words_of({field.identifier})" if field.is_list else field.identifier
        weight = next(m.weight for m in field.markers if hasattr(m, "weight"))
        parts.append(f"setweight(to_tsvector('simple', left(coalesce({text}, ''), {SEARCHED_CHARACTERS})), '{weight}')")
    if of.partitioned:
        # The campaign is a word of each row, which no text can contain, so one index finds a campaign's rows by words.
        parts.append("array_to_tsvector(ARRAY[' ' || campaign_id::text])")
    return " || ".join(parts)


def _reference(of: EntityType, field: Field) -> sa.ForeignKeyConstraint:
    campaign = PLATFORM_COLUMN if of.scope is Scope.GLOBAL or _to_platform(field) else "campaign_id"
    return _foreign_key(of.table_name, field.column, campaign, field.column)


def _to_platform(field: Field) -> bool:
    """Returns whether a reference is to an entity of the platform."""
    reference = field.get(Reference)
    assert reference is not None
    return reference.type in declared and declared[reference.type].scope is Scope.GLOBAL


def _foreign_key(table: str, column: str, campaign: str, label: str) -> sa.ForeignKeyConstraint:
    other = ["master.campaign_id", "master.id"]
    return sa.ForeignKeyConstraint([campaign, column], other, name=f"{table}_{label}_fkey")


def _check(table: str, field: Field) -> sa.CheckConstraint | None:
    bounds = field.get(Bounds) or (None if field.is_list else field.meta)
    if bounds is None:
        return None
    limits = [(">=", bounds.ge), (">", bounds.gt), ("<=", bounds.le), ("<", getattr(bounds, "lt", None))]
    text = " AND ".join(f"{field.identifier} {sign} {limit}" for sign, limit in limits if limit is not None)
    return sa.CheckConstraint(text, name=sa.schema.conv(f"{table}_{field.column}_check")) if text else None


def _indexes(of: EntityType, table: sa.Table) -> list[sa.Index]:
    lead = ["campaign_id"] if of.scope is not Scope.GLOBAL else []
    indexes = []
    if of.scope is Scope.ROOT:
        indexes.append(sa.Index(f"{table.name}_campaign_id_key", table.c.campaign_id, unique=True))
    if not of.partitioned:
        indexes.append(sa.Index(f"{table.name}_created_at_idx", table.c.created_at, table.c.master_id))
    for field in of.fields:
        column = table.c[field.column]
        if field.has(Filter, Reference, FromMetadata, Unique) and field.sortable:
            columns = [*(table.c[name] for name in lead), column, table.c.master_id]
            indexes.append(sa.Index(f"{table.name}_{field.column}_idx", *columns))
    if of.searched:
        indexes.append(sa.Index(f"{table.name}_search_vector_idx", table.c.search_vector, postgresql_using="gin"))
    return indexes
