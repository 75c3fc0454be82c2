"""What a declaration of fields must comply with, so that every table, statement and contract can be derived from it."""

import inspect
import re
import typing
from collections.abc import Callable, Iterable
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import msgspec

from ovasabi.errors import DeclarationError
from ovasabi.kernel.declare.fields import (
    INDEXED_BYTES,
    Bounds,
    Field,
    Filter,
    FromMetadata,
    Immutable,
    Marker,
    Numeric,
    Output,
    Reference,
    Search,
    Secret,
    Unique,
)
from ovasabi.kernel.declare.names import (
    MAX_IDENTIFIER,
    METADATA_ROOTS,
    RESERVED_COLUMNS,
    SYSTEM_COLUMNS,
    UNQUOTABLE,
    check_not_reserved,
    check_snake,
)

_MAX_ENUM_VALUE = 32
_LONGEST_SUFFIX = len("__check")


def check_fields(name: str, table: str, cls: type[msgspec.Struct], base: type, fields: tuple[Field, ...]) -> None:
    """Raises `DeclarationError` for the first field that is not valid. `name` is the entity type, `table` its table."""
    _check_inherited(name, cls, base)
    columns: dict[str, str] = {}
    renamed = {field.name: field.encode_name for field in msgspec.structs.fields(cls)}
    for field in fields:
        what = f"The field {field.name} of {name}"
        check_snake(what, field.name)
        for column in (field.name, field.column):
            check_not_reserved(what, column, RESERVED_COLUMNS | SYSTEM_COLUMNS | UNQUOTABLE)
        if renamed[field.name] != field.name:
            raise DeclarationError(f"{what} has another name in JSON.", hint="Omit msgspec.field(name=…).")
        if (other := columns.setdefault(field.column, field.name)) != field.name:
            raise DeclarationError(f"{what} and {other} have the same column.", hint="Rename one of them.")
        _check_markers(what, field)
        _check_values(what, field)
        if len(f"{table}{field.column}") + _LONGEST_SUFFIX > MAX_IDENTIFIER:
            raise DeclarationError(f"{what} has a name that is too long for {table}.", hint="Choose a shorter name.")


def check_title(name: str, field: Field) -> None:
    """Raises `DeclarationError` unless a field can name its entity in the registry."""
    if field.nullable or field.has(Secret, FromMetadata):
        problem = f"The title of {name} is {field.name}, which can be null or is not stored."
        raise DeclarationError(problem, hint="Choose a field that always has a value.")


def check_key(name: str, parts: Iterable[Field]) -> None:
    """Raises `DeclarationError` unless fields can be a natural key."""
    group = list(parts)
    key = "+".join(field.name for field in group)
    if not group or len({field.name for field in group}) < len(group):
        raise DeclarationError(f"A natural key of {name} is empty or names a field twice.")
    if len(group) > 1 and not all(field.has(Immutable) for field in group):
        raise DeclarationError(f"{name}: the parts of the natural key {key} must be Immutable.")
    for field in group:
        if _is_composite(field) or field.has(Secret, FromMetadata):
            problem = f"{name}: {field.name} cannot be part of a natural key, which must be a stored, single value."
            raise DeclarationError(problem)


def _check_inherited(name: str, cls: type, base: type[Any]) -> None:
    own = [klass for klass in cls.__mro__ if issubclass(klass, base) and klass is not base]
    redeclared = [field for field in base.__struct_fields__ for klass in own if field in inspect.get_annotations(klass)]
    if redeclared:
        problem = f"{name} declares the field {redeclared[0]}, which every entity has."
        raise DeclarationError(problem, hint="Rename the field.")


def _is_composite(field: Field) -> bool:
    return field.is_list or field.sql_type == "jsonb"


_FILTER = "is a Filter, so it must be a single value or a list of text"
_DERIVED = "is derived from metadata: declare it as `Annotated[str, FromMetadata(…)] | None = None`"
_SECRET = "is a Secret: declare it as `Annotated[str, Secret(…)] | UnsetType = UNSET`"
_ALLOWED: tuple[tuple[type[Marker], Callable[[Field], bool], str], ...] = (
    (Reference, lambda field: field.base is int, "is a Reference, so it must be an int"),
    (Numeric, lambda field: field.base is Decimal, "has Numeric, so it must be a Decimal"),
    (Bounds, lambda field: field.base is Decimal, "has Bounds, so it must be a Decimal: other numbers use Meta"),
    (Filter, lambda field: field.sql_type != "jsonb", _FILTER),
    (Filter, lambda field: not field.is_list or _is_text(field), _FILTER),
    (Search, lambda field: _is_text(field), "has Search, so it must be text or a list of text"),
    (Unique, lambda field: not _is_composite(field), "is Unique, so it must be a single value"),
    (Secret, lambda field: field.base is str and field.nullable, _SECRET),
    (Secret, lambda field: not field.has(Filter, Search, Unique), "is a Secret, so it cannot be found by its value"),
    (FromMetadata, lambda field: field.base is str and field.nullable and not field.required, _DERIVED),
    (Output, lambda field: not field.required, "is an Output, which no client can set, so it needs a default"),
)


def _check_markers(what: str, field: Field) -> None:
    for marker, is_allowed, text in _ALLOWED:
        if field.has(marker) and not is_allowed(field):
            raise DeclarationError(f"{what} {text}.")
    search = field.get(Search)
    if search is not None and search.weight not in ("A", "B", "C", "D"):
        raise DeclarationError(f"{what} has Search({search.weight!r}): the weight must be A, B, C or D.")
    derived = field.get(FromMetadata)
    if derived is not None and (root := derived.path.partition(".")[0]) not in METADATA_ROOTS:
        problem = f"{what} has FromMetadata({derived.path!r}), but {root!r} is not a root key of metadata."
        raise DeclarationError(problem, hint=f"Use one of {', '.join(METADATA_ROOTS)}.")
    if derived is not None and not 1 <= derived.max_length <= INDEXED_BYTES:
        raise DeclarationError(f"{what} is indexed, so its max_length must be between 1 and {INDEXED_BYTES}.")
    unique = field.get(Unique)
    if unique is not None and unique.fold and field.base is not str:
        raise DeclarationError(f"{what} has Unique(fold=True), so it must be text.")


def _check_values(what: str, field: Field) -> None:
    """Refuses values that no column can hold: of enums, and of defaults."""
    for hint in (field.base, *typing.get_args(field.base)):
        if not (isinstance(hint, type) and issubclass(hint, Enum)):
            continue
        if not issubclass(hint, StrEnum) or not len(hint):
            raise DeclarationError(f"{what} has the type {hint.__name__}, which must be a StrEnum with values.")
        for member in hint:
            if not 1 <= len(member.value) <= _MAX_ENUM_VALUE or not member.value.isprintable():
                problem = f"{what}: {member.value!r} of {hint.__name__} must have 1 to {_MAX_ENUM_VALUE} characters."
                raise DeclarationError(problem)
    if field.required or field.has(Secret):
        return
    value = field.initial()
    if value is None and not field.nullable:
        raise DeclarationError(f"{what} has the default null, but not the type.", hint="Add `| None` to its type.")
    if not (value is None or value in ([], {}) or isinstance(value, bool | int | float | str | Decimal)):
        raise DeclarationError(f"{what} has a default that is not possible in SQL.", hint="Use `| None = None`.")
    try:
        msgspec.convert(msgspec.to_builtins(value), field.annotation)
        if isinstance(value, Decimal):
            _check_decimal(value, field)
    except ValueError as error:
        raise DeclarationError(f"{what} has the default {value!r}, which is not valid: {error}.") from error


def _check_decimal(value: Decimal, field: Field) -> None:
    """Raises `ValueError` unless a decimal fits its column and is within its bounds."""
    digits, bounds = field.get(Numeric) or Numeric(), field.get(Bounds) or Bounds()
    if not re.fullmatch(digits.pattern(signed=True), format(value, "f")):
        raise ValueError(f"it has more digits than {field.sql_type}")
    above = (bounds.ge is None or value >= bounds.ge) and (bounds.gt is None or value > bounds.gt)
    if not above or (bounds.le is not None and value > bounds.le):
        raise ValueError("it is out of bounds")


def _is_text(field: Field) -> bool:
    return field.sql_type.removesuffix("[]").partition("(")[0] in ("text", "varchar")
