"""Fields of entities: markers in annotations, from which columns, checks and API schemas are derived."""

import datetime
import typing
import uuid
from collections.abc import Callable
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import NODEFAULT, UNSET, Meta

from ovasabi.errors import OvasabiError
from ovasabi.kernel.declare.checks.annotations import hints_of, parts_of
from ovasabi.kernel.declare.ids import MAX_ID
from ovasabi.kernel.declare.names import QUOTED

INDEXED_BYTES = 2600
"""How long a text can be in an index: a third of a page, less what else is in its entry."""
SEARCHED_CHARACTERS = 200_000
"""How much of each text is searched."""


class Marker(msgspec.Struct, frozen=True):
    """Base class of markers in annotations: `title: Annotated[str, Meta(max_length=200), Search("A")]`."""


M = TypeVar("M", bound=Marker)


class Unique(Marker, frozen=True):
    """A natural key within the campaign (within the platform for a global entity); `fold` ignores case."""

    fold: bool = False


class Search(Marker, frozen=True):
    """Included in full-text search, with PostgreSQL's weight from A (titles) to D."""

    weight: str = "B"


Refusal = type[OvasabiError]
"""Defined here because `type` is a field in the class below."""


class Reference(Marker, frozen=True):
    """The id of another entity of the named type, in the same campaign or of a global type.

    `counted_in` names a field of that entity that counts the entities referring to it; each create, delete and restore
    updates it. In a state listed in `closed_in` the entity accepts no more references, and `refusal` is the error.
    """

    type: str
    counted_in: str | None = None
    closed_in: tuple[StrEnum, ...] = ()
    refusal: Refusal | None = None


class Filter(Marker, frozen=True):
    """Lists can be filtered by it, and ordered by it if it is a single value. Its column is indexed."""


class Personal(Marker, frozen=True):
    """Personal data, subject to masking and erasure."""


class Immutable(Marker, frozen=True):
    """Set when the entity is created, and never changed."""


class Output(Marker, frozen=True):
    """Set only by the service's own verbs; not accepted from clients."""


class Secret(Marker, frozen=True):
    """Accepted from clients, hashed by `seal` and stored in `<name>_hash`; never in a response, an event or a log.

    Declared as `Annotated[str, Secret(seal)] | UnsetType = UNSET`, because an entity that was read does not include it.
    """

    seal: Callable[[str], str]


class Numeric(Marker, frozen=True):
    """The precision and scale of a decimal: its total digits, and its digits after the decimal point."""

    precision: int = 20
    scale: int = 8

    @property
    def limit(self) -> int:
        """The exclusive upper bound of every value."""
        return int(10 ** (self.precision - self.scale))

    def pattern(self, *, signed: bool) -> str:
        """Returns the pattern of a value: digits, optionally with a fraction; no exponent, plus sign or spaces.

        Further zeros at the end of a fraction are accepted, since no digit is lost.
        """
        fraction = rf"(\.[0-9]{{1,{self.scale}}}0*)?" if self.scale else r"(\.0+)?"
        return rf"^{'-?' if signed else ''}[0-9]{{1,{self.precision - self.scale}}}{fraction}$(?!\n)"

    def problem(self, value: Decimal) -> str | None:
        """Returns why the column would reject or round a value, if it would: a response must equal what is stored."""
        if not value.is_finite():
            return "must be a finite number"
        digits, exponent = value.as_tuple().digits, int(value.as_tuple().exponent)
        zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
        if value and -(exponent + zeros) > self.scale:
            return f"must have at most {self.scale} digits after the decimal point"
        if value and value.adjusted() >= self.precision - self.scale:
            return f"must have at most {self.precision - self.scale} digits before the decimal point"
        return None


class Bounds(Marker, frozen=True):
    """The bounds of a decimal: at least `ge`, greater than `gt`, at most `le`. Other numbers use `Meta`."""

    ge: int | None = None
    gt: int | None = None
    le: int | None = None

    def problem(self, value: Decimal) -> str | None:
        """Returns which bound a value violates, if any."""
        if self.ge is not None and not value >= self.ge:
            return f"must be at least {self.ge}"
        if self.gt is not None and not value > self.gt:
            return f"must be greater than {self.gt}"
        if self.le is not None and not value <= self.le:
            return f"must be at most {self.le}"
        return None


class FromMetadata(Marker, frozen=True):
    """A hot key: a read-only, indexed field that the database derives from this path in the metadata.

    What is longer than `max_length` characters, or than 2600 bytes, is refused.
    """

    path: str
    max_length: int = INDEXED_BYTES


class Field(msgspec.Struct, frozen=True):
    """One field of an entity, as read from its annotation."""

    name: str
    annotation: Any
    base: Any
    nullable: bool
    default: Any
    default_factory: Any
    markers: tuple[Marker, ...]
    meta: Meta | None
    description: str | None

    def get(self, kind: type[M]) -> M | None:
        """Returns the field's marker of a kind, if it has one."""
        return next((marker for marker in self.markers if isinstance(marker, kind)), None)

    def has(self, *kinds: type[Marker]) -> bool:
        """Returns whether the field has a marker of one of the kinds."""
        return any(isinstance(marker, kinds) for marker in self.markers)

    @property
    def indexed_characters(self) -> int | None:
        """The length of a text that is indexed; None for what is not. Its length in bytes is limited as well."""
        if self.base is not str or self.has(Secret) or not self.sortable:
            return None
        declared = self.meta.max_length if self.meta is not None else None
        return INDEXED_BYTES if declared is None else min(declared, INDEXED_BYTES)

    @property
    def request_type(self) -> Any:
        """Its annotation in requests: integers are limited to the column's range, references to possible ids, and
        texts to what can be indexed."""
        characters, meta = self.indexed_characters, self.meta or Meta()
        if characters is not None and characters != meta.max_length:
            kept = {name: getattr(meta, name) for name in _OF_TEXTS}
            text = Annotated[str, Meta(**kept, max_length=characters)]
            return text | None if self.nullable else text
        if self.base is not int:
            return self.annotation
        least, most = (1, MAX_ID) if self.has(Reference) else (-(1 << 63), (1 << 63) - 1)
        meta = self.meta or Meta()
        low, high = (meta.ge, meta.gt) != (None, None), (meta.le, meta.lt) != (None, None)
        bounded = Annotated[int, meta, Meta(ge=None if low else least, le=None if high else most)]
        return bounded | None if self.nullable else bounded

    @property
    def written(self) -> Any:
        """The type of a decimal in requests: a string of digits with an optional fraction, or a number."""
        digits, bounds = self.get(Numeric) or Numeric(), self.get(Bounds) or Bounds()
        least = bounds.ge if bounds.gt is None else bounds.gt
        signed = least is None or least < 0
        pattern = Annotated[str, Meta(pattern=digits.pattern(signed=signed))]
        limits: dict[str, Any] = {"gt": -digits.limit} if least is None else {"ge": bounds.ge, "gt": bounds.gt}
        limits |= {"lt": digits.limit} if bounds.le is None else {"le": bounds.le}
        # A bound that no float can have is checked like the digits, when the decimal is stored.
        limits = {name: limit for name, limit in limits.items() if limit is not None and abs(limit) < _MOST_OF_FLOATS}
        form = pattern | Annotated[float, Meta(**limits)]
        return form | None if self.nullable else form

    @property
    def column(self) -> str:
        """The column's name; only the hash of a secret is stored."""
        return f"{self.name}_hash" if self.has(Secret) else self.name

    @property
    def identifier(self) -> str:
        """The column's name where SQL has no prefix before it: quoted if it is a keyword."""
        return f'"{self.column}"' if self.column in QUOTED else self.column

    @property
    def required(self) -> bool:
        """Whether a create must set it."""
        return self.default is NODEFAULT and self.default_factory is NODEFAULT

    @property
    def is_list(self) -> bool:
        """Whether it is a list of scalars, stored as an array."""
        return typing.get_origin(self.base) is list and _scalar_type(typing.get_args(self.base)[0]) is not None

    @property
    def sql_type(self) -> str:
        """The column's type in PostgreSQL."""
        if self.is_list:
            return f"{_scalar_type(typing.get_args(self.base)[0])}[]"
        if self.has(Secret):
            return "varchar(255)"
        if self.base is str and self.meta is not None and self.meta.max_length:
            return f"varchar({self.meta.max_length})"
        if self.base is Decimal:
            digits = self.get(Numeric) or Numeric()
            return f"numeric({digits.precision},{digits.scale})"
        return _scalar_type(self.base) or "jsonb"

    @property
    def filterable(self) -> bool:
        """Whether lists can be filtered by it."""
        return self.has(Filter, Unique, Reference, FromMetadata)

    @property
    def sortable(self) -> bool:
        """Whether lists can be ordered by it."""
        return self.filterable and not self.is_list and self.sql_type != "jsonb"

    def initial(self) -> Any:
        """Returns the value of the field if it is omitted."""
        return self.default_factory() if self.default_factory is not NODEFAULT else self.default


_MOST_OF_FLOATS = 10**308
_OF_TEXTS = ("pattern", "min_length", "title", "description", "examples", "extra_json_schema")
"""What `Meta` says about a text besides its greatest length."""
_SCALARS: dict[Any, str] = {
    str: "text",
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    datetime.datetime: "timestamptz",
    datetime.date: "date",
    uuid.UUID: "uuid",
    Decimal: "numeric(20,8)",
}


def _scalar_type(base: Any) -> str | None:
    if isinstance(base, type) and issubclass(base, Enum):
        return "varchar(32)"
    if typing.get_origin(base) is Annotated:
        return _scalar_type(typing.get_args(base)[0])
    return _SCALARS.get(base)


def read_fields(cls: type[msgspec.Struct], inherited: set[str]) -> tuple[Field, ...]:
    """Returns the fields that a struct class itself declares, in order of declaration."""
    hints = hints_of(cls.__name__, cls)
    defaults = {field.name: field for field in msgspec.structs.fields(cls)}
    return tuple(
        _read_field(name, hints[name], defaults[name]) for name in cls.__struct_fields__ if name not in inherited
    )


def _read_field(name: str, hint: Any, info: msgspec.structs.FieldInfo) -> Field:
    parts = parts_of(hint)
    return Field(
        name=name,
        annotation=hint,
        base=parts.types[0] if len(parts.types) == 1 else hint,
        nullable=parts.nullable,
        default=None if info.default is UNSET else info.default,
        default_factory=info.default_factory,
        markers=tuple(extra for extra in parts.extras if isinstance(extra, Marker)),
        meta=parts.meta,
        description=parts.meta.description if parts.meta is not None else None,
    )
